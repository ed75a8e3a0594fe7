using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>The weights and constants that one plan holds, in the layouts that its kernels want.</summary>
internal sealed unsafe class PlanWeights(WeightStore store, MemoryAccount account) : IDisposable
{
    // Complete when the plan is compiled; bindings then only look things up.
    private readonly Dictionary<WeightKey, object> _held = [];

    /// <summary>A small weight as F32.</summary>
    public float* Vector(Weight weight) => Floats(new WeightKey(WeightLayout.Vector, weight), to => WeightValues.Vector(weight, to));

    /// <summary>A depthwise filter [C, 1, k, k] as [k·k, C].</summary>
    public float* TapMajor(Weight weight) =>
        Floats(new WeightKey(WeightLayout.TapMajor, weight), to => WeightValues.TapMajor(weight, to));

    /// <summary>That many zeros.</summary>
    public float* Zeros(int count) => Floats(ComputedKey("zeros", null, new Shape(count)), to => to.Clear());

    /// <summary>A constant tensor's values.</summary>
    public float* Constant(Tensor root) => root.Data is { Weight: { } weight }
        ? Vector(weight)
        : Floats(ComputedKey(root.Data!.Key!, root.Data.Source, root.Shape), root.Data.Fill!);

    /// <summary>
    /// A matrix packed for the GEMM, or in pairs for <paramref name="pairs"/>; rounded to few bits if asked for, but 16 are stored.
    /// </summary>
    public PackedWeights Packed(Weight weight, WeightLayout layout, DType type, int bits, PairBlocks? pairs) =>
        Take(new WeightKey(layout, weight, type, bits) { IsInPairs = pairs is not null }, () =>
    {
        var packed = new PackedWeights(account, weight, layout, type, pairs);
        if (account.CountsOnly) return packed;
        try
        {
            int row = 0;
            foreach (Weight part in WeightValues.PartsOf(weight))
            {
                using WeightData data = WeightValues.Open(part, bits);
                WeightPacking.Pack(data, part, layout, packed, row);
                row += part.Shape[0];
            }
            return packed;
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    });

    /// <summary>A weight kept as stored, for look-ups by row.</summary>
    public WeightData Stored(Weight weight) => Take(new WeightKey(WeightLayout.Stored, weight), () => weight.Source.Open(weight.Name));

    public void Dispose()
    {
        foreach (WeightKey key in _held.Keys) store.Release(key);
        _held.Clear();
    }

    private static WeightKey ComputedKey(string name, IWeightSource? source, Shape shape) =>
        new(WeightLayout.Computed, source, name, shape, default);

    private float* Floats(WeightKey key, ConstantFill fill) => Take(key, () =>
    {
        long bytes = key.Shape.Count * sizeof(float);
        if (key.Shape.Count > Array.MaxLength)
            throw new DeviceException($"'{key.Name}' {key.Shape} is too large for a vector or a constant.");
        var memory = new AlignedMemory(account, MemoryPurpose.Weights, bytes, $"'{key.Name}'");
        if (account.CountsOnly) return memory;
        try
        {
            fill(new Span<float>(memory.Floats, (int)key.Shape.Count));
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }).Floats;

    private T Take<T>(WeightKey key, Func<T> make) where T : class, IDisposable
    {
        if (_held.TryGetValue(key, out object? held)) return (T)held;
        T content = store.Take(key, make);
        _held.Add(key, content);
        return content;
    }
}
