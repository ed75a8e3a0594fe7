using System.Diagnostics;

namespace Sa2VA.Cli.Tests;

/// <summary>The launcher <c>sa2va</c>, with a stand-in for dotnet that prints its arguments.</summary>
public class LauncherTests
{
    [Fact]
    public void Passes_arguments_on_unchanged_from_any_folder_through_links_and_blanks()
    {
        using Clone clone = new("a folder with blanks");
        Directory.CreateSymbolicLink(clone.Scratch.At("link"), clone.Root);
        File.CreateSymbolicLink(clone.Scratch.At("sa2va link"), Path.Combine(clone.Root, "sa2va"));
        string[] args = ["segment", "--prompt", "two  blanks", "@x", "", "*", "$HOME", "a\"b'c", "-n", "--", "\\"];
        foreach (string path in (string[])[Path.Combine(clone.Root, "sa2va"), clone.Scratch.At("link", "sa2va"),
            clone.Scratch.At("sa2va link")])
        {
            (int code, string output, string error) = clone.Run(path, args);
            Assert.Equal((7, ""), (code, error));
            string[] lines = output.Split('\n')[..^1];
            Assert.EndsWith(Path.Combine("a folder with blanks", "artifacts", "command", "program", "sa2va.dll"), lines[0],
                StringComparison.Ordinal);
            Assert.Equal(args, lines[1..]);
        }
    }

    [Fact]
    public void Says_what_is_missing_without_dotnet()
    {
        using Clone clone = new("clone");
        File.Delete(clone.Scratch.At("bin", "dotnet"));
        (int code, string output, string error) = clone.Run(Path.Combine(clone.Root, "sa2va"), []);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("dotnet", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_stream_is_not_given_to_a_file()
    {
        using Clone clone = new("clone");
        clone.WriteDotnet("for n in 0 1 2; do [ -e /dev/fd/$n ] || exit 9; done; exit 7");
        string launcher = Path.Combine(clone.Root, "sa2va");
        foreach (string closed in (string[])["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
            Assert.Equal(7, clone.Run("/bin/bash", ["-c", $"exec \"$0\" {closed}", launcher]).Code);
    }

    [Fact]
    public void Too_few_files_are_told_or_made_more()
    {
        using Clone clone = new("clone");
        clone.WriteDotnet("[ \"$(ulimit -n)\" -ge 128 ] || exit 9; exit 7");
        string launcher = Path.Combine(clone.Root, "sa2va");
        Assert.Equal(7, clone.Run("/bin/bash", ["-c", "ulimit -S -n 60; exec \"$0\"", launcher]).Code);
        (int code, string output, string error) = clone.Run("/bin/bash", ["-c", "ulimit -n 60; exec \"$0\"", launcher]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("ulimit -n", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void Builds_to_machine_code_and_without_where_its_compiler_cannot_be_had()
    {
        using Clone clone = new("clone");
        const string Ahead = "-p:PublishReadyToRun=true";
        string launcher = Path.Combine(clone.Root, "sa2va"), source = Path.Combine(clone.Root, "src", "Added.cs");
        // What cannot compile ahead leaves what the other way made; the message of the first is not shown.
        clone.WriteDotnet($"""
            case "$*" in publish*{Ahead}*) echo "no such package"; exit 1;; publish*) exit 0;; *) exit 7;; esac
            """);
        File.WriteAllText(source, "");
        (int code, string output, string error) = clone.Run(launcher, []);
        Assert.Equal((7, ""), (code, output));
        Assert.DoesNotContain("no such package", error, StringComparison.Ordinal);
        clone.WriteDotnet($"""
            case "$*" in publish*{Ahead}*) exit 0;; publish*) exit 1;; *) exit 7;; esac
            """);
        File.Delete(source);
        Assert.Equal(7, clone.Run(launcher, []).Code);
        // A fault of the sources is told once, and nothing is run.
        clone.WriteDotnet("""
            case "$*" in publish*) echo "error CS1002"; exit 1;; *) exit 7;; esac
            """);
        File.WriteAllText(source, "");
        (code, output, error) = clone.Run(launcher, []);
        Assert.Equal((2, ""), (code, output));
        Assert.Single(error.Split('\n'), line => line.Contains("error CS1002", StringComparison.Ordinal));
    }

    /// <summary>The launcher in a folder of its own, with sources that count as built.</summary>
    private sealed class Clone : IDisposable
    {
        public Clone(string name)
        {
            Assert.SkipWhen(OperatingSystem.IsWindows(), "the launcher is a shell script");
            Root = Scratch.At(name);
            Directory.CreateDirectory(Path.Combine(Root, "artifacts", "command", "program"));
            Directory.CreateDirectory(Path.Combine(Root, "src"));
            Directory.CreateDirectory(Scratch.At("bin"));
            foreach (string file in (string[])["Directory.Build.props", "Directory.Packages.props", "global.json", "src/Program.cs",
                "artifacts/command/program/sa2va.dll"])
                File.WriteAllText(Path.Combine(Root, file), "");
            File.Copy(Path.Combine(Fixtures.Repository, "sa2va"), Path.Combine(Root, "sa2va"));
            WriteDotnet("""for a in "$@"; do printf '%s\n' "$a"; done; exit 7""");
            // The first run builds: the stand-in is asked to, and says nothing.
            string real = File.ReadAllText(Scratch.At("bin", "dotnet"));
            WriteDotnet("exit 0");
            Run(Path.Combine(Root, "sa2va"), []);
            File.WriteAllText(Scratch.At("bin", "dotnet"), real);
        }

        public ScratchFolder Scratch { get; } = new();

        public string Root { get; }

        public void WriteDotnet(string script)
        {
            File.WriteAllText(Scratch.At("bin", "dotnet"), $"#!/bin/bash\n{script}\n");
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Scratch.At("bin", "dotnet"),
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        public (int Code, string Output, string Error) Run(string program, string[] args)
        {
            var start = new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true,
                WorkingDirectory = Scratch.Path };
            start.Environment["PATH"] = $"{Scratch.At("bin")}:{ToolFolder()}";
            start.Environment["HOME"] = Scratch.Path;
            start.Environment.Remove("DOTNET_ROOT");
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }

        public void Dispose() => Scratch.Dispose();

        // The tools of the script without a dotnet that lies among them.
        private string ToolFolder()
        {
            string tools = Scratch.At("tools");
            if (Directory.Exists(tools)) return tools;
            Directory.CreateDirectory(tools);
            foreach (string tool in (string[])["bash", "env", "dirname", "readlink", "find", "sort", "cksum", "cat", "head", "mkdir", "mv",
                "rm", "cut", "tr", "grep", "flock"])
                foreach (string folder in (string[])["/usr/bin", "/bin"])
                    if (File.Exists(Path.Combine(folder, tool)) && !File.Exists(Path.Combine(tools, tool)))
                        File.CreateSymbolicLink(Path.Combine(tools, tool), Path.Combine(folder, tool));
            return tools;
        }
    }
}
