namespace Sa2VA.VirtualGpu.Counters;

/// <summary>What part of a multiprocessor an instruction keeps busy.</summary>
public enum InstructionClass
{
    /// <summary>Integer and logic on 32 bits, moves, comparisons, selections.</summary>
    Integer,

    /// <summary>Integer on 64 bits.</summary>
    Integer64,

    /// <summary>Float32 additions, products, fused products.</summary>
    Float,

    /// <summary>Float64.</summary>
    Double,

    /// <summary>Packed float16 and bfloat16.</summary>
    Half,

    /// <summary>Exponential, logarithm, roots, division, trigonometry.</summary>
    SpecialFunction,

    /// <summary>Conversions between types.</summary>
    Conversion,

    /// <summary>Branches and ends.</summary>
    Control,

    /// <summary>Loads and stores of global memory.</summary>
    Global,

    /// <summary>Loads and stores of shared memory.</summary>
    Shared,

    /// <summary>Loads of matrices from shared memory (<c>ldmatrix</c>).</summary>
    MatrixLoad,

    /// <summary>Asynchronous copies (<c>cp.async</c>) with their groups.</summary>
    AsyncCopy,

    /// <summary>Tensor cores (<c>mma.sync</c>).</summary>
    Tensor,

    /// <summary>Tensor cores, by warpgroups (<c>wgmma</c>).</summary>
    WarpgroupTensor,

    /// <summary>Bulk copies of boxes of tensors (<c>cp.async.bulk</c>).</summary>
    BulkCopy,

    /// <summary>Shuffles, votes, reductions over a warp.</summary>
    Shuffle,

    /// <summary>Barriers (of warps, blocks and bytes), waits and fences.</summary>
    Barrier,

    /// <summary>Atomics and reductions in memory.</summary>
    Atomic,

    /// <summary>Loads of kernel parameters.</summary>
    Parameter,

    /// <summary>Loads and stores of a thread's local memory.</summary>
    Local,
}
