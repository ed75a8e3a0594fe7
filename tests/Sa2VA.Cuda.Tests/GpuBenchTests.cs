using System.Text.Json;
using Sa2VA.GpuBench;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Cuda.Tests;

/// <summary>
/// The micro-benchmarks of the model's constants, on virtual GPUs: what they compute, what they do in a turn, and that the model gives its
/// constants back. What a card takes for them no test knows.
/// </summary>
public sealed class GpuBenchTests
{
    private static LoopBenchmark Loop(string kernel) => Benchmarks.All.OfType<LoopBenchmark>().Single(b => b.Kernel.Name == kernel);

    /// <summary>With all checks of memory, races and waits; results are checked by the benchmarks.</summary>
    [Fact]
    public void Every_kernel_computes_what_it_must()
    {
        using BenchDevice device = BenchDevice.Of(VirtualDeviceKind.H100 with { Multiprocessors = 2 }, isChecked: true);
        foreach (LoopBenchmark loop in Benchmarks.All.OfType<LoopBenchmark>()) loop.Check(device);
    }

    /// <summary>
    /// Where the model of time has a constant, the modelled time of its benchmark gives it back: within the slots in which the instructions
    /// around it are issued, of which a barrier's warps need most.
    /// </summary>
    [Theory]
    [InlineData("a100")]
    [InlineData("h200")]
    public void The_model_gives_its_constants_back(string card)
    {
        using BenchDevice device = BenchDevice.Open($"virtual:{card}")!;
        int measured = 0;
        foreach (MicroBenchmark benchmark in Benchmarks.All)
        {
            Measurement m = benchmark.Run(device, 1);
            Assert.False(m.IsWrong, $"{m.Of.Name}: {m.Trouble}");
            if (m.Measured is null || m.Modelled is null) continue;
            Assert.True(m.Ratio is > 0.93 and < 1.07, $"{m.Of.Name}: {m.Measured.Median} {m.Of.Unit}, not {m.Modelled}");
            measured++;
        }
        Assert.Equal(Benchmarks.All.Count(b => b.Term.Value is not null && (device.Facts.Capability == 90 || !b.IsOfHopper)), measured);
    }

    /// <summary>In a turn all warps of a block run so many instructions of the class that is measured.</summary>
    [Theory]
    [InlineData("mma_rate", InstructionClass.Tensor, 8 * 32)]
    [InlineData("mma_latency", InstructionClass.Tensor, 32)]
    [InlineData("wgmma_n64", InstructionClass.WarpgroupTensor, 4 * 8)]
    [InlineData("wgmma_n256", InstructionClass.WarpgroupTensor, 4 * 8)]
    [InlineData("float_rate", InstructionClass.Float, 16 * 128)]
    [InlineData("float_latency", InstructionClass.Float, 128)]
    [InlineData("double_rate", InstructionClass.Double, 16 * 16)]
    [InlineData("conversion_rate", InstructionClass.Conversion, 16 * 128)]
    [InlineData("ex2_rate", InstructionClass.SpecialFunction, 16 * 128)]
    [InlineData("rcp_rate", InstructionClass.SpecialFunction, 16 * 128)]
    [InlineData("shuffle_rate", InstructionClass.Shuffle, 16 * 32)]
    // Besides the counter and the comparison of the loop.
    [InlineData("integer_rate", InstructionClass.Integer, 16 * (128 + 2))]
    [InlineData("ldmatrix", InstructionClass.MatrixLoad, 8 * 16)]
    [InlineData("shared_load_32", InstructionClass.Shared, 8 * 16)]
    [InlineData("shared_store_128", InstructionClass.Shared, 8 * 16)]
    [InlineData("barrier_8", InstructionClass.Barrier, 8 * 32)]
    [InlineData("l2_all", InstructionClass.Global, 16 * 4)]
    [InlineData("dram_copy", InstructionClass.Global, 16 * 8)]
    // Copies and what closes and awaits their group.
    [InlineData("async_copy", InstructionClass.AsyncCopy, 16 * 4)]
    [InlineData("bulk_latency", InstructionClass.BulkCopy, 16)]
    public void A_turn_does_what_is_counted(string kernel, InstructionClass of, long instructions) =>
        Assert.Equal(instructions, InTurn(kernel, c => c.Instructions(of)));

    /// <summary>Bytes of a turn over the turns of the banks, 128 where none conflict.</summary>
    [Theory]
    [InlineData("shared_load_32")]
    [InlineData("shared_load_64")]
    [InlineData("shared_load_128")]
    [InlineData("shared_store_128")]
    [InlineData("ldmatrix")]
    public void Shared_memory_is_asked_without_conflicts(string kernel) =>
        Assert.Equal(Loop(kernel).Units / 128, InTurn(kernel, c => c.SharedWavefronts));

    [Theory]
    [InlineData("l2_all")]
    [InlineData("dram_read")]
    [InlineData("dram_copy")]
    [InlineData("async_copy")]
    public void Whole_sectors_come_from_L2(string kernel) =>
        Assert.Equal(Loop(kernel).Units / 32, InTurn(kernel, c => c.GlobalSectors));

    /// <summary>What two more turns of one block do, halved.</summary>
    private static double InTurn(string kernel, Func<LaunchCounters, long> count)
    {
        using BenchDevice device = BenchDevice.Of(VirtualDeviceKind.H100 with { Multiprocessors = 1 }, isChecked: false);
        MicroKernel of = Loop(kernel).Kernel;
        var memory = new LoopMemory(device.Allocate(32 << 20), device.Allocate(1 << 16), device.Allocate(1 << 10));
        device.Run(of, 1, 2, memory);
        device.Run(of, 1, 4, memory);
        return (count(device.Launches[1].Counters) - count(device.Launches[0].Counters)) / 2.0;
    }

    [Fact]
    public void What_is_wrong_or_cannot_be_measured_is_told()
    {
        using BenchDevice device = BenchDevice.Of(VirtualDeviceKind.A100 with { Multiprocessors = 2 }, isChecked: true);
        LoopBenchmark ffma = Loop("float_rate");
        Measurement wrong = (ffma with { IsRight = (thread, _, _) => thread != 33 }).Run(device, 1);
        Assert.True(wrong.IsWrong);
        Assert.StartsWith("float_rate: thread 33 of block 0 has 0x", wrong.Trouble, StringComparison.Ordinal);
        Measurement hopper = Loop("wgmma_n64").Run(device, 1);
        Assert.Equal((false, "needs compute capability 9.0"), (hopper.IsWrong, hopper.Trouble));
        // After a fault the context is lost, and every launch says so.
        Measurement fault = (ffma with { Kernel = ffma.Kernel with { Turn = "trap;" } }).Run(device, 1);
        Assert.True(fault.IsWrong);
        Assert.Contains("trap", fault.Trouble, StringComparison.OrdinalIgnoreCase);
        string file = Path.GetTempFileName();
        try
        {
            Report.Write(file, device, [wrong, hopper, fault]);
            using JsonDocument json = JsonDocument.Parse(File.ReadAllText(file));
            JsonElement[] results = [.. json.RootElement.GetProperty("results").EnumerateArray()];
            Assert.Equal(["FFMA, clocks of a warp", "wgmma m64n64k16, clocks of a warp for 8 columns", "FFMA, clocks of a warp"],
                results.Select(r => r.GetProperty("name").GetString()));
            Assert.Equal(hopper.Trouble, results[1].GetProperty("not_measured").GetString());
            Assert.Equal(wrong.Trouble, results[0].GetProperty("failure").GetString());
            Assert.All(results, r => Assert.False(r.TryGetProperty("measured", out _)));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
