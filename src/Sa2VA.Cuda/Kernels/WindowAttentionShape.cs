using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>A kernel of <c>kernels/window_attention_bf16.cu</c>, for heads of <see cref="HeadDim"/>.</summary>
/// <param name="Rows">Queries of a block.</param>
/// <param name="Keys">Keys that are in shared memory at once.</param>
/// <param name="Stages">How many times.</param>
/// <param name="Warps">Warps of a block.</param>
internal sealed record WindowAttentionShape(int Rows, int Keys, int Stages, int Warps)
{
    /// <summary>The head width of SAM 2.1.</summary>
    private const int HeadDim = 72;

    /// <summary>Bytes from a row of shared memory to the next: an odd number of 16.</summary>
    private const int KeyPitch = ((HeadDim + 15) / 16 * 2 | 1) * 16, ValuePitch = (HeadDim / 8 | 1) * 16;

    internal static readonly WindowAttentionShape Many = new(128, 64, 2, 4), Some = new(64, 64, 2, 4), Few = new(16, 64, 1, 1),
        FewOfSmall = new(16, 16, 1, 1);

    public string Name => $"window_attention_{HeadDim}_rows{Rows}_keys{Keys}";

    public int Threads => 32 * Warps;

    public int SharedBytes => Rows * KeyPitch + Stages * Keys * (KeyPitch + ValuePitch);

    /// <summary>The shape for an op; null where only the plain kernel does: other types and heads, windows that the map ends in.</summary>
    public static WindowAttentionShape? For(WindowAttention op, PlanContext context)
    {
        Tensor qkv = op.Inputs[0];
        // The scale goes into the exponential, where the largest score must stay the largest.
        if (op.Scale <= 0 || qkv.Type != DType.BF16 || qkv.Shape.Last != 3 * op.Heads * HeadDim
            || qkv.Shape[0] % op.Window != 0 || qkv.Shape[1] % op.Window != 0)
            return null;
        int side = op.Window / (op.Pool ? 2 : 1), queries = side * side;
        WindowAttentionShape shape = queries > 64 ? Many : queries > 16 ? Some : op.Window > 4 ? Few : FewOfSmall;
        return shape.SharedBytes <= context.Device.SharedBytes ? shape : null;
    }
}
