namespace Sa2VA.Core;

/// <summary>
/// A norm takes the sum before it along: one launch instead of two, and the norm reads no sum from memory. What else reads the sum finds it
/// beside the norm's result. No bit changes.
/// </summary>
internal static class FuseResidualNorm
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        HashSet<Op> taken = [];
        foreach (Op op in graph.Ops)
        {
            if (op is not (RmsNorm { Residual: null } or LayerNorm { Residual: null, Activation: Activation.None })
                || rewriter.WriterOf(op.Inputs[0]) is not Combine { Function: Combination.Add } add
                || !op.Inputs[0].Covers(add.Output) || !taken.Add(add)) continue;
            // Where the sum was, since others may read it before the norm is made.
            rewriter.Replace(add, op is RmsNorm rms ? rms.WithSum(add) : ((LayerNorm)op).WithSum(add));
            rewriter.Replace(op);
        }
        return rewriter.Build();
    }
}
