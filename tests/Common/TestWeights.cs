using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Weights made by a test, stored in any float type.</summary>
internal sealed unsafe class TestWeights : IWeightSource
{
    private readonly Dictionary<string, (WeightInfo Info, byte[] Bytes)> _weights = [];

    /// <summary>Stores values (rounded to the type) under a name and returns what is stored, widened.</summary>
    public float[] Add(string name, DType type, Shape shape, ReadOnlySpan<float> values)
    {
        byte[] bytes = Bytes(type, values);
        _weights[name] = (new WeightInfo(name, type, shape), bytes);
        return Widened(type, bytes);
    }

    /// <summary>Values as a float type stores them, each rounded to the nearest.</summary>
    public static byte[] Bytes(DType type, ReadOnlySpan<float> values)
    {
        var bytes = new byte[values.Length * type.Size()];
        fixed (byte* p = bytes)
        {
            for (int i = 0; i < values.Length; i++)
            {
                switch (type)
                {
                    case DType.F32: ((float*)p)[i] = values[i]; break;
                    case DType.BF16: ((ushort*)p)[i] = BFloat16.FromSingle(values[i]).Bits; break;
                    default: ((Half*)p)[i] = (Half)values[i]; break;
                }
            }
        }
        return bytes;
    }

    /// <summary>Stored values, widened.</summary>
    public static float[] Widened(DType type, byte[] bytes)
    {
        var values = new float[bytes.Length / type.Size()];
        fixed (byte* p = bytes)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = type switch
                {
                    DType.F32 => ((float*)p)[i],
                    DType.BF16 => new BFloat16(((ushort*)p)[i]).ToSingle(),
                    _ => (float)((Half*)p)[i],
                };
        }
        return values;
    }

    public bool TryDescribe(string name, out WeightInfo info)
    {
        bool found = _weights.TryGetValue(name, out var entry);
        info = entry.Info;
        return found;
    }

    public WeightData Open(string name) => new Data(_weights[name].Info, _weights[name].Bytes);

    private sealed class Data(WeightInfo info, byte[] bytes) : WeightData(info)
    {
        private System.Runtime.InteropServices.GCHandle _handle =
            System.Runtime.InteropServices.GCHandle.Alloc(bytes, System.Runtime.InteropServices.GCHandleType.Pinned);

        public override byte* Pointer => (byte*)_handle.AddrOfPinnedObject();

        public override void Dispose()
        {
            if (_handle.IsAllocated) _handle.Free();
        }
    }
}
