using System.Runtime.InteropServices;

namespace Sa2VA.Core;

/// <summary>
/// Two linear layers with nothing between become one, where that is less work: W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂). The product of
/// the weights is computed in double precision when a backend packs it, so results differ in their last bits.
/// </summary>
internal static class FoldLinears
{
    public static Graph Apply(Graph graph)
    {
        var rewriter = new GraphRewriter(graph);
        HashSet<Op> folded = [];
        foreach (Op op in graph.Ops)
        {
            if (op is not Linear second || rewriter.SoleWriterOf(op.Inputs[0]) is not Linear { IsPlain: true } first
                || folded.Contains(first) || first.Inputs[0].Kind == TensorKind.State || !FoldedWeights.IsLess(first, second)) continue;
            rewriter.Replace(first);
            rewriter.Replace(second, FoldedWeights.Fold(first, second));
            folded.Add(second);
        }
        return rewriter.Build();
    }
}

/// <summary>The weight and bias that stand for those of two layers. Equal layers of one source give equal sources.</summary>
internal sealed class FoldedWeights : IWeightSource, IEquatable<FoldedWeights>
{
    private readonly Weight _first, _second;
    private readonly Weight? _firstBias, _secondBias;
    private readonly WeightInfo _weight, _bias;

    private FoldedWeights(Linear first, Linear second)
    {
        (_first, _firstBias, _second, _secondBias) = (first.Weight, first.Bias, second.Weight, second.Bias);
        string name = $"{second.Weight.Name} × {first.Weight.Name}";
        _weight = new WeightInfo(name, DType.F32, new Shape(second.OutFeatures, first.InFeatures));
        _bias = new WeightInfo($"{name}, bias", DType.F32, new Shape(second.OutFeatures));
    }

    /// <summary>True if one layer does no more than the two, and both are stored as they are.</summary>
    public static bool IsLess(Linear first, Linear second) =>
        new[] { first.Weight, second.Weight, first.Bias, second.Bias }.All(w => w is null || w.RowOrder is null && w.Parts.Count == 0)
        && first.Weight.Source == second.Weight.Source
        && (long)second.OutFeatures * first.InFeatures <= first.Weight.Shape.Count + second.Weight.Shape.Count;

    /// <summary>The layer that does what the two did.</summary>
    public static Linear Fold(Linear first, Linear second)
    {
        var source = new FoldedWeights(first, second);
        Weight weight = new(source, source._weight, source._weight.Shape, null);
        Weight? bias = first.Bias is null ? second.Bias : new Weight(source, source._bias, source._bias.Shape, null);
        return new Linear(first.Inputs[0], weight, bias, second.Activation, second.Scale, second.Residual)
        {
            Name = weight.Name,
            Output = second.Output,
        };
    }

    public bool TryDescribe(string name, out WeightInfo info)
    {
        info = name == _bias.Name ? _bias : _weight;
        return name == info.Name;
    }

    public WeightData Open(string name)
    {
        float[] second = _second.ReadValues();
        if (name == _weight.Name) return new MemoryWeightData(_weight, Product(second, _first.ReadValues(), _weight.Shape[1], null));
        return new MemoryWeightData(_bias, Product(second, _firstBias!.ReadValues(), 1, _secondBias?.ReadValues()));
    }

    public bool Equals(FoldedWeights? other) =>
        other is not null && other._first.Source == _first.Source && other._bias == _bias && other._weight == _weight
        && other._firstBias?.Name == _firstBias?.Name && other._secondBias?.Name == _secondBias?.Name;

    public override bool Equals(object? obj) => Equals(obj as FoldedWeights);

    public override int GetHashCode() => _weight.GetHashCode();

    /// <summary>second [n, m] · first [m, columns] + addend [n, columns].</summary>
    private static float[] Product(float[] second, float[] first, int columns, float[]? addend)
    {
        int inner = first.Length / columns, rows = second.Length / inner;
        var product = new float[(long)rows * columns];
        var sums = new double[columns];
        for (int r = 0; r < rows; r++)
        {
            Array.Clear(sums);
            for (int m = 0; m < inner; m++)
                for (int c = 0; c < columns; c++) sums[c] += (double)second[r * inner + m] * first[m * columns + c];
            for (int c = 0; c < columns; c++) product[r * columns + c] = (float)(sums[c] + (addend is null ? 0 : addend[r * columns + c]));
        }
        return product;
    }
}

/// <summary>Values that were computed, opened as a weight.</summary>
internal sealed unsafe class MemoryWeightData(WeightInfo info, float[] values) : WeightData(info)
{
    private GCHandle _pinned = GCHandle.Alloc(values, GCHandleType.Pinned);

    public override bool IsComputed => true;

    public override byte* Pointer => (byte*)_pinned.AddrOfPinnedObject();

    public override void Dispose()
    {
        if (_pinned.IsAllocated) _pinned.Free();
    }
}
