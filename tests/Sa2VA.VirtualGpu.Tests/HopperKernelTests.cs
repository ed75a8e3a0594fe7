using Sa2VA.Tests;
using Sa2VA.VirtualGpu.Counters;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// The trial product for Hopper (tensor maps, a ring of mbarriers, one warpgroup that copies, two that multiply) is right, and has the bits
/// of a card.
/// </summary>
public sealed class HopperKernelTests
{
    private static readonly VirtualDeviceOptions Hopper = new() { Capability = 90 };

    [Theory]
    [InlineData("256x256x64", 256, 256, 64)]
    [InlineData("256x256x512", 256, 256, 512)]
    [InlineData("128x128x4096", 128, 128, 4096)]
    public void A_product_has_the_bits_of_a_card(string shape, int m, int n, int k)
    {
        // A card gave the same bits for mma.sync and wgmma.
        string name = $"gemm_sm80_{shape}_plain";
        Assert.SkipUnless(PtxFiles.HasRecorded(name), "recorded beside the repository only");
        ushort[] a = PtxFiles.RecordedWords(name + ".A"), b = PtxFiles.RecordedWords(name + ".B");
        float[] bias = PtxFiles.RecordedFloats(name + ".bias");
        ushort[] wanted = PtxFiles.RecordedWords(name + ".out");
        for (int seed = 1; seed < 3; seed++)
        {
            using var device = new VirtualDevice(Hopper with { Seed = seed });
            Assert.Equal(wanted, TrialKernels.HopperGemm(device, PtxFiles.Text("gemm_sm90"), a, b, bias, m, n, k, gelu: false, out _));
        }
        using var older = new VirtualDevice(Hopper);
        Assert.Equal(wanted, TrialKernels.Gemm(older, PtxFiles.Text("gemm_sm80"), a, b, bias, m, n, k, gelu: false, out _));
    }

    [Theory]
    [InlineData(200, 152, 360, true)]
    [InlineData(1, 2, 8, false)]
    [InlineData(129, 130, 72, false)]
    public void A_product_is_right(int m, int n, int k, bool gelu)
    {
        ushort[] a = PtxFiles.RandomBFloat16(1, m * k), b = PtxFiles.RandomBFloat16(2, n * k);
        float[] bias = TestValues.Random(3, n);
        ushort[]? first = null;
        VirtualDeviceOptions[] orders = [Hopper, Hopper with { Seed = 77, Workers = 1 }, Hopper with { Seed = 3, Checks = false }];
        foreach (VirtualDeviceOptions o in orders)
        {
            using var device = new VirtualDevice(o);
            ushort[] c = TrialKernels.HopperGemm(device, PtxFiles.Text("gemm_sm90"), a, b, bias, m, n, k, gelu, out _);
            first ??= c;
            Assert.Equal(first, c);
        }
        TrialKernels.CheckProduct(a, b, bias, m, n, k, gelu, first!);
    }

    [Fact]
    public void A_launch_is_counted()
    {
        const int M = 256, N = 128, K = 96;
        LaunchCounters Count(int seed)
        {
            using var device = new VirtualDevice(Hopper with { Seed = seed });
            TrialKernels.HopperGemm(device, PtxFiles.Text("gemm_sm90"), PtxFiles.RandomBFloat16(1, M * K),
                PtxFiles.RandomBFloat16(2, N * K), new float[N], M, N, K, gelu: false, out LaunchCounters counters);
            return counters;
        }

        LaunchCounters counters = Count(1), other = Count(2);
        Assert.Equal(counters.ToString(), other.ToString());
        // Two blocks, two steps of 64 terms although K ends at 96: what is outside is multiplied as zero.
        Assert.Equal(2L * M * N * 128, counters.TensorOperations);
        Assert.Equal(2 * 8 * 2 * 4, counters.Instructions(InstructionClass.WarpgroupTensor));
        // A copy for each operand and step of a block, and one map that is fetched ahead.
        Assert.Equal(2 * (2 * 2 + 1), counters.Instructions(InstructionClass.BulkCopy));
        // What is copied is what is there, then the bias and the results.
        Assert.Equal(2 * 2 * 128 * K * 2 + 2 * 256 * 32 * 4 + M * N * 2, counters.GlobalBytes);
    }

    [Theory]
    // The wait at the end, one in the loop that lets two groups in flight, a byte count, and a parity.
    [InlineData("wgmma.wait_group.sync.aligned 0;", "", FaultKind.ProductInFlight, "add.f32", "wgmma.mma_async")]
    [InlineData("wgmma.wait_group.sync.aligned 1;", "wgmma.wait_group.sync.aligned 2;", FaultKind.Race,
        "cp.async.bulk.tensor", "may still read")]
    [InlineData("mov.u32 \t%r78, 2;", "mov.u32 \t%r78, 1;", FaultKind.Race, "cp.async.bulk.tensor", "may still read")]
    [InlineData("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async;", "", FaultKind.MissingFence, "cp.async.bulk.tensor",
        "fence.mbarrier_init")]
    [InlineData("setmaxnreg.dec.sync.aligned.u32 40;", "", FaultKind.Deadlock, "mbarrier.try_wait", "for registers")]
    public void A_planted_fault_is_found(string passage, string replacement, FaultKind kind, string at, string other)
    {
        const int M = 128, N = 128, K = 640;
        string text = PtxFiles.Text("gemm_sm90");
        Assert.Contains(passage, text, StringComparison.Ordinal);
        text = text.Replace(passage, replacement, StringComparison.Ordinal);
        for (int seed = 1; seed < 4; seed++)
        {
            using var device = new VirtualDevice(Hopper with { Seed = seed });
            GpuFaultException fault = Assert.Throws<GpuFaultException>(() => TrialKernels.HopperGemm(device, text,
                PtxFiles.RandomBFloat16(1, M * K), PtxFiles.RandomBFloat16(2, N * K), new float[N], M, N, K, gelu: false, out _));
            Assert.True(kind == fault.Kind, fault.Message);
            Assert.Equal("gemm_bf16_sm90", fault.Kernel);
            Assert.Contains(at, text.Split('\n')[fault.Line - 1], StringComparison.Ordinal);
            Assert.Contains(other, fault.Message, StringComparison.Ordinal);
        }
    }
}
