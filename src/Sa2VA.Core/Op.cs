namespace Sa2VA.Core;

/// <summary>One recorded operation: typed attributes in the derived class, tensors here.</summary>
public abstract class Op
{
    /// <summary>Name for messages: the weight's name where there is one, else type and position.</summary>
    public string Name { get; internal set; } = "";

    /// <summary>Tensors read, in the op's own order.</summary>
    public IReadOnlyList<Tensor> Inputs { get; private protected set; } = [];

    /// <summary>The tensor written. For ops that write a state in place it is that state.</summary>
    public Tensor Output { get; internal set; } = null!;

    /// <summary>Tensors written besides <see cref="Output"/>, in the op's own order: what only ops have that passes record.</summary>
    public IReadOnlyList<Tensor> Besides { get; internal init; } = [];

    /// <summary>All tensors written.</summary>
    public IEnumerable<Tensor> Outputs => Besides.Prepend(Output);

    /// <summary>Stored weights read.</summary>
    public virtual IEnumerable<Weight> Weights => [];

    /// <summary>Floating-point operations of one run (a multiply-add counts 2), data movement and element-wise maps not counted.</summary>
    /// <param name="scalars">Values of the graph's run-time scalars, by index.</param>
    public virtual long Flops(ReadOnlySpan<int> scalars) => 0;

    /// <summary>The same operation on other tensors of the same shapes: how a pass tells it where its operands have gone.</summary>
    internal Op On(IReadOnlyList<Tensor> inputs)
    {
        var op = (Op)MemberwiseClone();
        op.Inputs = inputs;
        op.Moved();
        return op;
    }

    /// <summary>Told when <see cref="Inputs"/> are others.</summary>
    private protected virtual void Moved() { }

    /// <summary>True if <see cref="CheckRun"/> has something to check.</summary>
    internal virtual bool ChecksRuns => false;

    /// <summary>Called before a run is enqueued.</summary>
    /// <param name="numbers">The run's block: scalars by index, then the lists.</param>
    /// <exception cref="GraphException">With these numbers the op would read or write where it must not.</exception>
    internal virtual void CheckRun(ReadOnlySpan<int> numbers) { }

    /// <summary>Rows of the flattened [rows, last] form in a run with these scalars.</summary>
    protected static long RowCount(Tensor tensor, ReadOnlySpan<int> scalars) =>
        tensor.Length is null ? tensor.Shape.Rows : scalars[tensor.Length.Index] * tensor.RowsPerStep;
}
