using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The tensors of a quantised checkpoint, made from the original's while they are written: matrices as codes and scales, a block of rows at
/// a time, all else as it is.
/// </summary>
internal sealed unsafe class NewTensors
{
    private readonly IWeightSource _source;
    private readonly Dictionary<string, Origin> _origins = new(StringComparer.Ordinal);
    private readonly List<WeightInfo> _all = [];

    /// <param name="config">Of the original.</param>
    /// <param name="checkpoint">The original, whole and open.</param>
    /// <param name="precision">What it becomes.</param>
    public NewTensors(Sa2VAConfig config, Checkpoint checkpoint, Precision precision)
    {
        _source = checkpoint;
        bool head = checkpoint.Contains(LanguageStack.HeadName(config.Language));
        IReadOnlyDictionary<string, QuantizedMatrix> matrices = CheckpointTensors.Matrices(config, head);
        foreach (string name in checkpoint.Names)
        {
            if (!checkpoint.TryDescribe(name, out WeightInfo info))
            {
                LeftOut++;
                continue;
            }
            string stored = checkpoint.NameInFile(name);
            bool isMatrix = matrices.TryGetValue(name, out QuantizedMatrix matrix);
            if (!isMatrix || matrix.IsTable) Add(info with { Name = stored }, new Origin(info, 16));
            if (!isMatrix) continue;
            int bits = matrix.Bits(precision), rows = info.Shape[0], depth = checked((int)(info.Shape.Count / rows));
            if (depth * bits % 8 != 0)
                throw new CheckpointException($"'{name}' has {depth} inputs, an odd number, which is not stored in {bits} bits; "
                    + $"quantise to int8, or have it quantised when it is loaded (--precision {precision.Name()}).");
            Matrices++;
            Add(new WeightInfo(QuantizedTensors.Scales(stored), DType.BF16, new Shape(rows, GroupQuantization.Groups(depth))),
                new Origin(info, bits));
            Add(new WeightInfo(QuantizedTensors.Codes(stored, bits), DType.U8, new Shape(rows, GroupQuantization.RowBytes(depth, bits))),
                new Origin(info, bits));
        }
        Bytes = _all.Sum(t => t.Bytes);

        void Add(WeightInfo tensor, Origin origin)
        {
            if (!_origins.TryAdd(tensor.Name, origin))
                throw new CheckpointException($"'{checkpoint.Folder}' has a tensor '{tensor.Name}', which is to be made from another one.");
            _all.Add(tensor);
        }
    }

    /// <summary>All of them.</summary>
    public IReadOnlyList<WeightInfo> All => _all;

    /// <summary>Their bytes.</summary>
    public long Bytes { get; }

    /// <summary>Matrices in few bits.</summary>
    public int Matrices { get; }

    /// <summary>Tensors of the original that the engine does not read.</summary>
    public int LeftOut { get; }

    /// <summary>Elements of a tensor, from a first one on: as <see cref="TensorFill"/>.</summary>
    public void Fill(WeightInfo tensor, long start, Span<byte> target)
    {
        Origin origin = _origins[tensor.Name];
        using WeightData data = _source.Open(origin.Info.Name);
        if (origin.Bits == 16)
        {
            new ReadOnlySpan<byte>(data.Pointer + start * tensor.Type.Size(), target.Length).CopyTo(target);
            return;
        }
        // Scales come first in a file, being wider.
        bool isScales = tensor.Type == DType.BF16;
        if (isScales && start == 0) Finite.Check(data);
        long rowBytes = tensor.Shape[1] * (long)tensor.Type.Size(), begin = start * tensor.Type.Size();
        long firstRow = begin / rowBytes, endRow = (begin + target.Length + rowBytes - 1) / rowBytes;
        int depth = checked((int)(origin.Info.Shape.Count / origin.Info.Shape[0])), count = target.Length;
        fixed (byte* to = target)
        {
            // A pointer cannot be captured, its value can.
            nint at = (nint)to;
            Parallel.For(firstRow, endRow, () => new Row(depth, (int)rowBytes), (row, _, scratch) =>
            {
                scratch.Quantize(data, row, origin.Bits);
                if (isScales) MemoryMarshal.AsBytes<BFloat16>(scratch.Scales).CopyTo(scratch.Bytes);
                else GroupQuantization.Pack(scratch.Codes, origin.Bits, scratch.Bytes);
                // A block may begin and end within a row.
                long from = Math.Max(begin, row * rowBytes), end = Math.Min(begin + count, (row + 1) * rowBytes);
                scratch.Bytes.AsSpan((int)(from - row * rowBytes), (int)(end - from))
                    .CopyTo(new Span<byte>((byte*)at + (from - begin), (int)(end - from)));
                return scratch;
            }, _ => { });
        }
        if (!isScales) return;
        foreach (BFloat16 scale in MemoryMarshal.Cast<byte, BFloat16>(target))
            if (!GroupQuantization.IsScale(scale, origin.Bits))
                throw new CheckpointException($"Tensor '{origin.Info.Name}' holds weights beyond what bf16 has room for, and cannot be "
                    + "quantised.");
    }

    /// <summary>What a tensor is made from.</summary>
    /// <param name="Info">The original's tensor.</param>
    /// <param name="Bits">Bits of its codes; 16 where it is kept.</param>
    private readonly record struct Origin(WeightInfo Info, int Bits);

    /// <summary>A row in work.</summary>
    private sealed class Row(int depth, int bytes)
    {
        private readonly float[] _values = new float[depth];

        public sbyte[] Codes { get; } = new sbyte[depth];

        public BFloat16[] Scales { get; } = new BFloat16[GroupQuantization.Groups(depth)];

        public byte[] Bytes { get; } = new byte[bytes];

        public void Quantize(WeightData data, long row, int bits)
        {
            GroupQuantization.Read(data, row * _values.Length, _values);
            GroupQuantization.Quantize(_values, bits, Codes, Scales);
        }
    }
}
