using Sa2VA.Tests;
using Sa2VA.VirtualGpu.Counters;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Launches of the trial kernels, with canaries around every result.</summary>
internal static class TrialKernels
{
    private const int Canary = 64;

    /// <summary>C = A Bᵀ + bias, with the tanh GELU if asked, as bits of bfloat16.</summary>
    public static ushort[] Gemm(VirtualDevice device, string ptx, ushort[] a, ushort[] b, float[] bias, int m, int n, int k, bool gelu,
        out LaunchCounters counters)
    {
        VirtualKernel kernel = device.LoadModule(ptx)["gemm_bf16_sm80"];
        ulong c = Result(device, m * n, "C");
        counters = device.Launch(kernel, new((n + 127) / 128, (m + 127) / 128), new(256), 3 * 2 * 8192,
            [device.Upload<ushort>(a, "A"), device.Upload<ushort>(b, "B"), device.Upload<float>(bias, "bias"), c + 2 * Canary,
                m, n, k, gelu ? 1 : 0]);
        return Fetch(device, c, m * n);
    }

    /// <summary>The same by bulk copies, mbarriers and products of warpgroups.</summary>
    public static ushort[] HopperGemm(VirtualDevice device, string ptx, ushort[] a, ushort[] b, float[] bias, int m, int n, int k,
        bool gelu, out LaunchCounters counters)
    {
        VirtualKernel kernel = device.LoadModule(ptx)["gemm_bf16_sm90"];
        ulong c = Result(device, m * n, "C");
        counters = device.Launch(kernel, new((n + 127) / 128, (m + 127) / 128), new(384), HopperSharedBytes,
            [Tiles(device.Upload<ushort>(a, "A"), m, k), Tiles(device.Upload<ushort>(b, "B"), n, k), device.Upload<float>(bias, "bias"),
                c + 2 * Canary, m, n, k, gelu ? 1 : 0]);
        return Fetch(device, c, m * n);
    }

    public const int HopperSharedBytes = 1024 + 8 * 16384 + 64;

    /// <summary>The map of a matrix [rows, width] of bfloat16, of which boxes of 128 × 64 are copied.</summary>
    public static KernelArgument Tiles(ulong address, int rows, int width) => new(new TensorMap
    {
        Address = address,
        ElementBytes = 2,
        Dimensions = [(ulong)width, (ulong)rows],
        Strides = [2 * (ulong)width],
        Box = [64, 128],
        Swizzle = 128,
    }.Encode());

    public static ushort[] Attention(VirtualDevice device, string ptx, ushort[] q, ushort[] k, ushort[] v, int heads, int queries, int keys,
        bool causal)
    {
        VirtualKernel kernel = device.LoadModule(ptx)["flash_attention_hd64"];
        ulong o = Result(device, heads * queries * 64, "O");
        device.Launch(kernel, new((queries + 63) / 64, heads), new(128), 5 * 8192,
            [device.Upload<ushort>(q, "Q"), device.Upload<ushort>(k, "K"), device.Upload<ushort>(v, "V"), o + 2 * Canary, queries, keys,
                0.125f * 1.4426950408889634f, causal ? 1 : 0]);
        return Fetch(device, o, heads * queries * 64);
    }

