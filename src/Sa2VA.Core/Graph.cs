namespace Sa2VA.Core;

/// <summary>A recorded network: ops in execution order, with its inputs, states, outputs and run-time scalars.</summary>
public sealed class Graph
{
    internal Graph(string name, IReadOnlyList<Op> ops, IReadOnlyList<Tensor> inputs, IReadOnlyList<Tensor> outputs,
        IReadOnlyList<RuntimeScalar> scalars)
    {
        (Name, Ops, Inputs, Outputs, Scalars) = (name, ops, inputs, outputs, scalars);
        ScalarChecks = [.. ops.Where(op => op.ChecksScalars)];
    }

    /// <summary>Name for messages.</summary>
    public string Name { get; }

    /// <summary>Ops in the order they run.</summary>
    public IReadOnlyList<Op> Ops { get; }

    /// <summary>Inputs and states that every run must bind.</summary>
    public IReadOnlyList<Tensor> Inputs { get; }

    /// <summary>Tensors that every run writes into bound buffers.</summary>
    public IReadOnlyList<Tensor> Outputs { get; }

    /// <summary>Lengths that every run must set.</summary>
    public IReadOnlyList<RuntimeScalar> Scalars { get; }

    /// <summary>Ops that a run's scalars are checked against.</summary>
    internal Op[] ScalarChecks { get; }

    /// <summary>Floating-point operations of one run with these scalar values.</summary>
    public long Flops(ReadOnlySpan<int> scalars)
    {
        long sum = 0;
        foreach (Op op in Ops) sum += op.Flops(scalars);
        return sum;
    }

    /// <summary>Bytes of all distinct stored weights that the ops read.</summary>
    public long WeightBytes
    {
        get
        {
            HashSet<string> seen = [];
            long sum = 0;
            foreach (Op op in Ops)
                foreach (Weight w in op.Weights)
                    if (seen.Add(w.Name)) sum += w.Info.Bytes;
            return sum;
        }
    }
}
