using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>A warp's share of a product of its warpgroup: 16 rows of sums, with the operands as they were when it was issued.</summary>
/// <param name="Issued">The instruction.</param>
/// <param name="Left">Descriptor of the left operand, if that is in shared memory.</param>
/// <param name="Right">Descriptor of the right operand.</param>
/// <param name="Adds">Whether it adds to the sums or begins new ones.</param>
/// <param name="Fragment">The left operand, if that is in registers: four of each lane.</param>
/// <param name="Group">The group that it belongs to, from 0.</param>
internal sealed record PendingProduct(Instruction Issued, ulong Left, ulong Right, bool Adds, uint[]? Fragment, long Group);

/// <summary>Products that a warp has issued, in groups, and how far it has waited for them.</summary>
internal sealed class ProductQueue(ThreadBlock block)
{
    /// <summary>Those that have not been computed, in order.</summary>
    public Queue<PendingProduct> Pending { get; } = new();

    /// <summary>Groups that the warp has committed; a product belongs to the one that is committed next.</summary>
    public long Committed { get; set; }

    /// <summary>Registers in flight; null without checks.</summary>
    public ProductRegisters? Registers { get; } = block.Checks ? new(block.Kernel.ProductRegisters) : null;

    public void Clear()
    {
        Pending.Clear();
        Committed = 0;
        Registers?.Clear();
    }
}
