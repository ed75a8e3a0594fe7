namespace Sa2VA.Core;

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

/// <summary>Recording of <see cref="Combine"/>.</summary>
public static class CombineExtensions
{
    /// <summary>Records a + b; b may have fewer rows, which repeat.</summary>
    public static Tensor Add(this GraphBuilder g, Tensor a, Tensor b) => g.Combine(a, b, Combination.Add);

    /// <summary>Records a · b; b may have fewer rows, which repeat.</summary>
    public static Tensor Multiply(this GraphBuilder g, Tensor a, Tensor b) => g.Combine(a, b, Combination.Multiply);

    /// <summary>Records silu(gate)·up.</summary>
    public static Tensor SwiGlu(this GraphBuilder g, Tensor gate, Tensor up) => g.Combine(gate, up, Combination.SwiGlu);

    private static Tensor Combine(this GraphBuilder g, Tensor a, Tensor b, Combination function)
    {
        bool sameRows = a.Length == b.Length && a.Shape.Rows == b.Shape.Rows;
        bool repeated = b.Length is null && a.Shape.Rows % b.Shape.Rows == 0;
        if (a.Type != DType.F32 || b.Type != DType.F32 || a.Shape.Last != b.Shape.Last || !(sameRows || repeated))
            throw g.Error(function.ToString(), $"inputs {a} and {b} do not fit.");
        return g.Record(new Combine(a, b, function), DType.F32, a.Shape, a.Length);
    }
}
