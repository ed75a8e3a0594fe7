namespace Sa2VA.Core;

/// <summary>One recorded operation: typed attributes in the derived class, tensors here.</summary>
public abstract class Op
{
    /// <summary>Name for messages: the weight's name where there is one, else type and position.</summary>
    public string Name { get; internal set; } = "";

    /// <summary>Tensors read, in the op's own order.</summary>
    public IReadOnlyList<Tensor> Inputs { get; protected init; } = [];

    /// <summary>The tensor written. For ops that write a state in place it is that state.</summary>
    public Tensor Output { get; internal set; } = null!;

    /// <summary>Stored weights read.</summary>
    public virtual IEnumerable<Weight> Weights => [];

    /// <summary>Floating-point operations of one run (a multiply-add counts 2), data movement and element-wise maps not counted.</summary>
    /// <param name="scalars">Values of the graph's run-time scalars, by index.</param>
    public virtual long Flops(ReadOnlySpan<int> scalars) => 0;

    /// <summary>Rows of the flattened [rows, last] form in a run with these scalars.</summary>
    protected static long RowCount(Tensor tensor, ReadOnlySpan<int> scalars) =>
        tensor.Length is null ? tensor.Shape.Rows : scalars[tensor.Length.Index] * tensor.RowsPerStep;
}

/// <summary>Functions that an op can apply to its result before storing it.</summary>
public enum Activation
{
    /// <summary>The identity.</summary>
    None,
    /// <summary>max(x, 0).</summary>
    Relu,
    /// <summary>x·Φ(x) with the error function, as all of Sa2VA uses it.</summary>
    Gelu,
    /// <summary>The tanh approximation of GELU.</summary>
    GeluTanh,
    /// <summary>x·sigmoid(x).</summary>
    Silu,
    /// <summary>1/(1+e^−x).</summary>
    Sigmoid,
}
