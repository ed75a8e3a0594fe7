using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>What a run of a graph has to read from memory, whatever the kernels: the numerator of GB/s.</summary>
internal static class GraphTraffic
{
    /// <summary>
    /// Bytes of distinct stored weights, of the embedding rows that are looked up, and of the cache rows that attention reads.
    /// </summary>
    public static long Bytes(Graph graph, ReadOnlySpan<int> scalars)
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
                if (seen.Add(w.Name)) sum += w.Info.Bytes;
            if (op is FlashAttention or DecodeAttention)
                for (int i = 1; i <= 2; i++)
                    if (op.Inputs[i].Kind == TensorKind.State)
                        sum += Rows(op.Inputs[i], scalars) * op.Inputs[i].Shape.Last * op.Inputs[i].Type.Size();
        }
        return sum;
    }

    private static long Rows(Tensor tensor, ReadOnlySpan<int> scalars) =>
        tensor.Length is null ? tensor.Shape.Rows : scalars[tensor.Length.Index] * tensor.RowsPerStep;
}
