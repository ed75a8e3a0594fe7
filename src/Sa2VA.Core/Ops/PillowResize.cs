namespace Sa2VA.Core;

/// <summary>
/// Resizes an 8-bit RGB picture exactly as Pillow does with BICUBIC (docs/model/preprocessing.md#bicubic-resize), to the byte.
/// </summary>
public sealed class PillowResize : Op
{
    internal PillowResize(Tensor x) => Inputs = [x];
}

/// <summary>Recording of <see cref="PillowResize"/>.</summary>
public static class PillowResizeExtensions
{
    /// <summary>Records the resize of x U8 [h, w, 3] → U8 [height, width, 3]; the aspect ratio is not kept.</summary>
    public static Tensor PillowResize(this GraphBuilder g, Tensor x, int height, int width)
    {
        bool isPicture = x.Type == DType.U8 && x.Shape.Rank == 3 && x.Shape.Last == 3 && x.IsContiguous && x.Length is null;
        if (!isPicture || height < 1 || width < 1)
            throw g.Error(nameof(PillowResize), $"input {x} is no contiguous U8 picture [h, w, 3] that can become {height}×{width}.");
        return g.Record(new PillowResize(x), DType.U8, new Shape(height, width, 3), null);
    }
}
