namespace Sa2VA.Core;

/// <summary>
/// The convolution that makes tokens of an 8-bit image becomes a linear layer on the rows of its patches, which are made of the image
/// directly: no normalised image is stored, and the product's operands lie in whole chunks. What is added to each token is added by the
/// layer. No sum changes.
/// </summary>
internal static class FusePatchRows
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        foreach (Op op in graph.Ops)
        {
            if (op is not Conv2d convolution || rewriter.SoleWriterOf(op.Inputs[0]) is not Normalize pixels || !Suits(pixels, convolution))
                continue;
            var weights = new PatchWeights(convolution.Weight);
            var rows = new PatchRows(pixels, convolution)
            {
                Name = pixels.Name,
                Output = new Tensor(pixels.Name, DType.F32, op.Output.Shape.WithLast(weights.Info.Shape[1]), TensorKind.Intermediate,
                    op.Output.Length) { KeepsFloat = pixels.Output.KeepsFloat },
            };
            Op last = op;
            Tensor? residual = null;
            if (rewriter.IsInner(op) && rewriter.ReadersOf(op) is [Combine { Function: Combination.Add } sum] && sum.Inputs[0] == op.Output
                && sum.Inputs[1].Shape == op.Output.Shape && sum.Inputs[1].Root != op.Output)
            {
                (last, residual) = (sum, sum.Inputs[1]);
                rewriter.Replace(op);
            }
            var weight = new Weight(weights, weights.Info, weights.Info.Shape, null);
            var layer = new Linear(rows.Output, weight, convolution.Bias, Activation.None, null, residual)
            {
                Name = weight.Name,
                Output = last.Output,
            };
            rewriter.Replace(pixels);
            rewriter.Replace(last, rows, layer);
        }
        return rewriter.Build();
    }

    /// <summary>
    /// Where patches overlap by half at most in each direction, so that rows are at most four times the image. Kernels count on lines of
    /// patches of eight numbers and more, and on places in an image that 32 bits hold.
    /// </summary>
    private static bool Suits(Normalize pixels, Conv2d convolution) =>
        convolution.Kernel >= 3 && convolution.Kernel <= 2 * convolution.Stride
        && pixels.Inputs[0] is { IsContiguous: true, Shape.Count: <= int.MaxValue }
        && convolution.Weight is { RowOrder: null, Parts.Count: 0 } && convolution.Inputs[0] == pixels.Output;
}

/// <summary>A convolution's filter [Co, Ci, k, k] as [Co, n]: rows in the order of patches, then zeros.</summary>
internal sealed class PatchWeights : IWeightSource, IEquatable<PatchWeights>
{
    private readonly Weight _filter;

    public PatchWeights(Weight filter)
    {
        _filter = filter;
        Shape s = filter.Shape;
        Info = new WeightInfo($"{filter.Name}, by patches", DType.F32, new Shape(s[0], PatchRows.WidthFor(s[1] * s[2] * s[3])));
    }

    public WeightInfo Info { get; }

    public bool TryDescribe(string name, out WeightInfo info)
    {
        info = Info;
        return name == Info.Name;
    }

    public WeightData Open(string name)
    {
        Shape s = _filter.Shape;
        int channels = s[1], area = s[2] * s[3], width = Info.Shape[1];
        float[] stored = _filter.ReadValues();
        var rows = new float[Info.Shape.Count];
        for (int o = 0; o < s[0]; o++)
            for (int c = 0; c < channels; c++)
                for (int t = 0; t < area; t++) rows[o * width + t * channels + c] = stored[(o * channels + c) * area + t];
        return new MemoryWeightData(Info, rows);
    }

    public bool Equals(PatchWeights? other) =>
        other is not null && other._filter.Source == _filter.Source && other._filter.Name == _filter.Name;

    public override bool Equals(object? obj) => Equals(obj as PatchWeights);

    public override int GetHashCode() => Info.GetHashCode();
}
