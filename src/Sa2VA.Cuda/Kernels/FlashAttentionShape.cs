using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>A kernel of <c>kernels/flash_attention_bf16.cu</c>. Shapes for one head give the same bits.</summary>
/// <param name="HeadDim">Width of a query or key head.</param>
/// <param name="ValueDim">Width of a value head.</param>
/// <param name="Rows">Query rows of a block.</param>
/// <param name="Keys">Keys that are in shared memory at once.</param>
/// <param name="Stages">How many times.</param>
/// <param name="Resident">Blocks that a multiprocessor must have room for, or the shape is not worth it.</param>
/// <param name="SplitKeys">
/// Keys after which a split ends (<see cref="KeySplits"/>), the same for all shapes of a head; 0: none does.
/// </param>
internal sealed record FlashAttentionShape(int HeadDim, int ValueDim, int Rows, int Keys, int Stages, int Resident, int SplitKeys = 0)
{
    public const int Threads = 128;

    /// <summary>
    /// The largest blocks first: keys and values are read once for all rows of a block. Twice 16 rows of a warp are what halves the reads
    /// of shared memory; widths of 80, 128 and 256 have no registers for them.
    /// </summary>
    internal static readonly FlashAttentionShape[] Table =
    [
        new(16, 16, 64, 64, 2, 1),
        new(32, 32, 64, 64, 2, 1),
        new(64, 64, 128, 64, 2, 2),
        new(64, 64, 64, 64, 2, 1),
        new(72, 72, 128, 64, 2, 2),
        new(72, 72, 64, 64, 2, 1),
        new(80, 80, 64, 64, 2, 1),
        new(128, 128, 64, 64, 2, 1),
        new(256, 256, 64, 32, 2, 1, 1024),
        new(256, 64, 128, 64, 1, 2, 2048),
        new(256, 64, 64, 64, 1, 1, 2048),
    ];

    public string Name => $"flash_attention_{HeadDim}{(ValueDim == HeadDim ? "" : $"_{ValueDim}")}_rows{Rows}";

    /// <summary>Rows of shared memory are an odd number of 16 bytes apart.</summary>
    public int SharedBytes => Rows * KeyPitch + Stages * Keys * (KeyPitch + ValuePitch);

    private int KeyPitch => ((HeadDim + 15) / 16 * 2 | 1) * 16;

    private int ValuePitch => (ValueDim / 8 | 1) * 16;

    /// <summary>The shape for an op; null where only the plain kernel does.</summary>
    public static FlashAttentionShape? For(FlashAttention op, PlanContext context)
    {
        // The scale goes into the exponential, where the largest score must stay the largest.
        if (op.Scale <= 0 || op.Inputs.Take(3).Any(t => t.Type != DType.BF16)) return null;
        return Array.Find(Table, s => s.HeadDim == op.HeadDim && s.ValueDim == op.ValueDim
            && s.SharedBytes * s.Resident <= context.Device.SharedBytes
            && (s.Rows == 64 || s.BlocksFor(op) >= context.Device.Multiprocessors));
    }

    private long BlocksFor(FlashAttention op) =>
        op.Inputs[0].Shape.Rows / Rows * op.Heads * (KeySplits.Of(op, SplitKeys)?.OfSegment ?? 1);
}
