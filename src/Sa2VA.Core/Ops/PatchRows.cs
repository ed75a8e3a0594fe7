namespace Sa2VA.Core;

/// <summary>
/// What each output pixel of a convolution sees of an 8-bit image, normalised: [H, W, 3] U8 → [H', W', n] F32. A row has the k·k·3 numbers
/// of its patch in the order (ky, kx, channel), with zeros outside the image and behind them. No network records it; a pass that a backend
/// may ask for does (<see cref="GraphPasses.PatchRows"/>).
/// </summary>
public sealed class PatchRows : Op
{
    /// <summary>Rows have a multiple of so many numbers: whole sectors of a GPU's memory in any float type.</summary>
    public const int Granularity = 16;

    internal PatchRows(Normalize pixels, Conv2d convolution)
    {
        Inputs = pixels.Inputs;
        (Kernel, Stride, Padding) = (convolution.Kernel, convolution.Stride, convolution.Padding);
    }

    /// <summary>Side of a patch.</summary>
    public int Kernel { get; }

    /// <summary>Step in both directions.</summary>
    public int Stride { get; }

    /// <summary>Zeros on each side.</summary>
    public int Padding { get; }

    /// <summary>Numbers of a row, for patches of so many.</summary>
    internal static int WidthFor(int numbers) => (numbers + Granularity - 1) / Granularity * Granularity;
}
