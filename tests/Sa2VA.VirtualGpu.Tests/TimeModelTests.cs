using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Modelled times against those of a card, and what they depend on.</summary>
public sealed class TimeModelTests
{
    private static readonly VirtualDeviceOptions Sampled = new()
    {
        Checks = false, ExactProducts = false, SampleBlocks = 6, Capability = 90,
    };

    private static ModelledTime Gemm(int m, int n, int k, CardRates card, int registers = 96)
    {
        using var device = new VirtualDevice(Sampled);
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("gemm_sm80"))["gemm_bf16_sm80"];
        return device.Model(kernel, new((n + 127) / 128, (m + 127) / 128), new(256), 3 * 2 * 8192,
            [device.Allocate(2L * m * k, "A"), device.Allocate(2L * n * k, "B"), device.Allocate(4L * n, "bias"),
                device.Allocate(2L * m * n, "C"), m, n, k, 1], card, registers);
    }

    private static ModelledTime HopperGemm(int m, int n, int k, CardRates card)
    {
        using var device = new VirtualDevice(Sampled);
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("gemm_sm90"))["gemm_bf16_sm90"];
        return device.Model(kernel, new((n + 127) / 128, (m + 127) / 128), new(384), TrialKernels.HopperSharedBytes,
            [TrialKernels.Tiles(device.Allocate(2L * m * k, "A"), m, k), TrialKernels.Tiles(device.Allocate(2L * n * k, "B"), n, k),
                device.Allocate(4L * n, "bias"), device.Allocate(2L * m * n, "C"), m, n, k, 1], card, registers: 168);
    }

    private static ModelledTime Norm(int rows, int width, CardRates card)
    {
        using var device = new VirtualDevice(Sampled);
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("layer_norm"))["layer_norm_bf16"];
        return device.Model(kernel, new((rows + 7) / 8), new(256), 0,
            [device.Allocate(2L * rows * width, "X"), device.Allocate(4L * width, "gamma"), device.Allocate(4L * width, "beta"),
                device.Allocate(2L * rows * width, "Y"), rows, width, 1e-6f], card, 75);
    }

    private static void Near(double measured, ModelledTime modelled)
    {
        double ratio = 1e6 * modelled.Seconds / measured;
        Assert.True(ratio is > 0.75 and < 1.25, $"{ratio:F2} of {measured} us: {modelled}");
    }

    /// <summary>Medians of an H200, driver 580 (CUDA 13.0), of launches one behind the other; registers as its driver gave them.</summary>
    [Theory]
    [InlineData(4096, 4096, 1024, 119.0)]
    [InlineData(4096, 1728, 576, 40.3)]
    [InlineData(1024, 1152, 1152, 24.0)]
    public void Products_take_what_a_card_measured(int m, int n, int k, double microseconds) =>
        Near(microseconds, Gemm(m, n, k, CardRates.H200));

    [Theory]
    [InlineData(4096, 4096, 1024, 99.0)]
    [InlineData(8192, 8192, 8192, 2181.4)]
    [InlineData(4096, 1728, 576, 39.5)]
    [InlineData(1024, 1152, 1152, 13.9)]
    public void Products_of_warpgroups_take_what_a_card_measured(int m, int n, int k, double microseconds) =>
        Near(microseconds, HopperGemm(m, n, k, CardRates.H200));

    [Theory]
    [InlineData(1024, 20.4)]
    [InlineData(4096, 240.4)]
    public void Attention_takes_what_a_card_measured(int tokens, double microseconds)
    {
        const int Heads = 16;
        using var device = new VirtualDevice(Sampled);
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("flash_attention"))["flash_attention_hd64"];
        long bytes = 128L * Heads * tokens;
        Near(microseconds, device.Model(kernel, new(tokens / 64, Heads), new(128), 5 * 8192,
            [device.Allocate(bytes, "Q"), device.Allocate(bytes, "K"), device.Allocate(bytes, "V"), device.Allocate(bytes, "O"),
                tokens, tokens, 0.18f, 0], CardRates.H200, registers: 128));
    }

    [Theory]
    [InlineData(4096, 9.4)]
    [InlineData(65536, 96.2)]
    public void Norms_take_what_a_card_measured(int rows, double microseconds) => Near(microseconds, Norm(rows, 1152, CardRates.H200));

    [Fact]
    public void A_divergent_loop_takes_what_a_card_measured()
    {
        const int Count = 1 << 20;
        var random = new Random(1);
        int[] x = [.. Enumerable.Range(0, Count).Select(_ => random.Next(1, 100000))];
        using var device = new VirtualDevice(Sampled);
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("argmax"))["argmax_collatz"];
        ModelledTime time = device.Model(kernel, new(Count / 256), new(256), 0,
            [device.Upload<int>(x, "X"), Count, device.Upload<int>(new int[64], "histogram"), device.Upload<ulong>(new ulong[1], "best"),
                device.Allocate(4L * Count, "steps")], CardRates.H200, registers: 16);
        Near(127.9, time);
        Assert.Equal(TimeLimit.Issue, time.Limit);
    }

    [Fact]
    public void What_limits_a_launch_is_told()
    {
        Assert.Equal(TimeLimit.Dram, Norm(65536, 1152, CardRates.H200).Limit);
        // Nine blocks leave nearly all of a card idle.
        Assert.Equal(TimeLimit.Latency, Gemm(384, 384, 1024, CardRates.H200).Limit);
        // A tensor core of this card takes five times as long for a product.
        Assert.Equal(TimeLimit.Tensor, Gemm(4096, 4096, 1024, CardRates.Rtx4090).Limit);
        // This tile asks L2 for 32 KiB while it multiplies for 512 clocks; were L2 faster, shared memory would be asked for 80 KiB.
        Assert.Equal(TimeLimit.L2, HopperGemm(4096, 4096, 8192, CardRates.H200).Limit);
        CardRates fast = CardRates.H200 with { L2BytesPerClock = 1e6, L2BytesPerMultiprocessor = 1e4 };
        ModelledTime product = HopperGemm(4096, 4096, 8192, fast);
        Assert.Equal(TimeLimit.SharedMemory, product.Limit);
        Assert.InRange(product.Shares[TimeLimit.Tensor] / product.Shares[TimeLimit.SharedMemory], 0.79, 0.81);
        Assert.Equal(TimeLimit.Tensor, HopperGemm(4096, 4096, 8192, fast with { WarpgroupTensor = 8 }).Limit);
        Assert.Equal(TimeLimit.Launch, Norm(1, 144, CardRates.H200 with { LaunchSeconds = 1e-4 }).Limit);
    }

    [Fact]
    public void Few_blocks_wait_for_memory()
    {
        double near = Gemm(384, 384, 1024, CardRates.H200).Seconds;
        double far = Gemm(384, 384, 1024, CardRates.H200 with { L2Latency = 5000 }).Seconds;
        // 32 steps, two of which are on their way at once.
        Assert.InRange((far - near) * 1.98e9, 14 * 4500, 24 * 4500);
    }

    [Fact]
    public void A_ring_of_bulk_copies_hides_their_latency()
    {
        double near = HopperGemm(384, 384, 1024, CardRates.H200).Seconds;
        double far = HopperGemm(384, 384, 1024, CardRates.H200 with { BulkLatency = 20300 }).Seconds;
        // 16 steps over four stages, of which each is given back a step late: 0 … 3 come together, then 4 … 6, 7 … 9, 10 … 12, 13 … 15.
        Assert.InRange((far - near) * 1.98e9, 4.8 * 20000, 5.05 * 20000);
    }

    [Fact]
    public void The_longest_block_of_a_wave_decides()
    {
        ModelledTime Attention(int causal)
        {
            using var device = new VirtualDevice(Sampled);
            VirtualKernel kernel = device.LoadModule(PtxFiles.Text("flash_attention"))["flash_attention_hd64"];
            return device.Model(kernel, new(16, 2), new(128), 5 * 8192,
                [device.Allocate(128 * 2048, "Q"), device.Allocate(128 * 2048, "K"), device.Allocate(128 * 2048, "V"),
                    device.Allocate(128 * 2048, "O"), 1024, 1024, 0.18f, causal], CardRates.H200, registers: 128);
        }

        // The last queries see all keys, masked or not.
        Assert.InRange(Attention(causal: 1).Seconds / Attention(causal: 0).Seconds, 0.9, 1.3);
    }

    [Fact]
    public void The_same_launch_has_the_same_time() =>
        Assert.Equal(Gemm(512, 512, 512, CardRates.H200).Seconds, Gemm(512, 512, 512, CardRates.H200).Seconds);

    [Fact]
    public void Registers_decide_how_many_blocks_are_resident()
    {
        Assert.Equal(2, Gemm(256, 256, 64, CardRates.H200, registers: 96).Resident);
        Assert.Equal(1, Gemm(256, 256, 64, CardRates.H200, registers: 200).Resident);
        // Shared memory decides: 48 KiB and the system's 1 KiB of 100.
        Assert.Equal(2, Gemm(256, 256, 64, CardRates.Rtx4090, registers: 32).Resident);
    }

    [Fact]
    public void A_sample_of_the_blocks_counts_for_all()
    {
        LaunchCounters Count(int sample, int blocks, int whole = 0)
        {
            using var device = new VirtualDevice(new() { SampleBlocks = sample, WholeGrids = whole, Workers = 2 });
            int n = 128 * blocks;
            VirtualKernel kernel = device.LoadModule(PtxFiles.Text("gemm_sm80"))["gemm_bf16_sm80"];
            return device.Launch(kernel, new(blocks, blocks), new(256), 3 * 2 * 8192,
                [device.Upload<ushort>(new ushort[64 * n], "A"), device.Upload<ushort>(new ushort[64 * n], "B"),
                    device.Upload<float>(new float[n], "bias"), device.Allocate(2L * n * n, "C"), n, n, 64, 0]);
        }

        LaunchCounters all = Count(0, 4), some = Count(5, 4);
        Assert.False(all.IsScaled);
        Assert.True(some.IsScaled);
        Assert.Equal((16, 5), (some.Blocks, some.CountedBlocks));
        Assert.Equal(5, Count(5, 4, whole: 15).CountedBlocks);
        Assert.Equal(16, Count(5, 4, whole: 16).CountedBlocks);
        // All blocks do the same.
        Assert.Equal(2L * 512 * 512 * 64, all.TensorOperations);
        Assert.Equal(all.TensorOperations, some.TensorOperations);
        Assert.Equal(all.WarpInstructions, some.WarpInstructions);
        Assert.Equal(all.GlobalSectors, some.GlobalSectors);
        Assert.Equal(all.SharedWavefronts, some.SharedWavefronts);
        Assert.Equal(all.Instructions(InstructionClass.Barrier), some.Instructions(InstructionClass.Barrier));
        Assert.Contains("5 of 16 blocks", some.ToString(), StringComparison.Ordinal);
        Assert.InRange(all.LaneShare, 0.9, 1);
        Assert.False(Count(16, 4).IsScaled);
    }

    [Fact]
    public void Lanes_that_part_are_counted()
    {
        using var device = new VirtualDevice();
        VirtualKernel kernel = device.LoadModule(PtxFiles.Text("argmax"))["argmax_collatz"];
        LaunchCounters Run(Func<int, int> x)
        {
            int[] values = [.. Enumerable.Range(0, 256).Select(x)];
            return device.Launch(kernel, new(1), new(256), 0,
                [device.Upload<int>(values, "X"), 256, device.Upload<int>(new int[64], "histogram"),
                    device.Upload<ulong>(new ulong[1], "best"), device.Allocate(4 * 256, "steps")]);
        }

        LaunchCounters same = Run(_ => 27), other = Run(lane => lane + 1);
        Assert.True(other.Divergences > same.Divergences + 100, $"{other.Divergences} and {same.Divergences}");
        Assert.True(other.LaneShare < 0.7 && same.LaneShare > 0.9, $"{other.LaneShare} and {same.LaneShare}");
    }
}
