namespace Sa2VA.Core;

/// <summary>Four neighbouring patches side by side in the channels: [n, n, C] → [n²/4, 4C] (docs/model/vision.md#pixel-shuffle).</summary>
public sealed class PixelShuffle : Op
{
    internal PixelShuffle(Tensor x, bool transposed)
    {
        Inputs = [x];
        Transposed = transposed;
    }

    /// <summary>True for version v1: token 16·j + i instead of 16·i + j.</summary>
    public bool Transposed { get; }
}

/// <summary>Recording of <see cref="PixelShuffle"/>.</summary>
public static class PixelShuffleExtensions
{
    /// <summary>Records the pixel shuffle of x [h, w, C], both even.</summary>
    public static Tensor PixelShuffle(this GraphBuilder g, Tensor x, bool transposed)
    {
        if (x.Type != DType.F32 || x.Shape.Rank != 3 || !x.IsContiguous || x.Shape[0] % 2 != 0 || x.Shape[1] % 2 != 0)
            throw g.Error(nameof(PixelShuffle), $"input {x} is no map of even height and width.");
        return g.Record(new PixelShuffle(x, transposed), DType.F32, new Shape(x.Shape[0] * x.Shape[1] / 4, 4 * x.Shape.Last), null);
    }
}
