using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// An op in BF16: operands and result are stored in 16 bits wherever <see cref="StoragePolicy"/> allows it, sums are F32. Its reference is
/// what the first backend gives in F32 for operands rounded before, which the float64 rule has been applied to; naive is that, rounded
/// once, or what plain loops give that store in 16 bits what lies between two products, as tensor cores must.
/// The CPU must give the first, bit for bit: what is widened is exact, and nothing but the store rounds.
/// </summary>
/// <param name="run">The op with its inputs, as it runs in F32.</param>
/// <param name="loops">Gives what plain loops do; null where the result alone is rounded.</param>
internal sealed class NarrowOp(OpRun run, Func<float[]>? loops)
{
    private float[]? reference;

    /// <summary>Fails unless all configurations of a family follow the rule, and give the same bits.</summary>
    public void Check(IEnumerable<TestBackend> family, GuardedOp.Recorder record, int count)
    {
        var rounded = new RoundedWeights(run.Weights);
        OpRun wide = run.With(rounded, [.. run.Inputs.Select(i => IsFloat(i) ? i with { Values = Rounded((float[])i.Values) } : i)]);
        OpRun narrow = run.With(rounded, [.. run.Inputs.Select(i => IsFloat(i) ? i with { Type = DType.BF16 } : i)]);
        ushort[]? first = null;
        foreach (TestBackend configuration in family)
        {
            if (reference is null)
            {
                using IBackend inFloat = configuration.ForOneOp();
                reference = wide.Once<float>(inFloat, record, count);
            }
            ushort[] bits = narrow.On<ushort>(configuration, Precision.BFloat16, Record, count);
            if (first is null) Check(first = bits, configuration);
            OpRun.AssertSameBits(first, bits, $"in BF16 with {configuration.Name}");
        }

        Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) =>
            g.Copy(record(g, [.. t.Select((x, i) => IsFloat(run.Inputs[i]) ? g.Copy(x, DType.F32) : x)], s), DType.BF16);
    }

    private void Check(ushort[] bits, TestBackend configuration)
    {
        float[] naive = Rounded(reference!), result = TestWeights.Widened(DType.BF16, MemoryMarshal.AsBytes<ushort>(bits).ToArray());
        if (configuration.Family == "cpu") OpRun.AssertSameBits(naive, result, "in BF16");
        else if (loops is not null) naive = loops();
        if (reference!.All(float.IsFinite)) Float64Rule.Check([.. reference!.Select(v => (double)v)], naive, result, "in BF16");
    }

    private static bool IsFloat(GuardedInput input) => input.Type == DType.F32;

    private static float[] Rounded(float[] values) => [.. values.Select(BFloat16.Round)];

    /// <summary>Weights whose matrices a BF16 backend finds to be rounded already.</summary>
    private sealed class RoundedWeights(IWeightSource weights) : IWeightSource
    {
        private readonly TestWeights _rounded = new();

        public bool TryDescribe(string name, out WeightInfo info)
        {
            if (!weights.TryDescribe(name, out info)) return false;
            if (info.Shape.Rank > 1) info = info with { Type = DType.F32 };
            return true;
        }

        public unsafe WeightData Open(string name)
        {
            WeightData data = weights.Open(name);
            if (data.Info.Shape.Rank < 2) return data;
            using (data)
            {
                byte[] stored = new Span<byte>(data.Pointer, checked((int)data.Info.Bytes)).ToArray();
                _rounded.Add(name, DType.F32, data.Info.Shape, Rounded(TestWeights.Widened(data.Info.Type, stored)));
            }
            return _rounded.Open(name);
        }
    }
}
