namespace Sa2VA.Core;

/// <summary>An 8-bit image to floats by a table per channel: [H, W, 3] U8 → [H, W, 3] F32.</summary>
public sealed class Normalize : Op
{
    internal Normalize(Tensor image, Tensor table) => Inputs = [image, table];
}

/// <summary>Recording of <see cref="Normalize"/>.</summary>
public static class NormalizeExtensions
{
    /// <summary>Records the table look-up; table is [3, 256] by channel and level.</summary>
    public static Tensor Normalize(this GraphBuilder g, Tensor image, Tensor table)
    {
        if (image.Type != DType.U8 || image.Shape.Last != 3 || table.Shape != new Shape(3, 256))
            throw g.Error(nameof(Normalize), $"inputs {image} and {table} are no 8-bit RGB image and [3, 256] table.");
        return g.Record(new Normalize(image, table), DType.F32, image.Shape, image.Length);
    }
}