    public static ushort[] LayerNorm(VirtualDevice device, ushort[] x, float[] gamma, float[] beta, int rows, int dim)
    {
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("layer_norm"))["layer_norm_bf16"];
        ulong y = Result(device, rows * dim, "Y");
        device.Launch(kernel, new((rows + 7) / 8), new(256), 0,
            [device.Upload<ushort>(x, "X"), device.Upload<float>(gamma, "gamma"), device.Upload<float>(beta, "beta"), y + 2 * Canary,
                rows, dim, 1e-6f]);
        return Fetch(device, y, rows * dim);
    }

    public static (int[] Steps, int[] Histogram, ulong Best) ArgMax(VirtualDevice device, string ptx, int[] x)
    {
        VirtualKernel kernel = device.LoadModule(ptx)["argmax_collatz"];
        ulong histogram = device.Upload<int>(new int[64], "histogram"), best = device.Upload<ulong>(new ulong[1], "best");
        ulong steps = device.Allocate(x.Length * 4L, "steps");
        device.Launch(kernel, new((x.Length + 255) / 256), new(256), 0, [device.Upload<int>(x, "X"), x.Length, histogram, best, steps]);
        var result = (Steps: new int[x.Length], Histogram: new int[64], Best: new ulong[1]);
        device.Read<int>(steps, result.Steps);
        device.Read<int>(histogram, result.Histogram);
        device.Read<ulong>(best, result.Best);
        return (result.Steps, result.Histogram, result.Best[0]);
    }

    private static ulong Result(VirtualDevice device, int count, string name)
    {
        ulong address = device.Allocate(2L * (count + 2 * Canary), name);
        var edge = new ushort[Canary];
        Array.Fill(edge, (ushort)0x1234);
        device.Write<ushort>(address, edge);
        device.Write<ushort>(address + 2 * (ulong)(Canary + count), edge);
        return address;
    }

    private static ushort[] Fetch(VirtualDevice device, ulong address, int count)
    {
        var all = new ushort[count + 2 * Canary];
        device.Read<ushort>(address, all);
        Assert.All(all[..Canary].Concat(all[^Canary..]), v => Assert.Equal(0x1234, v));
        return all[Canary..^Canary];
    }

    /// <summary>C against a product in float64.</summary>
    public static void CheckProduct(ushort[] a, ushort[] b, float[] bias, int m, int n, int k, bool gelu, ushort[] c)
    {
        var reference = new double[m * n];
        var naive = new float[m * n];
        for (int i = 0; i < m * n; i++)
        {
            double sum = bias[i % n];
            float sum32 = 0;
            for (int q = 0; q < k; q++)
            {
                float x = PtxFiles.BFloat16(a[i / n * k + q]), y = PtxFiles.BFloat16(b[i % n * k + q]);
                sum += (double)x * y;
                sum32 += x * y;
            }
            sum32 += bias[i % n];
            reference[i] = gelu ? Gelu(sum) : sum;
            naive[i] = gelu ? (float)Gelu(sum32) : sum32;
        }
        CheckBFloat16(reference, naive, c, $"gemm {m}x{n}x{k}");
    }

    /// <summary>
    /// The project's rule for a kernel that stores bfloat16: the naive twin is float32 rounded to bfloat16, and so is the rounding of the
    /// type itself that the floor is made of.
    /// </summary>
    public static void CheckBFloat16(double[] reference, float[] naive, ushort[] output, string what)
    {
        Assert.Equal(reference.Length, output.Length);
        double naiveMax = 0, outMax = 0, naiveSum = 0, outSum = 0, floor = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double n = Math.Abs(Rounded(naive[i]) - reference[i]), o = Math.Abs(PtxFiles.BFloat16(output[i]) - reference[i]);
            Assert.False(double.IsNaN(o), $"{what}: element {i} is NaN, the reference is {reference[i]:R}.");
            (naiveMax, outMax) = (Math.Max(naiveMax, n), Math.Max(outMax, o));
            (naiveSum, outSum) = (naiveSum + n * n, outSum + o * o);
            float r = Rounded((float)reference[i]);
            floor = Math.Max(floor, Math.Abs((double)Rounded(Rounded(r + 0.3f) - 0.3f) - r));
        }
        floor *= 2;
        Assert.True(outMax <= 2 * naiveMax + floor, $"{what}: max error {outMax:E2}, naive {naiveMax:E2}, floor {floor:E2}.");
        double naiveRms = Math.Sqrt(naiveSum / reference.Length), outRms = Math.Sqrt(outSum / reference.Length);
        Assert.True(outRms <= 1.5 * naiveRms + floor, $"{what}: rms error {outRms:E2}, naive {naiveRms:E2}, floor {floor:E2}.");
        // The floor is generous where values are small; an average error of a tenth of the output's size would still be a wrong kernel.
        double size = Math.Sqrt(reference.Sum(v => v * v) / reference.Length);
        Assert.True(outRms <= 0.02 * size, $"{what}: rms error {outRms:E2} of outputs of size {size:E2}.");
    }

    private static float Rounded(float x) => PtxFiles.BFloat16(PtxFiles.ToBFloat16(x));

    public static double Gelu(double x) => 0.5 * x * (1 + Math.Tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}
