namespace Sa2VA.Core;

/// <summary>
/// Rotations of queries and keys that are followed by the writes of keys and values become one op: four launches that take a moment each
/// become one, and the rotated keys are not stored twice. No bit changes.
/// </summary>
internal static class FuseRotaryAppend
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        for (int i = 0; i + 3 < graph.Ops.Count; i++)
        {
            // One right behind the other, so that nobody reads between what would be written at once.
            if (graph.Ops[i] is not RotaryEmbedding { Positions: not null } q || graph.Ops[i + 1] is not RotaryEmbedding k
                || graph.Ops[i + 2] is not WriteRows keys || graph.Ops[i + 3] is not WriteRows values
                || !k.RotatesAs(q) || !WriteAlike(keys, values) || rewriter.SoleWriterOf(keys.Inputs[0]) != k
                || keys.Inputs[0].Shape != k.Output.Shape) continue;
            var append = new RotaryAppend(q, k, keys, values);
            // What is written is not read by it.
            Tensor[] read = [append.Q, append.K, append.V];
            if (read.Any(t => t.Kind == TensorKind.State || t.Root == q.Output.Root)) continue;
            rewriter.Replace(q, append);
            foreach (Op op in (Op[])[k, keys, values]) rewriter.Replace(op);
            i += 3;
        }
        return rewriter.Build();
    }

    private static bool WriteAlike(WriteRows keys, WriteRows values) => keys.Rows.Covers(values.Rows)
        && keys.Output.Root != values.Output.Root && keys.Output.Shape.Rows == values.Output.Shape.Rows
        && keys.Output.Type.IsFloat() && values.Output.Type.IsFloat();
}
