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

/// <summary>What <see cref="Combine"/> does with two elements.</summary>
public enum Combination
{
    /// <summary>a + b.</summary>
    Add,
    /// <summary>a · b.</summary>
    Multiply,
    /// <summary>silu(a) · b: SwiGLU's gate and up halves.</summary>
    SwiGlu,
}

/// <summary>
/// Two tensors element by element. b has a's last axis and either a's rows or fewer, which then repeat: row r of a meets row r mod (rows of
/// b). A vector [C] is one row.
/// </summary>
public sealed class Combine : Op
{
    internal Combine(Tensor a, Tensor b, Combination function)
    {
        Inputs = [a, b];
        Function = function;
    }

    /// <summary>The operator.</summary>
    public Combination Function { get; }
}

/// <summary>Two alternatives by the sign of one number: condition &gt; 0 ? a : b.</summary>
public sealed class Where : Op
{
    internal Where(Tensor condition, Tensor a, Tensor b) => Inputs = [condition, a, b];
}

/// <summary>Copies a tensor, perhaps a strided view, into storage of its own, converting between float types.</summary>
public sealed class Copy : Op
{
    internal Copy(Tensor x) => Inputs = [x];
}

/// <summary>An 8-bit image to floats by a table per channel: [H, W, 3] U8 → [H, W, 3] F32.</summary>
public sealed class Normalize : Op
{
    internal Normalize(Tensor image, Tensor table) => Inputs = [image, table];
}

/// <summary>Recording of the element-wise ops.</summary>
public static class ElementwiseExtensions
{
    /// <summary>Records f(x)·scale + shift.</summary>
    public static Tensor Map(this GraphBuilder g, Tensor x, Activation function, float scale = 1, float shift = 0)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(Map), $"input {x} is not F32.");
        return g.Record(new Map(x, function, scale, shift), DType.F32, x.Shape, x.Length);
    }

    /// <summary>Records a + b; b may have fewer rows, which repeat.</summary>
    public static Tensor Add(this GraphBuilder g, Tensor a, Tensor b) => g.Combine(a, b, Combination.Add);

    /// <summary>Records a · b; b may have fewer rows, which repeat.</summary>
    public static Tensor Multiply(this GraphBuilder g, Tensor a, Tensor b) => g.Combine(a, b, Combination.Multiply);

    /// <summary>Records silu(gate)·up.</summary>
    public static Tensor SwiGlu(this GraphBuilder g, Tensor gate, Tensor up) => g.Combine(gate, up, Combination.SwiGlu);

    /// <summary>Records condition &gt; 0 ? a : b; condition has one element.</summary>
    public static Tensor Where(this GraphBuilder g, Tensor condition, Tensor a, Tensor b)
    {
        if (condition.Shape.Count != 1 || condition.Type != DType.F32 || a.Type != DType.F32 || b.Type != DType.F32 || a.Shape.Count != b.Shape.Count || !a.IsContiguous || !b.IsContiguous)
            throw g.Error(nameof(Where), $"inputs {condition}, {a} and {b} do not fit.");
        return g.Record(new Where(condition, a, b), DType.F32, a.Shape, null);
    }

    /// <summary>Records a copy with the given element type (the same by default).</summary>
    public static Tensor Copy(this GraphBuilder g, Tensor x, DType? type = null)
    {
        DType to = type ?? x.Type;
        if (to != x.Type && !(to.IsFloat() && x.Type.IsFloat())) throw g.Error(nameof(Copy), $"input {x} cannot become {to}.");
        return g.Record(new Copy(x), to, x.Shape, x.Length);
    }

    /// <summary>Records the table look-up; table is [3, 256] by channel and level.</summary>
    public static Tensor Normalize(this GraphBuilder g, Tensor image, Tensor table)
    {
        if (image.Type != DType.U8 || image.Shape.Last != 3 || table.Shape != new Shape(3, 256))
            throw g.Error(nameof(Normalize), $"inputs {image} and {table} are no 8-bit RGB image and [3, 256] table.");
        return g.Record(new Normalize(image, table), DType.F32, image.Shape, image.Length);
    }

    private static Tensor Combine(this GraphBuilder g, Tensor a, Tensor b, Combination function)
    {
        bool sameRows = a.Length == b.Length && a.Shape.Rows == b.Shape.Rows;
        bool repeated = b.Length is null && a.Shape.Rows % b.Shape.Rows == 0;
        if (a.Type != DType.F32 || b.Type != DType.F32 || a.Shape.Last != b.Shape.Last || !(sameRows || repeated))
            throw g.Error(function.ToString(), $"inputs {a} and {b} do not fit.");
        return g.Record(new Combine(a, b, function), DType.F32, a.Shape, a.Length);
    }
}
