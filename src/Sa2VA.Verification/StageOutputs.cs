using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>
/// What a stage computed, by output name. Several kernels may each give the same output; a variant's name tells them apart.
/// </summary>
internal sealed class StageOutputs
{
    private readonly List<Item> _items = [];
    private readonly List<TensorCheck> _checks = [];

    /// <summary>Adds floats, row-major.</summary>
    public StageOutputs Add(string name, float[] values, params int[] dims) => Add(new Item(name, null, dims, values, null));

    /// <summary>Adds integers, masks or bytes, row-major.</summary>
    public StageOutputs Add(string name, long[] values, params int[] dims) => Add(new Item(name, null, dims, null, values));

    /// <summary>Adds what another kernel gives for the same output.</summary>
    public StageOutputs AddVariant(string name, string variant, float[] values, params int[] dims) =>
        Add(new Item(name, variant, dims, values, null));

    /// <summary>Adds what another kernel gives for the same output.</summary>
    public StageOutputs AddVariant(string name, string variant, long[] values, params int[] dims) =>
        Add(new Item(name, variant, dims, null, values));

    /// <summary>Adds a comparison that is not with an output.</summary>
    public StageOutputs AddCheck(TensorCheck check)
    {
        _checks.Add(check);
        return this;
    }

    /// <summary>Compares all that the golden file expects.</summary>
    /// <param name="golden">The record.</param>
    /// <param name="precision">The type that the backend computes in.</param>
    public IReadOnlyList<TensorCheck> Compare(GoldenFile golden, Precision precision)
    {
        var checks = new List<TensorCheck>(_checks);
        Tolerance tolerance = Tolerance.For(golden, precision);
        foreach (string name in golden.OutputNames)
        {
            GoldenTensor expected = golden.Output(name);
            OutputSampling sampling = golden.Sampling(name);
            bool any = false;
            foreach (Item item in _items.Where(i => i.Name == name))
            {
                any = true;
                checks.Add(Compare(item, expected, sampling, tolerance));
            }
            if (!any) checks.Add(TensorCheck.Failed($"out.{name}", $"the engine's {golden.Stage} gives no such output"));
        }
        return checks;
    }

    private static TensorCheck Compare(Item item, GoldenTensor expected, OutputSampling sampling, Tolerance tolerance)
    {
        string label = item.Variant is null ? $"out.{item.Name}" : $"out.{item.Name} ({item.Variant})";
        if (expected.IsFloat != item.Floats is not null)
            return TensorCheck.Failed(label, item.Floats is null ? "integers, expected floats" : "floats, expected integers");
        if (sampling.Mismatch(item.Dims, expected.Dims) is { } mismatch) return TensorCheck.Failed(label, mismatch);
        return item.Floats is not null
            ? TensorCheck.Compare(label, sampling.Sample(item.Floats, item.Dims), expected.Floats, tolerance)
            : TensorCheck.Compare(label, sampling.Sample(item.Integers!, item.Dims), expected.Integers);
    }

    private StageOutputs Add(Item item)
    {
        long count = 1;
        foreach (int d in item.Dims) count *= d;
        long given = item.Floats?.LongLength ?? item.Integers!.LongLength;
        if (given != count) throw new GraphException($"Output '{item.Name}' [{string.Join(", ", item.Dims)}] got {given} values.");
        _items.Add(item);
        return this;
    }

    private sealed record Item(string Name, string? Variant, int[] Dims, float[]? Floats, long[]? Integers);
}
