namespace Sa2VA.Core;

/// <summary>A linear layer of which only the largest element is asked for stores no result: logits. No sum changes.</summary>
internal static class FuseArgMax
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        foreach (Op op in graph.Ops)
        {
            if (op is not ArgMax || rewriter.SoleWriterOf(op.Inputs[0]) is not Linear { IsPlain: true, Bias: null } linear
                || op.Inputs[0].Shape != linear.Output.Shape || linear.Inputs[0].Kind == TensorKind.State) continue;
            rewriter.Replace(linear);
            rewriter.Replace(op, new LinearArgMax(linear.Inputs[0], linear.Weight) { Name = linear.Name, Output = op.Output });
        }
        return rewriter.Build();
    }
}
