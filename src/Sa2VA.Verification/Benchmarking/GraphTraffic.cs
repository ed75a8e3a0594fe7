using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>What a run of a graph has to read from memory, whatever the kernels: the numerator of GB/s.</summary>
internal static class GraphTraffic
{
    /// <summary>
    /// Bytes of distinct stored weights, of the embedding rows that are looked up, and of the cache rows that attention reads.
    /// </summary>
    /// <param name="graph">What runs.</param>
    /// <param name="scalars">Values of its run-time scalars.</param>
    /// <param name="precision">How many bits weights lie in where they may have fewer than 16.</param>
    public static long Bytes(Graph graph, ReadOnlySpan<int> scalars, Precision precision)
    {
        HashSet<string> seen = [];
        long sum = 0;
        foreach (Op op in graph.Ops)
        {
            if (op is Embedding e)
            {
                sum += Rows(e.Output, scalars) * e.Table.Shape.Last * e.Table.Info.Type.Size();
                continue;
            }
            foreach (Weight w in op.Weights)
                if (seen.Add(w.Name)) sum += Bytes(w, precision);
            if (op is FlashAttention or DecodeAttention)
                for (int i = 1; i <= 2; i++)
                    if (op.Inputs[i].Kind == TensorKind.State)
                        sum += Bytes(op.Inputs[i], scalars);
        }
        return sum;
    }

    /// <summary>Bytes that an op has to read and write at least: operands, weights and result once, of tables what is looked up.</summary>
    public static long Moved(Op op, ReadOnlySpan<int> scalars, Precision precision)
    {
        // What is written into a state is as much as is read for it.
        long result = Bytes(op.Inputs.Any(i => i.Root == op.Output.Root) ? op.Inputs[0] : op.Output, scalars), sum = result;
        if (op is Embedding or Gather) return 2 * result;
        if (op is RotaryAppend append) sum += Bytes(append.K, scalars) + Bytes(append.V, scalars);
        else foreach (Tensor more in op.Besides) sum += Bytes(more, scalars);
        foreach (Tensor input in op.Inputs)
            if (op.Outputs.All(o => o.Root != input.Root)) sum += Bytes(input, scalars);
        foreach (Weight w in op.Weights) sum += Bytes(w, precision);
        return sum;
    }

    /// <summary>An op's operands, its matrices and its result, as <c>512×896, w 4864×896 → 512×4864</c>.</summary>
    public static string Shapes(Op op, ReadOnlySpan<int> scalars)
    {
        List<string> read = [];
        foreach (Tensor input in op.Inputs)
            if (input.Kind != TensorKind.List) read.Add(Shape(input, scalars));
        foreach (Weight w in op.Weights)
            if (w.Shape.Rank > 1) read.Add($"w {string.Join('×', w.Shape.ToArray())}");
        return $"{string.Join(", ", read)} → {Shape(op.Output, scalars)}";
    }

    private static string Shape(Tensor tensor, ReadOnlySpan<int> scalars)
    {
        int[] extents = tensor.Shape.ToArray();
        if (tensor.Length is { } length) extents[0] = scalars[length.Index];
        return string.Join('×', extents);
    }

    /// <summary>A stored weight, or its codes with a scale of 16 bits for each group.</summary>
    private static long Bytes(Weight weight, Precision precision)
    {
        int bits = GroupQuantization.BitsOf(precision, weight);
        if (bits == 16 || weight.Info.Shape.Rank < 2) return weight.Info.Bytes;
        long rows = weight.Info.Shape[0], depth = weight.Info.Shape.Count / rows;
        return rows * (depth * bits / 8 + GroupQuantization.Groups((int)depth) * sizeof(ushort));
    }

    private static long Bytes(Tensor tensor, ReadOnlySpan<int> scalars)
    {
        long steps = tensor.Length is { } length ? scalars[length.Index] : tensor.Shape[0];
        return tensor.Shape.Count / tensor.Shape[0] * steps * tensor.Type.Size();
    }

    private static long Rows(Tensor tensor, ReadOnlySpan<int> scalars) =>
        tensor.Length is null ? tensor.Shape.Rows : scalars[tensor.Length.Index] * tensor.RowsPerStep;
}
