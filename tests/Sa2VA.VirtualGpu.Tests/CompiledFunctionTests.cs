using System.Numerics;
using Sa2VA.Tests;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Plain CUDA C++ as a compiler emits it (fixtures/ptx/plain.cu): each function against its definition.</summary>
public sealed class CompiledFunctionTests
{
    private static readonly Lazy<string> Text = new(() => PtxFiles.Text("plain"));

    private static VirtualDevice Device(int seed = 1) => new(new() { Seed = seed });

    /// <summary>Rows of results, one for each function, one element for each input.</summary>
    private static TOut[][] Rows<TIn, TOut>(string kernel, TIn[] x, int rows) where TIn : unmanaged where TOut : unmanaged
    {
        using VirtualDevice device = Device();
        ulong y = device.Allocate(rows * x.Length * System.Runtime.CompilerServices.Unsafe.SizeOf<TOut>(), "y");
        device.Launch(device.LoadModule(Text.Value)[kernel], new((x.Length + 127) / 128), new(128), 0,
            [device.Upload<TIn>(x, "x"), y, x.Length]);
        var all = new TOut[rows * x.Length];
        device.Read<TOut>(y, all);
        return [.. all.Chunk(x.Length)];
    }

    /// <summary>Distances from the rounded value in units of the last place, at most those that CUDA's manual gives.</summary>
    [Fact]
    public void Functions_of_float32_are_as_near_as_the_manual_says()
    {
        var functions = new (string Name, int MostUlps, Func<float, double> Exact)[]
        {
            ("expf", 1, x => Math.Exp(x)), ("logf", 1, x => Math.Log(Math.Abs(x))), ("sinf", 2, x => Math.Sin(x)),
            ("cosf", 2, x => Math.Cos(x)), ("tanhf", 2, x => Math.Tanh(x)), ("erff", 2, x => Erf(x)),
            ("powf", 4, x => Math.Pow(Math.Abs(x), 1.3f)), ("sqrtf", 0, x => Math.Sqrt(Math.Abs(x))),
            ("rsqrtf", 2, x => 1 / Math.Sqrt(Math.Abs(x))), ("1/x", 0, x => 1 / (double)x), ("x/3.7", 0, x => x / (double)3.7f),
            ("exp2f", 2, x => Math.Pow(2, x)), ("log1pf", 1, x => LogOnePlus(Math.Abs(x))), ("expm1f", 1, x => ExpMinusOne(x)),
            ("cbrtf", 1, x => Math.Cbrt(x)), ("fmodf", 0, x => x % (double)0.7f), ("floorf", 0, x => Math.Floor(x)),
            ("rintf", 0, x => Math.Round(x, MidpointRounding.ToEven)), ("roundf", 0, x => Math.Round(x, MidpointRounding.AwayFromZero)),
            ("copysignf", 0, x => Math.CopySign(1.5, x)),
        };
        var random = new Random(3);
        float[] values =
        [
            .. Enumerable.Range(0, 400).Select(_ => (float)((random.NextDouble() * 2 - 1) * Math.Pow(10, random.Next(-6, 2)))),
            // The reduction of large arguments works on an array in local memory.
            0.5f, -0.5f, 1.5f, 2.5f, 1e-30f, 31.4159f, -60.5f,
        ];
        float[][] results = Rows<float, float>("functions", values, functions.Length);
        for (int k = 0; k < functions.Length; k++)
        {
            for (int n = 0; n < values.Length; n++)
            {
                double exact = functions[k].Exact(values[n]), error = Math.Abs(results[k][n] - (double)(float)exact);
                float near = Math.Abs((float)exact);
                double ulp = MathF.BitIncrement(near) - near;
                Assert.True(error <= functions[k].MostUlps * ulp,
                    $"{functions[k].Name}({values[n]:R}) is {results[k][n]:R}, not {exact:R}: {error / ulp:F2} units.");
            }
        }
    }

