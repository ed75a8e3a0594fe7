using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// Weights in the layouts that kernels want, made once per backend however many plans use them, and freed with the backend. Keyed by
/// source, name, rows and layout, so two checkpoints on one backend do not mix.
/// </summary>
internal sealed unsafe class WeightStore(CpuBackend backend) : IDisposable
{
    private readonly Dictionary<Key, AlignedMemory> _vectors = [];
    private readonly Dictionary<Key, PackedWeights> _packed = [];
    private readonly Dictionary<Key, WeightData> _stored = [];
    private readonly Dictionary<Tensor, AlignedMemory> _constants = [];
    private readonly Dictionary<int, AlignedMemory> _zeros = [];

    private readonly record struct Key(IWeightSource Source, string Name, WeightLayout Layout, RowOrder Order);

    /// <summary>Row orders are compared by content: every plan records its own array.</summary>
    private readonly struct RowOrder(int[]? rows) : IEquatable<RowOrder>
    {
        private readonly int[]? _rows = rows;

        public bool Equals(RowOrder other) =>
            _rows is null || other._rows is null ? _rows == other._rows : _rows.AsSpan().SequenceEqual(other._rows);

        public override bool Equals(object? obj) => obj is RowOrder other && Equals(other);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            foreach (int row in _rows ?? []) hash.Add(row);
            return hash.ToHashCode();
        }
    }

    /// <summary>Bytes of packed weights and constants; stored look-up tables stay mapped and are not counted.</summary>
    public long Bytes { get; private set; }

    public float* Vector(Weight weight)
    {
        if (weight.RowOrder is not null && weight.Shape.Rank != 1)
            throw new DeviceException($"Weight {weight} is reordered; only vectors and packed matrices can be.");
        Key key = KeyOf(weight, WeightLayout.RowMajor);
        if (!_vectors.TryGetValue(key, out AlignedMemory? memory))
        {
            using WeightData data = weight.Source.Open(weight.Name);
            memory = Account(weight.Shape.Count * 4);
            for (long i = 0; i < weight.Shape.Count; i++)
                memory.Floats[i] = Element(data, weight.RowOrder is null ? i : weight.RowOrder[i]);
            _vectors.Add(key, memory);
        }
        return memory.Floats;
    }

    public float* Zeros(int count)
    {
        if (!_zeros.TryGetValue(count, out AlignedMemory? memory))
        {
            memory = Account(count * 4L);
            new Span<float>(memory.Floats, count).Clear();
            _zeros.Add(count, memory);
        }
        return memory.Floats;
    }

    public float* TapMajor(Weight weight)
    {
        Key key = KeyOf(weight, WeightLayout.TapMajor);
        if (!_vectors.TryGetValue(key, out AlignedMemory? memory))
        {
            using WeightData data = weight.Source.Open(weight.Name);
            memory = Account(weight.Shape.Count * 4);
            int channels = weight.Shape[0], taps = weight.Shape[2] * weight.Shape[3];
            for (int c = 0; c < channels; c++)
                for (int t = 0; t < taps; t++) memory.Floats[t * channels + c] = Element(data, (long)c * taps + t);
            _vectors.Add(key, memory);
        }
        return memory.Floats;
    }

    public byte* Constant(Tensor root)
    {
        if (root.Data!.Weight is { } weight) return (byte*)Vector(weight);
        if (!_constants.TryGetValue(root, out AlignedMemory? memory))
        {
            float[] values = root.Data.Values!;
            memory = Account(values.LongLength * 4);
            for (long i = 0; i < values.LongLength; i++) memory.Floats[i] = values[i];
            _constants.Add(root, memory);
        }
        return memory.Pointer;
    }

    public PackedWeights Packed(Weight weight, WeightLayout layout)
    {
        Key key = KeyOf(weight, layout);
        if (!_packed.TryGetValue(key, out PackedWeights? packed))
        {
            backend.CheckBudget(PackedWeights.BytesOf(weight, layout), $"weight '{weight.Name}'");
            using WeightData data = weight.Source.Open(weight.Name);
            packed = WeightPacking.Pack(data, weight, layout);
            Bytes += packed.Bytes;
            _packed.Add(key, packed);
        }
        return packed;
    }

    public WeightData Stored(Weight weight)
    {
        Key key = KeyOf(weight, WeightLayout.RowMajor);
        if (!_stored.TryGetValue(key, out WeightData? data)) _stored.Add(key, data = weight.Source.Open(weight.Name));
        return data;
    }

    public void Dispose()
    {
        foreach (AlignedMemory m in _vectors.Values) m.Dispose();
        foreach (AlignedMemory m in _constants.Values) m.Dispose();
        foreach (AlignedMemory m in _zeros.Values) m.Dispose();
        foreach (PackedWeights p in _packed.Values) p.Dispose();
        foreach (WeightData d in _stored.Values) d.Dispose();
    }

    /// <summary>Element <paramref name="i"/> of stored data, widened.</summary>
    public static float Element(WeightData data, long i) => data.Info.Type switch
    {
        DType.F32 => ((float*)data.Pointer)[i],
        DType.BF16 => new BFloat16(((ushort*)data.Pointer)[i]).ToSingle(),
        DType.F16 => (float)((Half*)data.Pointer)[i],
        _ => throw new DeviceException($"Weight '{data.Info.Name}' is stored as {data.Info.Type}, which no kernel reads."),
    };

    private AlignedMemory Account(long bytes)
    {
        backend.CheckBudget(bytes, "constants");
        Bytes += bytes;
        return new AlignedMemory(bytes);
    }

    private static Key KeyOf(Weight weight, WeightLayout layout) => new(weight.Source, weight.Name, layout, new RowOrder(weight.RowOrder));
}
