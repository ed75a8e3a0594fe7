namespace Sa2VA.Core;

/// <summary>A recorded network: ops in execution order, with its inputs, states, outputs and run-time scalars.</summary>
public sealed class Graph
{
    internal Graph(string name, IReadOnlyList<Op> ops, IReadOnlyList<Tensor> inputs, IReadOnlyList<Tensor> outputs, GraphNumbers numbers)
    {
        (Name, Ops, Inputs, Outputs, Numbers) = (name, ops, inputs, outputs, numbers);
        RunChecks = [.. ops.Where(op => op.ChecksRuns)];
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
    public IReadOnlyList<RuntimeScalar> Scalars => Numbers.Scalars;

    /// <summary>Lists that every run must set.</summary>
    public IReadOnlyList<Tensor> Lists => Numbers.Lists;

    /// <summary>Scalars and lists.</summary>
    internal GraphNumbers Numbers { get; }

    /// <summary>Ops that a run's numbers are checked against.</summary>
    internal Op[] RunChecks { get; }

    /// <summary>Floating-point operations of one run with these scalar values.</summary>
    public long Flops(ReadOnlySpan<int> scalars)
    {
        long sum = 0;
        for (int i = 0; i < Ops.Count; i++) sum += Ops[i].Flops(scalars);
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

/// <summary>The integers that travel with a run in one block: scalars by index, then the lists.</summary>
internal sealed class GraphNumbers
{
    public GraphNumbers(IReadOnlyList<RuntimeScalar> scalars, IReadOnlyList<Tensor> lists)
    {
        (Scalars, Lists, Count) = (scalars, lists, scalars.Count);
        foreach (Tensor list in lists)
        {
            list.BlockOffset = Count;
            Count = checked(Count + (int)list.Shape.Count);
        }
    }

    public IReadOnlyList<RuntimeScalar> Scalars { get; }

    public IReadOnlyList<Tensor> Lists { get; }

    /// <summary>Integers of the block.</summary>
    public int Count { get; }
}