    [Fact]
    public void Sine_and_cosine_reduce_huge_arguments()
    {
        float[] values = [1e6f, -3e7f, 1e20f, 3e38f, -123456.7f];
        float[][] results = Rows<float, float>("functions", values, 20);
        // The exact values of the arguments as given, by arithmetic of 200 digits.
        double[] sines = [.. values.Select(v => Reduced(v, Math.Sin))], cosines = [.. values.Select(v => Reduced(v, Math.Cos))];
        for (int n = 0; n < values.Length; n++)
        {
            Assert.Equal(sines[n], results[2][n], 2e-7);
            Assert.Equal(cosines[n], results[3][n], 2e-7);
        }
    }

    private static double Reduced(float x, Func<double, double> f)
    {
        // 2π to 60 digits, scaled: x is a whole number of units of 2^-24 for all values above.
        BigInteger unit = BigInteger.Pow(10, 60), turn = BigInteger.Parse("6283185307179586476925286766559005768394338798750211641949889");
        BigInteger scaled = new BigInteger((double)x * 16777216) * unit, whole = turn * 16777216;
        return f((double)(scaled % whole) / Math.Pow(10, 60) / 16777216);
    }

    private static double Erf(double x)
    {
        // The series, whose terms stay small enough for float64 below 3; beyond it is one to twelve digits.
        if (Math.Abs(x) > 5.5) return Math.Sign(x);
        double sum = 0, term = x;
        for (int n = 0; n < 200; n++)
        {
            sum += term / (2 * n + 1);
            term *= -x * x / (n + 1);
        }
        return Math.Abs(x) > 3.5 ? Math.Sign(x) * (1 - Tail(Math.Abs(x))) : 2 / Math.Sqrt(Math.PI) * sum;
    }

    private static double Tail(double x)
    {
        double fraction = 0;
        for (int n = 60; n > 0; n--) fraction = n / 2.0 / (x + fraction);
        return Math.Exp(-x * x) / Math.Sqrt(Math.PI) / (x + fraction);
    }

    private static double LogOnePlus(double x) => x < 1e-4 ? x - x * x / 2 + x * x * x / 3 : Math.Log(1 + x);

    private static double ExpMinusOne(double x) => Math.Abs(x) < 1e-4 ? x + x * x / 2 + x * x * x / 6 : Math.Exp(x) - 1;

    [Fact]
    public void Integers_are_exact()
    {
        var random = new Random(4);
        int[] values =
            [0, 1, -1, int.MaxValue, int.MinValue, 77, .. Enumerable.Range(0, 300).Select(_ => random.Next(int.MinValue, int.MaxValue))];
        ulong[][] results = Rows<int, ulong>("integers", values, 12);
        for (int i = 0; i < values.Length; i++)
        {
            int v = values[i];
            uint u = (uint)v, n = (uint)i;
            ulong w = unchecked(u * 0x9e3779b97f4a7c15ul);
            int first = v == 0 ? 0 : BitOperations.TrailingZeroCount(v) + 1;
            ulong[] expected =
            [
                (ulong)(v / 7), (ulong)(v % (i + 1)), u / (n + 3), w / (u | 1), (ulong)((UInt128)w * w >> 64),
                (ulong)(first + 100 * BitOperations.LeadingZeroCount(u) + 10000 * BitOperations.PopCount(w)), Reverse(w), Bytes(u, n),
                (ulong)(uint)(u >> 25 | n << 7) + n, (uint)Dot(v, i, signed: true) + (ulong)(uint)Dot(v, i, signed: false),
                (ulong)(uint)(Math.Abs((long)v - i) + 3) + (uint)(Math.Max(u, n) - Math.Min(u, n) + 5),
                unchecked(((ulong)(uint)(w >> 32) + 77 << 32) + (((ulong)u + (uint)w >> 32) << 32)) | unchecked(u + (uint)w),
            ];
            for (int k = 0; k < expected.Length; k++)
                Assert.True(expected[k] == results[k][i], $"Row {k} of {v} at {i}: {results[k][i]:x}, not {expected[k]:x}.");
        }
    }

