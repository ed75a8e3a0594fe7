using System.Diagnostics;
using Sa2VA.Cli.Devices;
using Sa2VA.Cli.Doctor;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Cli.Tests;

/// <summary>What --device chooses, says and refuses.</summary>
public class DeviceTests
{
    private static readonly VirtualDeviceKind Old = VirtualDeviceKind.A100 with { Name = "Virtual T4", Capability = 75 };

    /// <summary>Whether this machine has a GPU that could be meant.</summary>
    public static bool HasDriver => CudaAvailability.Find().HasDriver;

    [Fact]
    public void Auto_takes_the_first_GPU_that_can_be_used_and_says_so()
    {
        using var gpus = new VirtualDriver(new() { Devices = [Old, VirtualDeviceKind.H100, VirtualDeviceKind.A100] });
        DeviceChoice choice = Choose(DeviceKind.Auto, gpus);
        Assert.Equal(1, Assert.IsType<CudaDevice>(choice.Device).Index);
        Assert.Contains("cuda:1, Virtual H100", choice.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 13000, "the driver finds no GPU")]
    [InlineData(1, 13000, "Virtual T4 has compute capability 7.5")]
    [InlineData(1, 10020, "the driver supports CUDA 10.2")]
    public void Auto_says_why_a_GPU_is_not_used(int devices, int version, string reason)
    {
        using var gpus = new VirtualDriver(new() { Devices = [.. Enumerable.Repeat(Old, devices)], Version = version });
        DeviceChoice choice = Choose(DeviceKind.Auto, gpus);
        Assert.IsType<CpuDevice>(choice.Device);
        Assert.Contains(reason, choice.Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_may_not_use_the_processors_vectors_says_so_in_a_line()
    {
        Assert.SkipUnless(CpuFeatures.Available.Count > 1, "this processor has no wider vectors");
        Assert.Null(CpuFeatures.Shortfall);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "sa2va.dll"), "chat", "--device", "cpu",
            "--model", CliRun.Toy, "--prompt", "What is red?"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // As a program that was compiled for any processor of its kind.
        start.Environment["DOTNET_EnableAVX"] = "0";
        using Process process = Process.Start(start)!;
        Task<string> answer = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.NotEmpty(await answer);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
        Assert.Single(said.Split('\n'), l => l.Contains("fused multiply-adds", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_a_driver_auto_is_the_CPU()
    {
        Assert.SkipWhen(HasDriver, "this machine has an NVIDIA driver");
        Assert.IsType<CpuDevice>(DeviceChoice.Of(default, 0, Precision.Float32).Device);
        CliRun.Of("chat", "--model", CliRun.Toy, "--prompt", "What is red?", "--device", "cuda")
            .AssertRefused("no NVIDIA driver", "--device cpu");
    }

    [Theory]
    [InlineData("/dev/nvidia0", true)]
    [InlineData(null, false)]
    public void Auto_says_that_a_GPU_has_no_driver(string? gpu, bool isTold)
    {
        CudaAvailability found = CudaAvailability.WithoutDriver("libcuda.so.1 was not found", gpu);
        DeviceChoice choice = DeviceChoice.Auto(0, Precision.Float32, null, found);
        Assert.IsType<CpuDevice>(choice.Device);
        if (!isTold) Assert.Equal(CpuFeatures.Shortfall, choice.Note);
        if (isTold)
        {
            Assert.StartsWith("Device: the CPU, since there is an NVIDIA GPU (/dev/nvidia0), but libcuda.so.1 was not found: install",
                choice.Note, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', choice.Note!);
        }
        using var output = new StringWriter();
        new DoctorText(new Terminal(TextReader.Null, output, TextWriter.Null, CancellationToken.None)).Found(found);
        Assert.Equal(isTold, output.ToString().Contains("there is an NVIDIA GPU (/dev/nvidia0)", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0, "GPU 0 cannot be used: Virtual T4 has compute capability 7.5; 8.0 or newer is needed; --device cpu")]
    [InlineData(2, "There is no GPU 2: the driver has 2 GPUs")]
    public void A_GPU_that_is_named_must_be_usable(int index, string message)
    {
        using var gpus = new VirtualDriver(new() { Devices = [Old, VirtualDeviceKind.A100] });
        var error = Assert.Throws<DeviceException>(() => Choose(DeviceKind.Cuda, gpus, index));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:99999")]
    [InlineData("cuda:0x1")]
    [InlineData("CPU")]
    [InlineData("cpu:0")]
    [InlineData("virtual:")]
    [InlineData("virtual:t4")]
    [InlineData("virtual:unchecked")]
    [InlineData("virtual:h100:fast")]
    [InlineData("gpu")]
    public void Other_words_are_refused(string word) =>
        CliRun.Of("verify", "--goldens", "x", "--device", word).AssertRefused("--device takes auto, cpu, cuda, cuda:N", $"'{word}'");

    [Fact]
    public void Threads_are_not_for_a_GPU() =>
        CliRun.Of("verify", "--goldens", "x", "--device", "cuda", "--threads", "2").AssertRefused("--threads is for the CPU");

    [Theory]
    [InlineData("virtual:rtx4090", "checks every access")]
    [InlineData("virtual:rtx4090:unchecked", "unchecked: races")]
    public void A_virtual_GPU_computes_what_was_recorded_and_says_what_it_is(string device, string says)
    {
        string golden = Path.Combine(Fixtures.Repository, "tests", "fixtures", "goldens", "internvl-internlm2",
            "block-internlm2_layer0-decode.safetensors");
        CliRun run = CliRun.Of("verify", "--goldens", golden, "--device", device);
        Assert.Equal(0, run.Code);
        string note = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("The virtual GPU runs", note, StringComparison.Ordinal);
        Assert.Contains(says, note, StringComparison.Ordinal);
    }

    private static DeviceChoice Choose(DeviceKind kind, VirtualDriver gpus, int index = 0) =>
        DeviceChoice.Of(new DeviceName(kind, index), 0, Precision.Float32, new CudaDriver(gpus.Name, gpus.Export));
}
