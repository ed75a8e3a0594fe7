using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Cli.Tests;

/// <summary>The scripts that pack checks for a machine with a GPU and run them there, as far as they go without one.</summary>
public sealed partial class GpuCheckTests : IDisposable
{
    private static readonly string Scripts = Path.Combine(Fixtures.Repository, "scripts");

    private readonly ScratchFolder _folder = new();

    public GpuCheckTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "the scripts are for Linux");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_packed_is_there()
    {
        (int code, string output, string error) = Run("bash", Path.Combine(Scripts, "gpu-check"), "list");
        Assert.Equal((0, ""), (code, error));
        string[][] files = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))];
        Assert.All(files, file => Assert.True(Path.Exists(Path.Combine(Fixtures.Repository, file[0])), file[0]));
        Assert.Equal(["run", "peers.py", "tests/fixtures", "samples/models", "samples/media"], files.Select(f => f[1]));
        Assert.Equal(2, Run("bash", Path.Combine(Scripts, "gpu-check"), "list", "--no-fixtures").Out.Count(c => c == '\n'));
    }

    /// <summary>A name that there is not would cost a card's time to find.</summary>
    [Fact]
    public void The_stages_that_a_card_times_are_there()
    {
        string listed = Stages().Match(File.ReadAllText(Path.Combine(Scripts, "gpu-check-run.py"))).Groups["names"].Value;
        string[] names = string.Concat(listed.Split('"').Where((_, n) => n % 2 == 1)).Split(',');
        Assert.InRange(names.Length, 10, ModelBenchmark.StageNames.Count);
        Assert.Empty(names.Except(ModelBenchmark.StageNames));
    }

    [Theory]
    [InlineData("pack")]
    [InlineData("pack", "--quickly")]
    [InlineData("pack", "nowhere/of/this/name/pack.tar.xz")]
    [InlineData("list", "pack.tar.xz")]
    public void A_wrong_command_line_is_one_line_of_what_is_wrong(params string[] arguments)
    {
        (int code, string output, string error) = Run("bash", [Path.Combine(Scripts, "gpu-check"), .. arguments]);
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith("gpu-check: ", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    /// <summary>What keeps the pack and the kernels' package to their sizes.</summary>
    [Theory]
    [InlineData(1000000, true)]
    [InlineData(1000001, false)]
    public void A_file_that_is_too_large_is_one_line(int bytes, bool fits)
    {
        File.WriteAllText(_folder.At("small file"), "");
        File.WriteAllBytes(_folder.At("file"), new byte[bytes]);
        (int code, string output, string error) =
            Run("bash", Path.Combine(Scripts, "at-most"), "1", _folder.At("small file"), _folder.At("file"));
        Assert.Equal((fits ? 0 : 1, "", fits ? "" : $"{_folder.At("file")} has 2 MB; it may have 1 at most\n"), (code, output, error));
        foreach (string script in (string[])["gpu-check", "pack"])
            Assert.Matches("scripts/at-most\"? [26]0 ", File.ReadAllText(Path.Combine(Scripts, script)));
    }

    [Fact]
    public void Help_names_every_step()
    {
        (int code, string output, _) = Run("python3", Pack(), "--help");
        Assert.Equal(0, code);
        foreach (string step in (string[])["doctor", "optests", "verify-f32", "verify-bf16", "predict-f32", "gpubench", "bench", "peers"])
            Assert.Contains($"  {step} ", output, StringComparison.Ordinal);
        Assert.Contains("scripts/gpu-check pack", Run("bash", Path.Combine(Scripts, "gpu-check"), "--help").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_without_a_GPU_is_told_in_one_line()
    {
        Assert.SkipWhen(DeviceTests.HasDriver, "this machine has an NVIDIA driver");
        (int code, string output, string error) = Run("python3", Pack(), _folder.At("out"));
        Assert.Equal((2, "", "gpu-check: nothing can be run here: this machine has no NVIDIA driver (libcuda.so.1)\n"),
            (code, output, error));
        Assert.False(Directory.Exists(_folder.At("out")));
    }

    [Theory]
    [InlineData("there is no step 'doktor'", "--steps", "doktor")]
    [InlineData("--device takes", "--device", "tpu")]
    public void A_step_or_device_that_is_not_there_is_refused(string why, params string[] arguments)
    {
        (int code, _, string error) = Run("python3", [Pack(), _folder.At("out"), .. arguments]);
        Assert.Equal(2, code);
        Assert.StartsWith($"gpu-check: {why}", error, StringComparison.Ordinal);
    }

    /// <summary>Programs in place of the engine's: one passes, one fails, one is slow, one is not there.</summary>
    [Fact]
    public void Each_step_is_told_and_none_stops_the_next()
    {
        string run = Pack();
        Directory.CreateDirectory(_folder.At("gpu-check", "bin"));
        Directory.CreateDirectory(_folder.At("gpu-check", "tests", "fixtures"));
        Program("sa2va", """
            case "$1 $*" in
              doctor*) echo 'Driver: none of note'; echo 'All 3 checks passed in 1 s: this device can be used.'; printf x > "${@: -1}" ;;
              *bf16*) sleep 60 ;;
              verify*) echo '1 passed, 2 failed'; echo '| a table |' > "${@: -1}"; exit 1 ;;
            esac
            """);
        Program("Sa2VA.GpuBench", """
            printf '| FFMA | 1.00 clk |\n\n1 of 2 measured.\n'; printf '{}' > "${@: -1}"
            """);
        File.WriteAllText(_folder.At("gpu-check", "commit"), "0123456789\n");
        (int code, string output, string error) = Run("python3", run, _folder.At("out"), "--device", "virtual",
            "--steps", "optests,verify-bf16,doctor,verify-f32,gpubench", "--limit", "0.02");
        Assert.Equal((1, ""), (code, error));
        Assert.Contains("verify-bf16: out of time", output, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(_folder.At("out", "summary.json")));
        JsonElement[] steps = [.. json.RootElement.GetProperty("steps").EnumerateArray()];
        Assert.Equal(
            [("doctor", "passed"), ("gpubench", "passed"), ("verify-f32", "failed"), ("verify-bf16", "out of time"), ("optests", "failed")],
            steps.Select(s => (s.GetProperty("name").GetString()!, s.GetProperty("status").GetString()!)));
        Assert.Equal("All 3 checks passed in 1 s: this device can be used.", steps[0].GetProperty("headline").GetString());
        Assert.Equal("1 of 2 measured.", steps[1].GetProperty("headline").GetString());
        Assert.Equal("1 passed, 2 failed", steps[2].GetProperty("headline").GetString());
        string results = File.ReadAllText(_folder.At("out", "results.md"));
        foreach (string part in (string[])
            ["- commit: 0123456789", "- Driver: none of note", "| a table |", "| FFMA | 1.00 clk |", "simulated, no GPU"])
            Assert.Contains(part, results, StringComparison.Ordinal);
        Assert.Equal(["card.safetensors", "gpubench.json", "logs.tar.gz", "results.md", "summary.json"],
            Directory.GetFiles(_folder.At("out")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
    }

    /// <summary>The script as it lies in a pack.</summary>
    private string Pack()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(p => File.Exists(Path.Combine(p, "python3"))),
            "there is no python3");
        Directory.CreateDirectory(_folder.At("gpu-check"));
        File.Copy(Path.Combine(Scripts, "gpu-check-run.py"), _folder.At("gpu-check", "run"));
        return _folder.At("gpu-check", "run");
    }

    private void Program(string name, string text)
    {
        string path = _folder.At("gpu-check", "bin", name);
        File.WriteAllText(path, $"#!/usr/bin/env bash\n{text}\n");
        if (OperatingSystem.IsWindows()) return;
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static (int Code, string Out, string Error) Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    [GeneratedRegex(@"^STAGES = \((?<names>[^)]*)\)", RegexOptions.Multiline)]
    private static partial Regex Stages();
}
