using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>The weights and constants that one plan holds on the GPU, in the layouts that its kernels want.</summary>
internal sealed unsafe class PlanWeights(CudaBackend backend, WeightStore store) : IDisposable
{
    private readonly Dictionary<WeightKey, DeviceWeight> _held = [];

    /// <summary>A small weight as F32.</summary>
    public ulong Vector(Weight weight) => Floats(new WeightKey(WeightLayout.Vector, weight), to => WeightValues.Vector(weight, to));

    /// <summary>A depthwise filter [C, 1, k, k] as [k·k, C], F32.</summary>
    public ulong TapMajor(Weight weight) =>
        Floats(new WeightKey(WeightLayout.TapMajor, weight), to => WeightValues.TapMajor(weight, to));

    /// <summary>A constant tensor's values.</summary>
    public ulong Constant(Tensor root) => root.Data is { Weight: { } weight }
        ? Vector(weight)
        : Floats(new WeightKey(WeightLayout.Computed, root.Data!.Source, root.Data.Key!, root.Shape, default), root.Data.Fill!);

    /// <summary>Values that a kernel's launcher computes, by a name that says all they depend on.</summary>
    public ulong Table<T>(string name, T[] values) where T : unmanaged =>
        Take(new WeightKey(WeightLayout.Computed, null, $"{name} {typeof(T).Name}", new Shape(values.Length), default),
            values.Length * (long)sizeof(T), address => backend.Upload(address, MemoryMarshal.AsBytes<T>(values)));

    /// <summary>A matrix [rows, columns], row-major.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="layout">Which matrix is meant.</param>
    /// <param name="type">The stored type, or BF16.</param>
    /// <param name="bits">What it is rounded to by <see cref="GroupQuantization"/>; of <paramref name="type"/> it is all the same.</param>
    public DeviceMatrix Matrix(Weight weight, WeightLayout layout, DType type, int bits = 16)
    {
        (int rows, int columns) = WeightValues.SizeOf(weight, layout);
        ulong address = Take(new WeightKey(layout, weight, type, bits), (long)rows * columns * type.Size(), to =>
        {
            foreach (Weight part in WeightValues.PartsOf(weight))
            {
                using WeightData data = WeightValues.Open(part, bits);
                to += UploadMatrix(to, data, part, layout, type, columns);
            }
        });
        return new DeviceMatrix(address, type, rows, columns);
    }

    /// <summary>A matrix [rows, columns] in codes of few bits.</summary>
    public DeviceMatrix Codes(Weight weight, WeightCodes codes)
    {
        (int rows, int depth) = WeightValues.SizeOf(weight, WeightLayout.RowMajor);
        var key = new WeightKey(codes.IsInRowOrder ? WeightLayout.RowCodes : WeightLayout.TensorCodes, weight, DType.BF16, codes.Bits);
        ulong address = Take(key, codes.Bytes(rows, depth), to => UploadCodes(to, weight, codes, rows, depth));
        return new DeviceMatrix(address, DType.BF16, rows, depth, codes);
    }

    public void Dispose()
    {
        foreach (WeightKey key in _held.Keys) store.Release(key);
        _held.Clear();
    }

    private ulong UploadMatrix(ulong to, WeightData data, Weight weight, WeightLayout layout, DType type, int columns)
    {
        (Func<int, long> ofRow, Func<int, long> ofColumn) = WeightValues.Places(data, weight, layout);
        int rows = WeightValues.SizeOf(weight, layout).Rows, size = type.Size();
        long rowBytes = (long)columns * size;
        bool isStored = type == data.Info.Type && layout != WeightLayout.ChannelsLast && layout != WeightLayout.Transposed2x2;
        var places = new long[columns];
        for (int i = 0; i < columns; i++) places[i] = ofColumn(i);
        int atOnce = (int)Math.Clamp((4 << 20) / rowBytes, 1, rows);
        var staged = new byte[checked(atOnce * rowBytes)];
        for (int row = 0; row < rows; row += atOnce)
        {
            int n = Math.Min(atOnce, rows - row);
            for (int r = 0; r < n; r++)
            {
                long first = ofRow(row + r);
                Span<byte> target = staged.AsSpan(checked((int)(r * rowBytes)), checked((int)rowBytes));
                if (isStored) new ReadOnlySpan<byte>(data.Pointer + first * size, target.Length).CopyTo(target);
                else Convert(data, first, places, type, target);
            }
            backend.Upload(to + (ulong)(row * rowBytes), staged.AsSpan(0, checked((int)(n * rowBytes))));
        }
        return (ulong)(rows * rowBytes);
    }