    private static ulong Reverse(ulong v)
    {
        ulong r = 0;
        for (int k = 0; k < 64; k++) r |= (v >> k & 1) << 63 - k;
        return r;
    }

    /// <summary>Bytes 5, 1, 7, 3 of b:a, from the lowest.</summary>
    private static uint Bytes(uint a, uint b) => (b >> 8 & 255) | (a >> 8 & 255) << 8 | (b >> 24) << 16 | (a >> 24) << 24;

    private static int Dot(int a, int b, bool signed)
    {
        int sum = 5;
        for (int k = 0; k < 4; k++)
            sum += signed ? (sbyte)(a >> 8 * k) * (sbyte)(b >> 8 * k) : (byte)(a >> 8 * k) * (byte)(b >> 8 * k);
        return sum;
    }

    [Fact]
    public void A_structure_is_a_parameter()
    {
        float[] x = TestValues.Random(9, 100, 1);
        using VirtualDevice device = Device();
        ulong y = device.Upload<float>(new float[100], "y");
        var structure = new byte[48];
        BitConverter.TryWriteBytes(structure, 2.5f);
        BitConverter.TryWriteBytes(structure.AsSpan(4), 100);
        BitConverter.TryWriteBytes(structure.AsSpan(8), y);
        for (int k = 0; k < 8; k++) BitConverter.TryWriteBytes(structure.AsSpan(16 + 4 * k), 10f * k);
        device.Launch(device.LoadModule(Text.Value)["structures"], new(1), new(128), 0, [new(structure), device.Upload<float>(x, "x")]);
        var result = new float[100];
        device.Read<float>(y, result);
        Assert.Equal(x.Select((v, i) => MathF.FusedMultiplyAdd(v, 2.5f, 10f * (i & 7))), result);
    }

    [Fact]
    public void An_array_of_a_thread_keeps_its_values()
    {
        int[] x = [.. Enumerable.Range(0, 32).Select(k => k * 37 % 101)];
        using VirtualDevice device = Device();
        ulong y = device.Allocate(4 * 64, "y");
        device.Launch(device.LoadModule(Text.Value)["arrays"], new(1), new(64), 0, [device.Upload<int>(x, "x"), y, 50]);
        var result = new int[64];
        device.Read<int>(y, result);
        for (int i = 0; i < 64; i++)
        {
            int[] a = [.. x.Select(v => v * i)];
            for (int k = 0; k < 50; k++) a[a[k & 31] & 31] += k;
            Assert.Equal(Enumerable.Range(0, 50).Sum(k => a[(k * 7 + i) & 31]), result[i]);
        }
    }

    [Fact]
    public void Votes_count_a_warp_or_a_block()
    {
        int[] x = [.. Enumerable.Range(0, 96).Select(t => t * t % 89)];
        for (int seed = 1; seed < 5; seed++)
        {
            using VirtualDevice device = Device(seed);
            ulong y = device.Allocate(4 * 7 * 96, "y");
            device.Launch(device.LoadModule(Text.Value)["votes"], new(1), new(96), 0, [device.Upload<int>(x, "x"), y]);
            var all = new int[7 * 96];
            device.Read<int>(y, all);
            int[][] rows = [.. all.Chunk(96)];
            for (int t = 0; t < 96; t++)
            {
                int warp = t / 32 * 32;
                int Lanes(Func<int, bool> holds) => Enumerable.Range(0, 32).Sum(l => holds(x[warp + l]) ? 1 << l : 0);
                int bits = Lanes(v => (v & 64) == (x[t] & 64));
                Assert.Equal(
                    [
                        Lanes(v => (v & 3) == (x[t] & 3)), bits == -1 ? bits + 1 : 0, x.Count(v => v % 2 == 1), 1, x.Contains(17) ? 1 : 0,
                        Lanes(v => (v & 2) != 0), 1,
                    ], rows.Select(r => r[t]));
            }
        }
    }
}
