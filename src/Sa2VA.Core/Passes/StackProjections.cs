namespace Sa2VA.Core;

/// <summary>
/// The projections that one attention makes of one input (queries, keys, values) become a single linear layer with the weights' rows under
/// each other; the results are columns of its result. No sum changes.
/// </summary>
internal static class StackProjections
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        List<Linear> projections = [];
        foreach (Op op in graph.Ops)
        {
            // Results of one attention's projections live at the same time anyway; those of the next one's would live longer than need be.
            if (op is FlashAttention or DecodeAttention or WindowAttention)
            {
                foreach (IGrouping<object, Linear> alike in projections.GroupBy(What)) Stack(rewriter, [.. alike]);
                projections.Clear();
            }
            else if (op is Linear linear && IsProjection(rewriter, linear)) projections.Add(linear);
        }
        return rewriter.Build();
    }

    /// <summary>
    /// Whether a result may become columns: of its readers alone, never of a run's lengths, so that all plans of a network stack alike.
    /// </summary>
    private static bool IsProjection(GraphRewriter rewriter, Linear op) =>
        op.IsPlain && op.Inputs[0].Kind != TensorKind.State && rewriter.IsInner(op)
        && rewriter.ReadersOf(op).All(r => r is RotaryEmbedding or RmsNorm or WriteRows or FlashAttention or DecodeAttention
            && r.Inputs.Where(i => i.Root == op.Output).All(GraphRewriter.AreColumns));

    /// <summary>What projections have in common that can be one.</summary>
    private static object What(Linear p)
    {
        Tensor x = p.Inputs[0];
        return (x.Root, x.Offset, x.RowStride, x.Shape, x.Length, p.Bias is null);
    }

    private static void Stack(GraphRewriter rewriter, Linear[] parts)
    {
        (Linear first, Tensor x) = (parts[0], parts[0].Inputs[0]);
        if (parts.Length < 2 || Weight.Stack([.. parts.Select(p => p.Weight)]) is not { } weight) return;
        Weight? bias = first.Bias is null ? null : Weight.Stack([.. parts.Select(p => p.Bias!)]);
        if (bias is null != first.Bias is null) return;
        var stacked = new Linear(x, weight, bias, Activation.None, null, null)
        {
            Name = weight.Name,
            Output = new Tensor(weight.Name, DType.F32, x.Shape.WithLast(weight.Shape[0]), TensorKind.Intermediate, x.Length)
            {
                KeepsFloat = parts.Any(p => p.Output.KeepsFloat),
            },
        };
        int column = 0;
        foreach (Linear p in parts)
        {
            rewriter.Move(p, stacked.Output.View(p.Name, p.Output.Shape, p.Output.Length, column, weight.Shape[0]));
            rewriter.Replace(p, p == first ? [stacked] : []);
            column += p.OutFeatures;
        }
    }
}
