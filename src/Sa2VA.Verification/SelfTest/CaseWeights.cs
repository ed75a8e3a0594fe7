using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>A case's weights, F32: matrices rounded as the case's inputs are.</summary>
internal sealed unsafe class CaseWeights(OpCase of, Func<float, float> stored) : IWeightSource
{
    public bool TryDescribe(string name, out WeightInfo info)
    {
        bool found = of.Weights.TryGetValue(name, out (Shape Shape, float[]) weight);
        info = new WeightInfo(name, DType.F32, weight.Shape);
        return found;
    }

    public WeightData Open(string name)
    {
        (Shape shape, float[] values) = of.Weights[name];
        return new Data(new WeightInfo(name, DType.F32, shape), shape.Rank > 1 ? Array.ConvertAll(values, v => stored(v)) : values);
    }

    private sealed class Data(WeightInfo info, float[] values) : WeightData(info)
    {
        private GCHandle _pinned = GCHandle.Alloc(values, GCHandleType.Pinned);

        public override byte* Pointer => (byte*)_pinned.AddrOfPinnedObject();

        public override void Dispose()
        {
            if (_pinned.IsAllocated) _pinned.Free();
        }
    }
}
