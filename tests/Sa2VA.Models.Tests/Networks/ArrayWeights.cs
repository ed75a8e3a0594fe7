using Sa2VA.Core;

namespace Sa2VA.Tests.Networks;

/// <summary>Weights given as arrays, for tests of code that reads a few of them.</summary>
internal sealed unsafe class ArrayWeights : IWeightSource
{
    private readonly Dictionary<string, (WeightInfo Info, byte[] Bytes)> _tensors = [];

    public ArrayWeights Add(string name, float[] values, params int[] shape) => Add(name, DType.F32, values, shape);

    public ArrayWeights Add(string name, DType type, float[] values, params int[] shape)
    {
        byte[] bytes = type switch
        {
            DType.F32 => [.. values.SelectMany(BitConverter.GetBytes)],
            DType.F16 => [.. values.SelectMany(v => BitConverter.GetBytes((Half)v))],
            _ => [.. values.SelectMany(v => BitConverter.GetBytes(BFloat16.FromSingle(v).Bits))],
        };
        _tensors.Add(name, (new WeightInfo(name, type, new Shape(shape)), bytes));
        return this;
    }

    public bool TryDescribe(string name, out WeightInfo info)
    {
        bool found = _tensors.TryGetValue(name, out (WeightInfo Info, byte[] Bytes) tensor);
        info = tensor.Info;
        return found;
    }

    public WeightData Open(string name) => new Pinned(_tensors[name].Info, _tensors[name].Bytes);

    private sealed class Pinned(WeightInfo info, byte[] bytes) : WeightData(info)
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
