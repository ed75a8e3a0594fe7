namespace Sa2VA.Core;

/// <summary>Largest of each 2×2 block; an odd last row or column is dropped.</summary>
public sealed class MaxPool2d : Op
{
    internal MaxPool2d(Tensor x) => Inputs = [x];
}

/// <summary>Recording of <see cref="MaxPool2d"/>.</summary>
public static class MaxPool2dExtensions
{
    /// <summary>Records a 2×2 max-pool of x [H, W, C].</summary>
    public static Tensor MaxPool2d(this GraphBuilder g, Tensor x)
    {
        Conv2dExtensions.CheckMap(g, nameof(MaxPool2d), x);
        if (x.Shape[0] < 2 || x.Shape[1] < 2) throw g.Error(nameof(MaxPool2d), $"input {x} is smaller than 2×2.");
        return g.Record(new MaxPool2d(x), DType.F32, new Shape(x.Shape[0] / 2, x.Shape[1] / 2, x.Shape.Last), null);
    }
}
