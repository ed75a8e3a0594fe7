using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>The weights and constants that one plan holds, in the layouts that its kernels want.</summary>
internal sealed unsafe class PlanWeights(WeightStore store, MemoryAccount account) : IDisposable
{
    // Complete when the plan is compiled; bindings then only look things up.
    private readonly Dictionary<WeightKey, object> _held = [];

    /// <summary>A small weight as F32.</summary>
    public float* Vector(Weight weight)
    {
        if (weight.RowOrder is not null && weight.Shape.Rank != 1)
            throw new DeviceException($"Weight {weight} is reordered; only vectors and packed matrices can be.");
        return Floats(new WeightKey(WeightLayout.Vector, weight), to =>
        {
            foreach (Weight part in PartsOf(weight))
            {
                using WeightData data = Open(part);
                Span<float> values = to[..(int)part.Shape.Count];
                for (int i = 0; i < values.Length; i++) values[i] = Element(data, part.RowOrder is null ? i : part.RowOrder[i]);
                to = to[values.Length..];
            }
        });
    }

    /// <summary>A depthwise filter [C, 1, k, k] as [k·k, C].</summary>
    public float* TapMajor(Weight weight) => Floats(new WeightKey(WeightLayout.TapMajor, weight), to =>
    {
        using WeightData data = Open(weight);
        int channels = weight.Shape[0], taps = weight.Shape[2] * weight.Shape[3];
        for (int c = 0; c < channels; c++)
            for (int t = 0; t < taps; t++) to[t * channels + c] = Element(data, (long)c * taps + t);
    });

    /// <summary>That many zeros.</summary>
    public float* Zeros(int count) => Floats(ComputedKey("zeros", null, new Shape(count)), to => to.Clear());

    /// <summary>A constant tensor's values.</summary>
    public float* Constant(Tensor root) => root.Data is { Weight: { } weight }
        ? Vector(weight)
        : Floats(ComputedKey(root.Data!.Key!, root.Data.Source, root.Shape), root.Data.Fill!);

    /// <summary>A matrix packed for the GEMM.</summary>
    public PackedWeights Packed(Weight weight, WeightLayout layout, DType type) => Take(new WeightKey(layout, weight, type), () =>
    {
        var packed = new PackedWeights(account, weight, layout, type);
        if (account.CountsOnly) return packed;
        try
        {
            int row = 0;
            foreach (Weight part in PartsOf(weight))
            {
                using WeightData data = Open(part);
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

    private static IReadOnlyList<Weight> PartsOf(Weight weight) => weight.Parts.Count > 0 ? weight.Parts : [weight];

    /// <summary>A weight that is about to be read as a whole, so that looking for NaN and infinity in it costs little.</summary>
    private static WeightData Open(Weight weight)
    {
        WeightData data = weight.Source.Open(weight.Name);
        try
        {
            if (!data.IsComputed) Finite.Check(data);
            return data;
        }
        catch
        {
            data.Dispose();
            throw;
        }
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

    /// <summary>Element <paramref name="i"/> of stored data, widened.</summary>
    private static float Element(WeightData data, long i) => data.Info.Type switch
    {
        DType.F32 => ((float*)data.Pointer)[i],
        DType.BF16 => new BFloat16(((ushort*)data.Pointer)[i]).ToSingle(),
        DType.F16 => (float)((Half*)data.Pointer)[i],
        _ => throw new DeviceException($"Weight '{data.Info.Name}' is stored as {data.Info.Type}, which no kernel reads."),
    };
}
