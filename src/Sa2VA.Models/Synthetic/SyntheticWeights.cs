using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Weights of the real names and shapes whose values follow from the names (docs/model/synthetic.md#values): BF16, computed when a tensor
/// is opened, nothing on disk.
/// </summary>
public sealed class SyntheticWeights : IWeightSource
{
    private readonly Dictionary<string, WeightInfo> _infos = new(StringComparer.Ordinal);

    /// <summary>All tensors that a configuration implies.</summary>
    public SyntheticWeights(Sa2VAConfig config) : this(
        CheckpointTensors.Of(config).Select(t => new WeightInfo(t.Name, DType.BF16, t.Shape))) { }

    /// <summary>Tensors of other names, all of them BF16.</summary>
    internal SyntheticWeights(IEnumerable<WeightInfo> tensors)
    {
        Tensors = [.. tensors];
        foreach (WeightInfo info in Tensors) _infos.Add(info.Name, info);
    }

    /// <summary>All tensors.</summary>
    public IReadOnlyList<WeightInfo> Tensors { get; }

    /// <inheritdoc/>
    public bool TryDescribe(string name, out WeightInfo info) => _infos.TryGetValue(name, out info);

    /// <inheritdoc/>
    public WeightData Open(string name) => TryDescribe(name, out WeightInfo info)
        ? new Computed(info)
        : throw new CheckpointException($"The synthetic checkpoint has no tensor '{name}'.");

    /// <summary>Elements [start, start + target.Length) of a tensor.</summary>
    public static void Fill(WeightInfo info, long start, Span<BFloat16> target)
    {
        (float scale, float shift) = ScaleOf(info);
        new SyntheticStream(info.Name).Fill(start, target, scale, shift);
    }

    /// <summary>As <see cref="Fill"/>, over all cores.</summary>
    internal static unsafe void FillParallel(WeightInfo info, long start, BFloat16* target, long count)
    {
        const int Block = 1 << 16;
        // A pointer cannot be captured, its value can.
        nint at = (nint)target;
        Parallel.For(0, (count + Block - 1) / Block, b =>
        {
            long first = b * Block;
            Fill(info, start + first, new Span<BFloat16>((BFloat16*)at + first, (int)Math.Min(Block, count - first)));
        });
    }

    private static (float Scale, float Base) ScaleOf(WeightInfo info)
    {
        if (info.Name.EndsWith(".bias", StringComparison.Ordinal)) return (0.02f, 0);
        if (info.Shape.Rank == 1) return info.Name.EndsWith(".weight", StringComparison.Ordinal) ? (0.1f, 1) : (0.05f, 0.1f);
        if (info.Name.EndsWith("positional_encoding_gaussian_matrix", StringComparison.Ordinal)) return ((float)Math.Sqrt(3), 0);
        return ((float)Math.Sqrt(3.0 / (info.Shape.Count / info.Shape[0])), 0);
    }

    private sealed unsafe class Computed : WeightData
    {
        private BFloat16* _values;

        public Computed(WeightInfo info) : base(info)
        {
            long count = info.Shape.Count;
            _values = (BFloat16*)NativeMemory.AlignedAlloc((nuint)(count * sizeof(BFloat16)), 64);
            GC.AddMemoryPressure(count * sizeof(BFloat16));
            FillParallel(info, 0, _values, count);
        }

        public override byte* Pointer => _values is null ? throw new ObjectDisposedException(Info.Name) : (byte*)_values;

        public override void Dispose()
        {
            if (_values is null) return;
            NativeMemory.AlignedFree(_values);
            GC.RemoveMemoryPressure(Info.Shape.Count * sizeof(BFloat16));
            _values = null;
        }
    }
}
