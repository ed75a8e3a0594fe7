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
        List<Linear> open = [];
        foreach (Op op in graph.Ops)
        {
            // Results of one attention's projections live at the same time anyway; those of the next one's would live longer than need be.
            if (op is FlashAttention or DecodeAttention or WindowAttention)
            {
                Stack(rewriter, open);
                open.Clear();
            }
            else if (op is Linear linear && IsProjection(rewriter, linear)) open.Add(linear);
        }
        return rewriter.Build();
    }

    /// <summary>
    /// Whether a result may become columns: of its readers alone, never of a run's lengths, so that all plans of a network stack alike.
    /// </summary>
    private static bool IsProjection(GraphRewriter rewriter, Linear op) =>
        op.Residual is null && op.Scale is null && op.Inputs[0].Kind != TensorKind.State && rewriter.IsInner(op)
        && rewriter.ReadersOf(op).All(r => r is RotaryEmbedding or RmsNorm or WriteRows or FlashAttention or DecodeAttention
            && r.Inputs.Where(i => i.Root == op.Output).All(GraphRewriter.AreColumns));

    private static void Stack(GraphRewriter rewriter, List<Linear> projections)
    {
        foreach (IGrouping<object, Linear> group in projections.GroupBy(p => Alike(p)))
        {
            Linear[] all = [.. group];
            if (all.Length < 2 || Weight.Stack([.. all.Select(p => p.Weight)]) is not { } weight) continue;
            Weight? bias = all[0].Bias is null ? null : Weight.Stack([.. all.Select(p => p.Bias!)]);
            if (bias is null && all[0].Bias is not null) continue;
            Tensor x = all[0].Inputs[0];
            var stacked = new Linear(x, weight, bias, all[0].Activation, null, null) { Name = weight.Name };
            stacked.Output = new Tensor(weight.Name, DType.F32, x.Shape.WithLast(weight.Shape[0]), TensorKind.Intermediate, x.Length);
            int column = 0;
            foreach (Linear p in all)
            {
                rewriter.Move(p, stacked.Output.View(p.Name, p.Output.Shape, p.Output.Length, column, weight.Shape[0]));
                rewriter.Replace(p, p == all[0] ? stacked : null);
                column += p.OutFeatures;
            }
        }
    }

    private static object Alike(Linear p)
    {
        Tensor x = p.Inputs[0];
        return (x.Root, x.Offset, x.RowStride, x.Shape, x.Length, p.Activation, p.Bias is null);
    }
}
