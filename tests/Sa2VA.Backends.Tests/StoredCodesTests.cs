using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Products of weights that are stored in codes: every backend gives the bits that it gives for the original weights.</summary>
public class StoredCodesTests
{
    private const int Columns = 38, Depth = 264;

    private delegate Tensor Recorder(GraphBuilder g, Tensor x);

    [Theory]
    [InlineData(Precision.Int8, 1)]
    [InlineData(Precision.Int8, 17)]
    [InlineData(Precision.Int4, 1)]
    [InlineData(Precision.Int4, 17)]
    public void A_product_has_the_bits_of_the_original(Precision precision, int rows)
    {
        Check<float>(precision, rows, rows * Columns, (g, x) => g.Linear(x, g.Weight("w")));
        Check<float>(precision, rows, rows * Columns, (g, x) => g.SwiGlu(g.Linear(x, g.Weight("w")), g.Linear(x, g.Weight("w2"))));
        // Rows of one matrix in another order, and two matrices that are multiplied as one.
        Check<float>(precision, rows, rows * Columns, (g, x) =>
            g.Linear(x, g.Weight("w").Reorder([.. Enumerable.Range(0, Columns).Select(i => i * 7 % Columns)])));
        Check<float>(precision, rows, rows * 2 * Columns, (g, x) => g.Concat([g.Linear(x, g.Weight("w")), g.Linear(x, g.Weight("w2"))]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void The_likeliest_of_a_head_is_that_of_the_original(int rows) => Check<int>(Precision.Int8, rows, rows, (g, x) =>
        g.ArgMax(g.Linear(x, g.Weight("w"))));

    private static void Check<T>(Precision precision, int rows, int count, Recorder record) where T : unmanaged
    {
        var weights = new TestWeights();
        foreach (string name in (string[])["w", "w2"])
            weights.Add(name, DType.BF16, new Shape(Columns, Depth), TestValues.Random(name.Length, Columns * (long)Depth));
        float[] values = [.. TestValues.Random(9, rows * (long)Depth).Select(BFloat16.Round)];
        var x = new GuardedInput(DType.BF16, new Shape(rows, Depth), values);
        foreach (TestBackend configuration in TestBackend.All)
        {
            T[] loaded = Run(weights), stored = Run(new CodedWeights(weights, precision.WeightBits()));
            OpRun.AssertSameBits(loaded, stored, $"in {precision} with {configuration.Name}");

            T[] Run(IWeightSource source) => new OpRun(source, [x], []).On<T>(configuration, precision, (g, t, _) =>
            {
                using GraphBuilder.BitsScope scope = g.AllowWeightBits(precision.WeightBits());
                return record(g, g.Copy(t[0], DType.F32));
            }, count);
        }
    }

    /// <summary>The same weights, of which the codes alone are there.</summary>
    private sealed class CodedWeights(TestWeights weights, int bits) : IWeightSource
    {
        public bool TryDescribe(string name, out WeightInfo info) => weights.TryDescribe(name, out info);

        public WeightData Open(string name) => throw new CheckpointException($"'{name}' is there in codes.");

        public QuantizedData? OpenQuantized(string name)
        {
            using WeightData data = weights.Open(name);
            int rows = data.Info.Shape[0], depth = data.Info.Shape[1], groups = GroupQuantization.Groups(depth);
            int rowBytes = GroupQuantization.RowBytes(depth, bits);
            var (row, codes, scales) = (new float[depth], new sbyte[depth], new BFloat16[rows * groups]);
            var packed = new byte[rows * rowBytes];
            for (int r = 0; r < rows; r++)
            {
                GroupQuantization.Read(data, (long)r * depth, row);
                GroupQuantization.Quantize(row, bits, codes, scales.AsSpan(r * groups, groups));
                GroupQuantization.Pack(codes, bits, packed.AsSpan(r * rowBytes, rowBytes));
            }
            return new QuantizedData(name, bits, new Held(new WeightInfo("codes", DType.U8, new Shape(rows, rowBytes)), packed),
                new Held(new WeightInfo("scales", DType.BF16, new Shape(rows, groups)), MemoryMarshal.AsBytes<BFloat16>(scales).ToArray()));
        }
    }

    private sealed unsafe class Held(WeightInfo info, byte[] bytes) : WeightData(info)
    {
        private GCHandle _handle = GCHandle.Alloc(bytes, GCHandleType.Pinned);

        public override byte* Pointer => (byte*)_handle.AddrOfPinnedObject();

        public override void Dispose()
        {
            if (_handle.IsAllocated) _handle.Free();
        }
    }
}
