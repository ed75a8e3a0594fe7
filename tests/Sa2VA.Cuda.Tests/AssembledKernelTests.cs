using System.Diagnostics;
using System.Text.Json;

namespace Sa2VA.Tests;

/// <summary>
/// Machine code that is made beside the PTX (<c>scripts/assemble-kernels</c>) and built into the backend: only what is of the PTX that is
/// there. In a folder of its own, with an assembler that writes down what it was asked for.
/// </summary>
public sealed class AssembledKernelTests : IDisposable
{
    private const string Stamp = "0123456789abcdef", Other = "fedcba9876543210";

    private readonly ScratchFolder _folder = new();

    public AssembledKernelTests()
    {
        Write($"// stamp {Stamp}01 of map.cu\n.version 8.4\n", "kernels", "ptx", "map.ptx");
        Write($"// stamp {Stamp}02 of linear_hopper.cu\n.version 8.4\n", "kernels", "ptx", "linear_hopper.ptx");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_PTX_is_assembled_once_for_each_architecture_and_nothing_of_another_source_stays()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the script is for Linux");
        Write("""
            #!/bin/sh
            echo "$*" >> "$(dirname "$0")/asked"
            [ "${1#-arch=}" != "$(cat "$(dirname "$0")/refused" 2> /dev/null)" ] || exit 1
            printf '%s' "$1" > "$4"
            """, "tools", "root", "usr", "bin", "ptxas");
        Assert.Equal(0, Run("chmod", "+x", _folder.At("tools", "root", "usr", "bin", "ptxas")).Code);
        Write("", "kernels", "cubin", "sm_80", $"map.{Other}.cubin");
        Write("", "kernels", "cubin", "sm_90", $"gone.{Stamp}.cubin");
        Write("", "kernels", "cubin", "sm_90", "map.cubin");
        string[] all =
            [.. ((int[])[80, 86, 89, 90]).Select(a => $"sm_{a}/map.{Stamp}.cubin"), $"sm_90a/linear_hopper.{Stamp}.cubin"];

        Write("sm_89", "tools", "root", "usr", "bin", "refused");
        Assert.NotEqual(0, Assemble());
        Assert.Equal(all.Except([$"sm_89/map.{Stamp}.cubin"]), Files());
        File.Delete(_folder.At("tools", "root", "usr", "bin", "refused"));
        Assert.Equal(0, Assemble());
        Assert.Equal(0, Assemble());
        Assert.Equal(all, Files());
        Assert.Equal("-arch=sm_90a", File.ReadAllText(_folder.At("kernels", "cubin", "sm_90a", $"linear_hopper.{Stamp}.cubin")));
        Assert.Equal(all.Length + 1, File.ReadAllLines(_folder.At("tools", "root", "usr", "bin", "asked")).Length);

        string[] Files() => [.. Directory.GetFiles(_folder.At("kernels", "cubin"), "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(_folder.At("kernels", "cubin"), f)).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void The_backend_gets_the_machine_code_of_its_PTX_alone()
    {
        foreach ((string folder, string file) in ((string, string)[])[("sm_80", $"map.{Stamp}"), ("sm_86", $"map.{Other}"),
            ("sm_89", "map"), ("sm_90", $"gone.{Stamp}"), ("sm_90a", $"linear_hopper.{Stamp}")])
            Write("", "kernels", "cubin", folder, $"{file}.cubin");
        Directory.CreateDirectory(_folder.At("src", "Sa2VA.Cuda"));
        string project = _folder.At("src", "Sa2VA.Cuda", "Sa2VA.Cuda.csproj");
        File.Copy(Path.Combine(Fixtures.Repository, "src", "Sa2VA.Cuda", "Sa2VA.Cuda.csproj"), project);
        (int code, string output) = Run("dotnet", "msbuild", project, "-getItem:EmbeddedResource");
        Assert.True(code == 0, output);
        Assert.Equal(["cubin/sm_80/map", "cubin/sm_90a/linear_hopper", "ptx/linear_hopper", "ptx/map", "resources.txt"],
            JsonDocument.Parse(output).RootElement.GetProperty("Items").GetProperty("EmbeddedResource").EnumerateArray()
                .Select(i => i.GetProperty("LogicalName").GetString()).Order(StringComparer.Ordinal));
    }

    private int Assemble()
    {
        Directory.CreateDirectory(_folder.At("scripts"));
        File.Copy(Path.Combine(Fixtures.Repository, "scripts", "assemble-kernels"), _folder.At("scripts", "assemble-kernels"), true);
        return Run("bash", _folder.At("scripts", "assemble-kernels")).Code;
    }

    private (int Code, string Out) Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CUDA_TOOLS"] = _folder.At("tools");
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }

    private void Write(string text, params string[] path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.At(path))!);
        File.WriteAllText(_folder.At(path), text);
    }
}