    private void UploadCodes(ulong to, Weight weight, WeightCodes codes, int rows, int depth)
    {
        int rowBytes = codes.RowBytes(depth), atOnce = Math.Clamp((4 << 20) / rowBytes, 1, rows), groups = GroupQuantization.Groups(depth);
        var found = new sbyte[WeightCodes.Padded(depth)];
        var ofRow = new BFloat16[groups];
        var scales = new BFloat16[checked(groups * rows)];
        var staged = new byte[checked(atOnce * rowBytes)];
        int row = 0, held = 0;
        foreach (Weight part in WeightValues.PartsOf(weight))
        {
            using QuantizedRows read = QuantizedRows.Open(part, codes.Bits);
            for (int r = 0; r < part.Shape[0]; r++, row++)
            {
                read.Read(part.RowOrder is { } order ? order[r] : r, found.AsSpan(0, depth), ofRow);
                for (int g = 0; g < groups; g++) scales[(long)g * rows + row] = ofRow[g];
                codes.Place(found, staged.AsSpan(held++ * rowBytes, rowBytes));
                if (held < atOnce && row + 1 < rows) continue;
                backend.Upload(to + (ulong)((row + 1L - held) * rowBytes), staged.AsSpan(0, held * rowBytes));
                held = 0;
            }
        }
        backend.Upload(to + (ulong)((long)rows * rowBytes), MemoryMarshal.AsBytes<BFloat16>(scales));
    }

    private static void Convert(WeightData data, long first, long[] places, DType type, Span<byte> target)
    {
        Span<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(target);
        Span<float> wide = MemoryMarshal.Cast<byte, float>(target);
        for (int i = 0; i < places.Length; i++)
        {
            if (type == DType.F16) narrow[i] = ((ushort*)data.Pointer)[first + places[i]];
            else if (type == DType.F32) wide[i] = WeightValues.Element(data, first + places[i]);
            else narrow[i] = BFloat16.FromSingle(WeightValues.Element(data, first + places[i])).Bits;
        }
    }

    private ulong Floats(WeightKey key, ConstantFill fill)
    {
        if (key.Shape.Count > Array.MaxLength)
            throw new DeviceException($"'{key.Name}' {key.Shape} is too large for a vector or a constant.");
        return Take(key, key.Shape.Count * sizeof(float), address =>
        {
            var values = new float[key.Shape.Count];
            fill(values);
            backend.Upload(address, MemoryMarshal.AsBytes<float>(values));
        });
    }

    private ulong Take(WeightKey key, long bytes, Action<ulong> fill)
    {
        if (_held.TryGetValue(key, out DeviceWeight? held)) return held.Memory.Address;
        DeviceWeight content = store.Take(key, () =>
        {
            var memory = new DeviceWeight(CudaMemory.Allocate(backend, MemoryPurpose.Weights, bytes, $"weight '{key.Name}'"));
            if (backend.Account.CountsOnly) return memory;
            try
            {
                fill(memory.Memory.Address);
                return memory;
            }
            catch
            {
                memory.Dispose();
                throw;
            }
        });
        _held.Add(key, content);
        return content.Memory.Address;
    }

    /// <summary>What the store disposes with its last plan.</summary>
    private sealed class DeviceWeight(CudaMemory memory) : IDisposable
    {
        public CudaMemory Memory => memory;

        public void Dispose() => memory.Free();
    }
}

/// <summary>A weight matrix on the GPU, row-major.</summary>
/// <param name="Address">First element.</param>
/// <param name="Type">Element type; of codes, that of the numbers they stand for.</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Codes">How codes of few bits lie; null where elements are stored.</param>
internal readonly record struct DeviceMatrix(ulong Address, DType Type, int Rows, int Columns, WeightCodes? Codes = null)
{
    /// <summary>Bits of an element.</summary>
    public int Bits => Codes?.Bits ?? 8 * Type.Size();

    /// <summary>From a row to the next, in elements; of codes, in bytes.</summary>
    public int RowStride => Codes?.RowBytes(Columns) ?? Columns;
}
