using System.Diagnostics;

namespace Sa2VA.Cli.Tests;

/// <summary>docs/adding-an-op.md, done as it says in a copy of the repository: the op compiles, and its tests pass.</summary>
public class AddingAnOpTests
{
    private static readonly string[] Folders =
    [
        "src/Sa2VA.Core", "src/Sa2VA.Cpu", "src/Sa2VA.Cuda", "src/Sa2VA.VirtualGpu", "tests/Common", "tests/Sa2VA.Backends.Tests",
        "kernels/ptx",
    ];

    private static readonly string[] Files =
    [
        ".editorconfig", "Directory.Build.props", "Directory.Packages.props", "global.json", "LICENSE", "src/Directory.Build.props",
        "src/package.md", "src/icon.png", "tests/Directory.Build.props", "kernels/resources.txt",
    ];

    [Fact]
    public void The_page_is_true()
    {
        Assert.SkipUnless(FullRun.IsAsked, "./test --full builds a copy of the repository");
        using var copy = new ScratchFolder();
        foreach (string file in Files.Concat(Folders.SelectMany(Within)).Where(f => File.Exists(Here(f))))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(copy.At(file))!);
            File.Copy(Here(file), copy.At(file));
        }
        string[] blocks = [.. File.ReadAllText(Here("docs/adding-an-op.md")).ReplaceLineEndings("\n").Split("```cs\n")[1..]
            .Select(b => b.Split("```")[0])];
        Assert.Equal(5, blocks.Length);
        File.WriteAllText(copy.At("src/Sa2VA.Core/Ops/Clamp.cs"), blocks[0]);
        File.WriteAllText(copy.At("src/Sa2VA.Cpu/Kernels/Clamp.cs"), blocks[1]);
        Change(copy.At("src/Sa2VA.Cpu/KernelFactory.cs"), "        MatMul o => ", blocks[2] + "        MatMul o => ");
        File.WriteAllText(copy.At("tests/Sa2VA.Backends.Tests/ClampTests.cs"), blocks[3]);
        Change(copy.At("tests/Sa2VA.Backends.Tests/EveryOp.cs"), "        Tensor scores = g.Softmax(g.MatMul(four, x));\n", blocks[4]);
        string project = "tests/Sa2VA.Backends.Tests";
        Run(copy.Path, "build", project, "-c", "Release", "-nologo", "-v", "quiet", "-nodeReuse:false");
        string tests = $"{project}/bin/Release/net10.0/Sa2VA.Backends.Tests.dll";
        string said = Run(copy.Path, tests, "-noLogo", "-noColor", "-class", "*ClampTests");
        Assert.Contains("Total: 6, Errors: 0, Failed: 0", said, StringComparison.Ordinal);
    }

    private static string Here(string path) => Path.Combine([Fixtures.Repository, .. path.Split('/')]);

    private static IEnumerable<string> Within(string folder) => Directory.EnumerateFiles(Here(folder), "*", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(Fixtures.Repository, f).Replace(Path.DirectorySeparatorChar, '/'))
        .Where(f => !f.Contains("/bin/", StringComparison.Ordinal) && !f.Contains("/obj/", StringComparison.Ordinal));

    private static void Change(string file, string what, string into)
    {
        string text = File.ReadAllText(file).ReplaceLineEndings("\n");
        Assert.Equal(2, text.Split(what).Length);
        File.WriteAllText(file, text.Replace(what, into, StringComparison.Ordinal));
    }

    private static string Run(string folder, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", args)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> error = Task.Run(process.StandardError.ReadToEnd);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"dotnet ended with {process.ExitCode}.\n{output}\n{error.Result}");
        return output;
    }
}
