using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Weights made by a test, stored in any float type.</summary>
internal sealed unsafe class TestWeights : IWeightSource
{
    private readonly Dictionary<string, (WeightInfo Info, byte[] Bytes)> _weights = [];

    /// <summary>Stores values (rounded to the type) under a name and returns what is stored, widened.</summary>
    public float[] Add(string name, DType type, Shape shape, ReadOnlySpan<float> values)
    {
        var bytes = new byte[values.Length * type.Size()];
        var stored = new float[values.Length];
        fixed (byte* p = bytes)
        {
            for (int i = 0; i < values.Length; i++)
            {
                switch (type)
                {
                    case DType.F32: ((float*)p)[i] = stored[i] = values[i]; break;
                    case DType.BF16:
                        BFloat16 b = BFloat16.FromSingle(values[i]);
                        ((ushort*)p)[i] = b.Bits;
                        stored[i] = b.ToSingle();
                        break;
                    default:
                        var h = (Half)values[i];
                        ((Half*)p)[i] = h;
                        stored[i] = (float)h;
                        break;
                }
            }
        }
        _weights[name] = (new WeightInfo(name, type, shape), bytes);
        return stored;
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
