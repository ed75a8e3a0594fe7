using System.Text.Json;
using Sa2VA.Cli.Commands;
using Sa2VA.Cli.Devices;
using Sa2VA.Cli.Doctor;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Models;
using Sa2VA.Verification.SelfTest;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Cli.Tests;

public class DoctorTests
{
    private static IEnumerable<string> Ops => typeof(Op).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Op))).Select(t => t.Name);

    /// <summary>In BF16, which takes five times as long, the checks run twice among the tests of recordings.</summary>
    [Fact]
    public void A_virtual_GPU_passes_every_check()
    {
        CliRun run = CliRun.Of(["doctor", "--device", "virtual", .. FullRun.IsAsked ? (string[])[] : ["--precision", "f32"]]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains("GPU 0: Virtual A100, compute capability 8.0", run.Out, StringComparison.Ordinal);
        Assert.Contains("compiled from PTX by the driver", run.Out, StringComparison.Ordinal);
        // Two ops that only passes over the graph make.
        Assert.Contains("gated_linear", run.Out, StringComparison.Ordinal);
        Assert.Contains("linear_arg_max", run.Out, StringComparison.Ordinal);
        Assert.Contains("this device can be used", run.Out, StringComparison.Ordinal);
        // Z-order, which only a GPU's passes make, comes and goes in the checks of other ops; a product that pools is in BF16.
        Assert.All(Ops.Except(FullRun.IsAsked ? [nameof(Reorder)] : [nameof(Reorder), nameof(LinearMaxPool), nameof(LinearRotary)]),
            op => Assert.Contains($"  {op} ", run.Out, StringComparison.Ordinal));
    }

    [Fact]
    public void The_CPU_passes_every_check_and_tells_each_as_JSON()
    {
        CliRun run = CliRun.Of("doctor", "--device", "cpu", "--json");
        Assert.Equal((0, ""), (run.Code, run.Error));
        JsonElement[] checks = [.. run.Json.Where(l => Type(l) == "check")];
        Assert.Equal(Ops.Except([nameof(Reorder)]).Order(),
            checks.Select(c => c.GetProperty("op").GetString()!).Distinct().Order());
        Assert.All(checks, c => Assert.InRange(c.GetProperty("share").GetDouble(), 0, 1));
        Assert.Equal((checks.Length, 0), (run.Json[^1].GetProperty("checks").GetInt32(), run.Json[^1].GetProperty("failed").GetInt32()));
        Assert.Equal("driver", Type(run.Json[0]));

        static string Type(JsonElement line) => line.GetProperty("type").GetString()!;
    }

    /// <summary>
    /// Of a product so shallow that the other kernels are faster. That some check runs each of them is for <c>KernelRecordingTests</c> to
    /// see. Of each launch one block runs, so that it takes no time, and results are wrong.
    /// </summary>
    [Fact]
    public void An_H100s_own_kernels_are_checked_where_they_do_not_pay_too()
    {
        using var gpus = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [VirtualDeviceKind.H100], LogLaunches = true,
            Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false, SampleBlocks = 1 },
        });
        DeviceChoice choice =
            DeviceChoice.Of(new DeviceName(DeviceKind.Cuda), 0, Precision.BFloat16, new CudaDriver(gpus.Name, gpus.Export));
        using var stop = new CancellationTokenSource();
        var output = new Looking(() => gpus.Launches.Any(l => l.Kernel.Contains("_hopper_128x", StringComparison.Ordinal)), stop.Cancel);
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, stop.Token);
        Assert.Throws<OperationCanceledException>(() => DoctorCommand.Examine(terminal, output, [choice]));
    }

    [Fact]
    public void What_a_GPU_gives_is_recorded()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("doctor", "--device", "virtual:h100", "--precision", "f32", "--record", folder.At("card.safetensors"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        using var file = new SafetensorsFile(folder.At("card.safetensors"));
        Assert.Equal(("Virtual H100", "90", "13000"),
            (file.Metadata["device"], file.Metadata["capability"], file.Metadata["driver"]));
        Assert.Equal(KernelSelfTest.Count(Precision.Float32), file.Entries.Count);
        Assert.Matches("\"mat_mul\":\"[0-9a-f]{64}\"", file.Metadata["kernels"]);
    }

    [Fact]
    public void There_is_nothing_to_record_of_the_CPU()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("doctor", "--device", "cpu", "--record", folder.At("card.safetensors"));
        Assert.Equal((2, "sa2va: --record is for the results of a GPU: give --device cuda, or virtual to see what it writes.\n"),
            (run.Code, run.Error.ReplaceLineEndings("\n")));
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public void A_GPU_that_is_not_there_is_told_in_one_line()
    {
        Assert.SkipWhen(DeviceTests.HasDriver, "this machine has an NVIDIA driver");
        CliRun run = CliRun.Of("doctor", "--device", "cuda");
        Assert.Equal(2, run.Code);
        Assert.StartsWith("Driver: none", run.Out, StringComparison.Ordinal);
        Assert.StartsWith("sa2va: No GPU can be used", Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_GPU_that_fails_at_a_check_cannot_be_used()
    {
        using var gpus = new VirtualDriver();
        DeviceChoice choice =
            DeviceChoice.Of(new DeviceName(DeviceKind.Cuda), 0, Precision.Float32, new CudaDriver(gpus.Name, gpus.Export));
        using var output = new StringWriter();
        var terminal = new Terminal(TextReader.Null, output, TextWriter.Null, CancellationToken.None);
        gpus.Inject.FailLaunch(5);
        var error = Assert.Throws<DeviceException>(() => DoctorCommand.Examine(terminal, new DoctorText(terminal), [choice]));
        Assert.Contains("Virtual A100 cannot be used: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("Wrong: ", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("can be used", output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Looks after each check whether something is so, and ends the checks when it is.</summary>
    private sealed class Looking(Func<bool> isSo, Action end) : IDoctorOutput
    {
        public void Checked(DoctorCheck check)
        {
            if (isSo()) end();
        }

        public void Found(CudaAvailability gpus) { }

        public void Chosen(DeviceChoice choice) { }

        public void Loaded(IReadOnlyList<LoadedKernels> kernels) { }

        public void End(IReadOnlyList<DoctorCheck> checks, double seconds) { }
    }
}
