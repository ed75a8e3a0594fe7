namespace Sa2VA.Core;

/// <summary>A gate and an up projection that only SwiGLU reads become one op with it: neither is stored. No sum changes.</summary>
internal static class FuseSwiGlu
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        foreach (Op op in graph.Ops)
        {
            if (op is not Combine { Function: Combination.SwiGlu }) continue;
            if (rewriter.SoleWriterOf(op.Inputs[0]) is not Linear gate || rewriter.SoleWriterOf(op.Inputs[1]) is not Linear up
                || gate == up || !gate.IsPlain || !up.IsPlain || gate.Bias is not null || up.Bias is not null
                || !gate.Inputs[0].Covers(up.Inputs[0]) || gate.Inputs[0].Kind == TensorKind.State || gate.OutFeatures != up.OutFeatures
                || Weight.Stack([gate.Weight, up.Weight]) is not { } weight) continue;
            rewriter.Replace(gate);
            rewriter.Replace(up);
            rewriter.Replace(op, new GatedLinear(gate.Inputs[0], weight) { Name = weight.Name, Output = op.Output });
        }
        return rewriter.Build();
    }
}
