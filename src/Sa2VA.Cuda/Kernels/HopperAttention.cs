using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A kernel of <c>kernels/flash_attention_bf16_hopper.cu</c>, for compute capability 9.0, with the bits of the kernels of
/// <see cref="FlashAttentionShape"/>, since keys are walked by as many at a time in the same order.
/// </summary>
/// <param name="HeadDim">Width of a query or key head.</param>
/// <param name="ValueDim">Width of a value head.</param>
/// <param name="Keys">Keys of a stage.</param>
/// <param name="Stages">Blocks of keys and values that shared memory has room for.</param>
/// <param name="Resident">Blocks of a multiprocessor.</param>
internal sealed record HopperAttention(int HeadDim, int ValueDim, int Keys, int Stages, int Resident)
{
    /// <summary>Query rows of a block.</summary>
    public const int Rows = 128;

    // Of one block of keys, nothing is hidden behind another. A swizzle repeats after eight rows.
    private const int LeastBoxRows = 8, FewKeys = 128, Warps = 8, PieceBytes = 16 * 40 * sizeof(float),
        Alignment = 1024;

    private static readonly HopperAttention[] Table =
    [
        new(64, 64, 64, 3, 2), new(72, 72, 64, 4, 1), new(80, 80, 64, 4, 1), new(128, 128, 64, 3, 1), new(256, 256, 32, 4, 1),
        new(256, 64, 64, 3, 1),
    ];

    public string Name => $"flash_attention_bf16_hopper_{HeadDim}{(ValueDim == HeadDim ? "" : $"_{ValueDim}")}";

    /// <summary>
    /// Threads of a block: two warpgroups, and a warp that brings them keys, or a warpgroup of which one does, where registers move.
    /// </summary>
    public int Threads => 32 * (Warps + (ValueDim == 256 ? 4 : 1));

    /// <summary>Queries, rings of keys and values, pieces of results; barriers; what lies before the first multiple of 1,024.</summary>
    public int SharedBytes => Alignment + (Rows * Boxed(HeadDim) + Stages * Keys * (Boxed(HeadDim) + Boxed(ValueDim))) * sizeof(ushort)
        + Warps * PieceBytes + (1 + 4 * Stages) * sizeof(ulong);

    /// <summary>The kernel for an op, or null where the device has none or the other one should take less time.</summary>
    /// <param name="op">The attention.</param>
    /// <param name="context">Where it is compiled.</param>
    /// <param name="other">What is taken otherwise.</param>
    /// <param name="splits">How its keys are cut, if they are.</param>
    public static HopperAttention? For(FlashAttention op, PlanContext context, FlashAttentionShape other, KeySplits? splits)
    {
        long keys = op.Segments?.Capacity(op.Inputs[1]) ?? op.Inputs[1].Shape.Rows / op.Groups;
        HopperAttention? found = Array.Find(Table, s => s.HeadDim == other.HeadDim && s.ValueDim == other.ValueDim);
        if (context.Device.Capability != 90 || context.Hopper == HopperUse.Never || found is null || keys <= found.Keys
            || found.BoxRows(op.Segments) < LeastBoxRows) return null;
        if (context.Hopper == HopperUse.Wherever) return found;
        // A block of heads of 64 takes 6,100 clocks, and 950 for each 64 keys; of the other kernels, some 2,000 and 2,400: by the virtual
        // GPU's model of an H100, which gives long ones what an H200 took for a trial of them (18 µs for 14 heads of 1,325 tokens, 50 for
        // 3,368). Wider heads gain sooner, by 4 µs at most.
        long blocks = (splits?.BlocksOf(Rows) ?? (op.Inputs[0].Shape.Rows / op.Groups + Rows - 1) / Rows * op.Groups) * op.Heads;
        return keys > FewKeys || blocks > context.Device.Multiprocessors ? found : null;
    }

    /// <summary>Queries, keys and values as the kernel's parameter has them.</summary>
    public BoxedMatrix[] Boxes(in View q, in View k, in View v, AttentionSegments? segments)
    {
        int keyRows = BoxRows(segments);
        return HeadDim % TensorMap.BoxColumns == 0 ? [new(q, Rows), new(k, keyRows), new(v, keyRows)]
            : [new(q, Rows), new(q, Rows, HeadDim), new(k, keyRows), new(k, keyRows, HeadDim), new(v, keyRows), new(v, keyRows, ValueDim)];
    }

    /// <summary>Columns of a head in boxes, of which the last one may be narrow.</summary>
    private static int Boxed(int columns) => (columns + TensorMap.NarrowColumns - 1) / TensorMap.NarrowColumns * TensorMap.NarrowColumns;

    /// <summary>Rows of a box of keys: a block of them, or a page where that is less.</summary>
    private int BoxRows(AttentionSegments? segments) => segments?.Pages is null ? Keys : Math.Min(Keys, segments.PageRows);
}
