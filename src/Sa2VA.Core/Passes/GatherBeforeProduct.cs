namespace Sa2VA.Core;

/// <summary>
/// Rows chosen from a product are chosen from its left factor instead, so that only they are multiplied: one mask instead of four. No sum
/// changes.
/// </summary>
internal static class GatherBeforeProduct
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        foreach (Op op in graph.Ops)
        {
            // A choice is never negative: the row of zeros that a gather gives then need not be the product of zeros.
            if (op is not Gather gather || rewriter.SoleWriterOf(gather.Inputs[0]) is not MatMul product
                || rewriter.WriterOf(gather.Inputs[1]) is not MaskSelect || gather.Inputs[0].Shape != product.Output.Shape
                || product.Inputs.Any(i => i.Kind == TensorKind.State)) continue;
            Tensor left = product.Inputs[0], index = gather.Inputs[1];
            var chosen = new Gather(left, index)
            {
                Name = gather.Name,
                Output = new Tensor(gather.Name, DType.F32, left.Shape.Rank == 3
                    ? new Shape(left.Shape[0], 1, left.Shape.Last)
                    : new Shape(index.Shape[0], left.Shape.Last), TensorKind.Intermediate, index.Length)
                {
                    KeepsFloat = left.Root.KeepsFloat,
                },
            };
            rewriter.Replace(product);
            rewriter.Replace(gather, chosen, new MatMul(chosen.Output, product.Inputs[1]) { Name = product.Name, Output = gather.Output });
        }
        return rewriter.Build();
    }
}
