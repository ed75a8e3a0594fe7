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

    /// <summary>Adds floats of which some follow from a choice that fell otherwise than the recorded one.</summary>
    /// <param name="name">Output.</param>
    /// <param name="values">Row-major.</param>
    /// <param name="comparable">False for the rows that cannot be compared.</param>
    /// <param name="dims">Extents; the first is that of the rows.</param>
    public StageOutputs Add(string name, float[] values, bool[] comparable, params int[] dims)
    {
        int each = values.Length / Math.Max(1, comparable.Length);
        return Add(new Item(name, null, dims, values, null)
        {
            Comparable = Array.TrueForAll(comparable, c => c) ? null : [.. values.Select((_, i) => comparable[i / each])],
        });
    }

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
    /// <param name="precision">The backend's.</param>
    /// <param name="errors">What the reference implementation's bf16 differs by; asked in bf16 only.</param>
    public IReadOnlyList<TensorCheck> Compare(GoldenFile golden, Precision precision, RecordedErrors errors)
    {
        var checks = new List<TensorCheck>(_checks);
        ChoiceTies ties = precision == Precision.Float32 ? ChoiceTies.None
            : ChoiceTies.Of(golden, _items.Find(i => i.Name == "selected_index")?.Integers,
                _items.Find(i => i.Name == "object_logit")?.Floats, Tolerance.For(golden, precision));
        foreach (string name in golden.OutputNames)
        {
            GoldenTensor expected = golden.Output(name);
            OutputSampling sampling = golden.Sampling(name);
            Tolerance tolerance = Tolerance.For(golden, name, precision, errors);
            bool any = false;
            foreach (Item item in _items.Where(i => i.Name == name))
            {
                any = true;
                checks.Add(Compare(item, expected, sampling, tolerance, ties.Comparable(golden, name, item.Dims) ?? item.Comparable));
                if (precision == Precision.Float32 || checks[^1].Problem is not null || item.Floats is null) continue;
                int end = name == "low" ? ties.FirstFrame : int.MaxValue;
                if (name is "low" or "masks" && golden.Stage.StartsWith("net.", StringComparison.Ordinal) && end > 0)
                    checks.Add(TensorCheck.Masks(checks[^1].Name, Masks(item, expected, sampling, end), errors.LowestIou(golden.Model)));
                if (name.EndsWith("logits", StringComparison.Ordinal) && golden.Stage.StartsWith("net.llm", StringComparison.Ordinal)
                    && item.Floats.Length == expected.Floats.Length)
                    checks.Add(TensorCheck.Choices(checks[^1].Name, item.Floats, expected.Floats, item.Dims[^1]));
            }
            if (!any) checks.Add(TensorCheck.Failed($"out.{name}", $"the engine's {golden.Stage} gives no such output"));
        }
        if (ties.Count > 0) checks.Add(TensorCheck.Tied("choices of a mask or a pointer", ties.Count));
        return checks;
    }

    private static TensorCheck Compare(Item item, GoldenTensor expected, OutputSampling sampling, Tolerance tolerance, bool[]? comparable)
    {
        string label = item.Variant is null ? $"out.{item.Name}" : $"out.{item.Name} ({item.Variant})";
        if (expected.IsFloat != item.Floats is not null)
            return TensorCheck.Failed(label, item.Floats is null ? "integers, expected floats" : "floats, expected integers");
        if (sampling.Mismatch(item.Dims, expected.Dims) is { } mismatch) return TensorCheck.Failed(label, mismatch);
        bool[]? stored = comparable is null ? null : sampling.Sample(comparable, item.Dims);
        return item.Floats is not null
            ? TensorCheck.Compare(
                label, Chosen(sampling.Sample(item.Floats, item.Dims), stored), Chosen(expected.Floats, stored), tolerance)
            : TensorCheck.Compare(
                label, Chosen(sampling.Sample(item.Integers!, item.Dims), stored), Chosen(expected.Integers, stored));
    }

    /// <summary>The elements that can be compared.</summary>
    private static T[] Chosen<T>(T[] values, bool[]? comparable) =>
        comparable is null ? values : [.. values.Where((_, i) => comparable[i])];

    /// <summary>Computed and recorded logits of each frame or candidate, as far as they are stored.</summary>
    private static IEnumerable<(float[] Computed, float[] Recorded)> Masks(
        Item item, GoldenTensor expected, OutputSampling sampling, int end)
    {
        int each = item.Floats!.Length / (item.Dims.Length == 2 ? 1 : item.Dims[0]);
        int[] frames = sampling.Sample([.. Enumerable.Range(0, item.Floats.Length).Select(i => i / each)], item.Dims);
        float[] computed = sampling.Sample(item.Floats, item.Dims);
        return frames.Select((frame, i) => (Frame: frame, Computed: computed[i], Recorded: expected.Floats[i]))
            .Where(e => e.Frame < end).GroupBy(e => e.Frame)
            .Select(f => (f.Select(e => e.Computed).ToArray(), f.Select(e => e.Recorded).ToArray()));
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

    private sealed record Item(string Name, string? Variant, int[] Dims, float[]? Floats, long[]? Integers)
    {
        public bool[]? Comparable { get; init; }
    }
}
