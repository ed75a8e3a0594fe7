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
    /// A matrix packed for the GEMM, or in pairs for <paramref name="pairs"/>. Of fewer than 16 bits it lies as codes, but in pairs, which
    /// are BF16: what the codes stand for.
    /// </summary>
    public PackedWeights Packed(Weight weight, WeightLayout layout, DType type, int bits, PairBlocks? pairs) =>
        Take(new WeightKey(layout, weight, type, bits) { IsInPairs = pairs is not null }, () =>
            bits < 16 && pairs is null && Packed(weight, layout, type, null, bits, bits) is { } codes ? codes
                : Packed(weight, layout, type, pairs, bits, 16)!);

    /// <param name="weight">What is packed.</param>
    /// <param name="layout">In which order.</param>
    /// <param name="type">The weight's stored type, or BF16.</param>
    /// <param name="pairs">What multiplies pairs of inputs.</param>
    /// <param name="bits">What it is rounded to.</param>
    /// <param name="held">What it lies in: as many, or 16. In fewer it may not be possible, and null is returned.</param>
    private PackedWeights? Packed(Weight weight, WeightLayout layout, DType type, PairBlocks? pairs, int bits, int held)
    {
        var packed = new PackedWeights(account, weight, layout, type, pairs, held);
        if (account.CountsOnly) return packed;
        bool isWhole = false;
        try
        {
            int row = 0;
            foreach (Weight part in WeightValues.PartsOf(weight))
            {
                if (held < 16)
                {
                    using QuantizedRows rows = QuantizedRows.Open(part, held);
                    if (!WeightPacking.PackCodes(rows, part, layout, packed, row)) return null;
                }
                else
                {
                    using WeightData data = WeightValues.Open(part, bits);
                    WeightPacking.Pack(data, part, layout, packed, row);
                }
                row += part.Shape[0];
            }
            isWhole = true;
            return packed;
        }
        finally
        {
            if (!isWhole) packed.Dispose();
        }
    }

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
