namespace Sa2VA.Core;

/// <summary>Copies a tensor, perhaps a strided view, into storage of its own, converting between float types, or integers to F32.</summary>
public sealed class Copy : Op
{
    internal Copy(Tensor x) => Inputs = [x];
}

/// <summary>Recording of <see cref="Copy"/>.</summary>
public static class CopyExtensions
{
    /// <summary>Records a copy with the given element type (the same by default).</summary>
    public static Tensor Copy(this GraphBuilder g, Tensor x, DType? type = null)
    {
        DType to = type ?? x.Type;
        bool converts = to.IsFloat() && x.Type.IsFloat() || (x.Type, to) == (DType.I32, DType.F32);
        if (to != x.Type && !converts) throw g.Error(nameof(Copy), $"input {x} cannot become {to}.");
        return g.Record(new Copy(x), to, x.Shape, x.Length);
    }

    /// <summary>The tensor itself where it has the element type, else a copy that has.</summary>
    public static Tensor As(this GraphBuilder g, DType type, Tensor x) => x.Type == type ? x : g.Copy(x, type);
}
