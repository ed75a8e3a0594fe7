using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>Weights that the CPU holds as codes: what they stand for, what they take, and where they are BF16 all the same.</summary>
public unsafe class CodePanelTests
{
    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    public void Codes_stand_for_the_numbers_of_the_rule_at_every_width(int bits)
    {
        // Every mantissa and sign at several exponents, and no scale at all: outputs. Every code, in groups: inputs.
        float[] scales = [.. from power in (int[])[0, 1, -7, 99, -126, -130]
                             from mantissa in Enumerable.Range(128, 128)
                             from sign in (int[])[1, -1]
                             select sign * MathF.ScaleB(mantissa, power - 7), 0];
        int most = 1 << (bits - 1), depth = 2 * most + 128;
        sbyte[] codes = [.. Enumerable.Range(0, depth).Select(k => (sbyte)(k % (2 * most) - most))];
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(scales.Length, depth), new float[scales.Length * depth]);
        using var packed = new PackedWeights(new MemoryAccount(0), new GraphBuilder("codes", weights).Weight("w"), WeightLayout.RowMajor,
            DType.BF16, bits: bits);
        for (int n = 0; n < scales.Length; n++)
        {
            Assert.True(CodePanels.Holds(scales[n]));
            packed.FillCodes(n, codes, [.. Enumerable.Repeat(BFloat16.FromSingle(scales[n]), GroupQuantization.Groups(depth))]);
        }
        foreach (SimdLevel level in CpuFeatures.Available)
            for (int n = 0; n < scales.Length; n += PackedWeights.PanelWidth)
                for (int k = 0; k < depth; k += Gemm.Chain)
                    Check(level, n, k);

        void Check(SimdLevel level, int first, int k)
        {
            int rows = Math.Min(Gemm.Chain, depth - k), panel = first / PackedWeights.PanelWidth;
            float* widened = stackalloc float[Gemm.Chain * PackedWeights.PanelWidth];
            switch (level)
            {
                case SimdLevel.V512: CodePanels.Widen<V512>(packed, panel, k, rows, widened); break;
                case SimdLevel.V256: CodePanels.Widen<V256>(packed, panel, k, rows, widened); break;
                default: CodePanels.Widen<V128>(packed, panel, k, rows, widened); break;
            }
            for (int i = 0; i < rows; i++)
                for (int lane = 0; lane < PackedWeights.PanelWidth; lane++)
                {
                    float scale = first + lane < scales.Length ? scales[first + lane] : 0;
                    float expected = GroupQuantization.Value(codes[k + i], BFloat16.FromSingle(scale)).ToSingle();
                    if (BitConverter.SingleToInt32Bits(expected) != BitConverter.SingleToInt32Bits(widened[i * 32 + lane]))
                        Assert.Fail($"{level}, {codes[k + i]} times {scale:R}: {expected:R}, not {widened[i * 32 + lane]:R}");
                }
        }
    }

    [Theory]
    [InlineData(Precision.Int8, 1e-37f)]
    [InlineData(Precision.Int8, 1e-40f)]
    [InlineData(Precision.Int8, 1e35f)]
    [InlineData(Precision.Int4, 1e35f)]
    [InlineData(Precision.Int4, 1f)]
    public void Scales_of_any_size_give_the_numbers_of_the_rule(Precision precision, float magnitude)
    {
        const int Rows = 2, Outputs = 40, Inputs = 200;
        var shape = new Shape(Outputs, Inputs);
        float[] values = [.. TestValues.Random(1, shape.Count).Select((v, i) => i / Inputs == 7 ? v * magnitude : v)];
        TestWeights weights = new(), standing = new();
        weights.Add("w", DType.F32, shape, values);
        using (WeightData rounded = WeightValues.Open(new GraphBuilder("", weights).Weight("w"), precision.WeightBits()))
            standing.Add("w", DType.BF16, shape,
                [.. Enumerable.Range(0, values.Length).Select(i => WeightValues.Element(rounded, i))]);
        float[] activations = [.. TestValues.Random(2, Rows * Inputs).Select(BFloat16.Round)];
        var x = new GuardedInput(DType.BF16, new Shape(Rows, Inputs), activations);
        OpRun.AssertSameBits(Run(standing, Precision.BFloat16), Run(weights, precision), $"{precision}");

        float[] Run(TestWeights from, Precision run)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = 2, Precision = run, Kernels = KernelChoice.Managed });
            float[] y = new OpRun(from, [x], []).Once<float>(backend, (g, t, _) =>
            {
                using GraphBuilder.BitsScope scope = g.AllowWeightBits(4);
                return g.Concat([g.Linear(g.Copy(t[0], DType.F32), g.Weight("w")),
                    g.Linear(g.SliceRows(g.Copy(t[0], DType.F32), 1, 1), g.Weight("w"))]);
            }, (Rows + 1) * Outputs);
            return y;
        }
    }

    [Theory]
    [InlineData(Precision.BFloat16, 2 * 300 * 64)]
    [InlineData(Precision.Int8, 2 * 3 * 64 + 300 * 64)]
    [InlineData(Precision.Int4, 2 * 3 * 64 + 300 * 32)]
    public void Codes_take_the_memory_of_their_bits(Precision precision, long bytes)
    {
        var weights = new TestWeights();
        var shape = new Shape(64, 300);
        weights.Add("w", DType.BF16, shape, TestValues.Random(1, shape.Count));
        var g = new GraphBuilder("one", weights);
        using (g.AllowWeightBits(4)) g.Output("y", g.Linear(g.Input("x", DType.F32, new Shape(1, 300)), g.Weight("w")));
        using var backend = new CpuBackend(new CpuOptions { Threads = 1, Precision = precision, Kernels = KernelChoice.Managed });
        using ExecutionPlan plan = backend.Compile(g.Build(), TestContext.Current.CancellationToken);
        Assert.Equal(bytes, backend.Memory.Weights);
    }
}
