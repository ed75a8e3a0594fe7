namespace Sa2VA.Core;

/// <summary>Resampling rules of <see cref="Resize"/>; align_corners is off in all.</summary>
public enum ResizeMode
{
    /// <summary>Nearest source sample, source index ⌊i·in/out⌋.</summary>
    Nearest,
    /// <summary>Two taps per axis, clamped source coordinate, no antialias (docs/model/tracking.md#bilinear-rule).</summary>
    Bilinear,
    /// <summary>Triangle filter of radius max(scale, 1), normalised, horizontal pass first.</summary>
    BilinearAntialias,
    /// <summary>Four taps per axis, A = −0.75, no antialias (docs/model/image-encoder.md#position-embedding).</summary>
    Bicubic,
}

/// <summary>Resamples channels-last maps.</summary>
public sealed class Resize : Op
{
    internal Resize(Tensor x, ResizeMode mode)
    {
        Inputs = [x];
        Mode = mode;
    }

    /// <summary>Rule.</summary>
    public ResizeMode Mode { get; }
}

/// <summary>Recording of <see cref="Resize"/>.</summary>
public static class ResizeExtensions
{
    /// <summary>Records resampling of x [H, W, C] to [height, width, C], or of several maps [B, H, W, C].</summary>
    public static Tensor Resize(this GraphBuilder g, Tensor x, int height, int width, ResizeMode mode)
    {
        Conv2dExtensions.CheckMaps(g, nameof(Resize), x);
        if (height < 1 || width < 1) throw g.Error(nameof(Resize), $"input {x} cannot be resized to {height}×{width}.");
        return g.Record(new Resize(x, mode), DType.F32, Conv2dExtensions.MapsLike(x, height, width, x.Shape.Last), x.Length);
    }
}
