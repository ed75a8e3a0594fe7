namespace Sa2VA.Core;

/// <summary>y = f(x)·scale + shift, element by element.</summary>
public sealed class Map : Op
{
    internal Map(Tensor x, Activation function, float scale, float shift)
    {
        Inputs = [x];
        (Function, Scale, Shift) = (function, scale, shift);
    }

    /// <summary>f.</summary>
    public Activation Function { get; }

    /// <summary>Factor of the result.</summary>
    public float Scale { get; }

    /// <summary>Addend of the result.</summary>
    public float Shift { get; }
}

/// <summary>Recording of <see cref="Map"/>.</summary>
public static class MapExtensions
{
    /// <summary>Records f(x)·scale + shift.</summary>
    public static Tensor Map(this GraphBuilder g, Tensor x, Activation function, float scale = 1, float shift = 0)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(Map), $"input {x} is not F32.");
        return g.Record(new Map(x, function, scale, shift), DType.F32, x.Shape, x.Length);
    }
}
