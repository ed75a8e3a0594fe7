namespace Sa2VA.Core;

/// <summary>
/// A projection rotates its heads itself: what would be stored, read, rotated and stored again is rotated while it is in registers. Where
/// the rotation stores to states (<see cref="RotaryAppend"/>), so does the product. No sum changes; what was rounded between the two is no
/// longer.
/// </summary>
internal static class FuseLinearRotary
{
    /// <param name="graph">With its types as they are stored.</param>
    /// <param name="suits">True for what the backend has a kernel for.</param>
    public static Graph Apply(Graph graph, Func<LinearRotary, bool> suits)
    {
        var rewriter = new GraphRewriter(graph);
        foreach (Op op in graph.Ops)
        {
            if (op is not Linear { IsPlain: true } layer || !rewriter.IsInner(layer)
                || rewriter.WriterOf(layer.Inputs[0]) is null) continue;
            IReadOnlyList<Op> readers = rewriter.ReadersOf(layer);
            if (readers is [RotaryAppend append] && IsMadeOf(append, layer.Output))
            {
                var fused = new LinearRotary(layer, append);
                if (!suits(fused)) continue;
                rewriter.Replace(layer);
                rewriter.Replace(append, fused);
            }
            else Rotate(rewriter, layer, suits);
        }
        return rewriter.Build();
    }

    private static void Rotate(GraphRewriter rewriter, Linear layer, Func<LinearRotary, bool> suits)
    {
        IReadOnlyList<Op> readers = rewriter.ReadersOf(layer);
        RotaryEmbedding[] rotations = [.. readers.OfType<RotaryEmbedding>().OrderBy(r => r.Inputs[0].Offset)];
        int columns = 0;
        foreach (RotaryEmbedding rotation in rotations)
        {
            if (!IsColumns(rotation.Inputs[0], layer.Output, columns) || !rotation.RotatesAs(rotations[0]) || !rewriter.IsInner(rotation)
                || rotation.Output.Type != layer.Output.Type || rotation.Positions is { Kind: TensorKind.Intermediate }
                || !ReadColumns(rewriter.ReadersOf(rotation), rotation.Output, 0)) return;
            columns += rotation.Inputs[0].Shape.Last;
        }
        if (columns == 0 || !ReadColumns(readers.Where(r => r is not RotaryEmbedding), layer.Output, columns)) return;
        var fused = new LinearRotary(layer, rotations[0], columns);
        if (!suits(fused)) return;
        rewriter.Replace(layer, fused);
        foreach (RotaryEmbedding rotation in rotations)
        {
            Tensor x = rotation.Inputs[0];
            rewriter.Move(rotation, layer.Output.View(rotation.Output.Name, rotation.Output.Shape, x.Length, x.Offset, x.RowStride));
            rewriter.Replace(rotation);
        }
    }

    /// <summary>True if queries, keys and values are all columns of a tensor, in this order.</summary>
    private static bool IsMadeOf(RotaryAppend append, Tensor all) =>
        IsColumns(append.Q, all, 0) && IsColumns(append.K, all, append.Q.Shape.Last)
        && IsColumns(append.V, all, append.Q.Shape.Last + append.K.Shape.Last)
        && append.Q.Shape.Last + append.K.Shape.Last + append.V.Shape.Last == all.Shape.Last;

    /// <summary>True for columns of all rows of a tensor, from one on.</summary>
    private static bool IsColumns(Tensor view, Tensor all, int first) => view.Root == all && GraphRewriter.AreColumns(view)
        && view.Offset == first && view.Shape.Rows == all.Shape.Rows && view.Length == all.Length;

    /// <summary>True if all who read a tensor read columns of it from one on.</summary>
    private static bool ReadColumns(IEnumerable<Op> readers, Tensor all, int first) => readers.SelectMany(r => r.Inputs)
        .Where(i => i.Root == all).All(i => GraphRewriter.AreColumns(i) && i.Offset % i.RowStride >= first);
}
