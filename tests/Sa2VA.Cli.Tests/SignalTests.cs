using System.Diagnostics;
using System.Globalization;

namespace Sa2VA.Cli.Tests;

/// <summary>Signals that end a program, sent to a process of its own: exit 130, nothing left behind.</summary>
public class SignalTests
{
    [Theory]
    [InlineData("HUP")]
    [InlineData("TERM")]
    [InlineData("INT")]
    [InlineData("QUIT")]
    [InlineData("USR1")]
    [InlineData("ALRM")]
    [InlineData("PWR")]
    [InlineData("PROF")]
    public async Task Every_signal_stops_in_an_orderly_way(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no kill");
        Assert.SkipWhen(signal == "PWR" && !OperatingSystem.IsLinux(), "a signal of Linux");
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Assert.SkipWhen(await IsIgnored(signal, cancellation), $"SIG{signal} is ignored here");
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("out"));
        using Process process = Start("segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt",
            "Please segment the red circle.",
            "--prompt", "Please segment the blue star.", "--prompt", "Please segment the green ring.", "--json", "--out", folder.At("out"));
        Task<string> error = process.StandardError.ReadToEndAsync(cancellation);
        while (await process.StandardOutput.ReadLineAsync(cancellation) is { } line)
            if (line.Contains("\"frame\":1,", StringComparison.Ordinal)) break;
        Assert.Contains(folder.Entries, e => e.EndsWith(".part", StringComparison.Ordinal));
        using (var kill = Process.Start("kill",
            [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(cancellation);
        await process.StandardOutput.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        Assert.Equal(130, process.ExitCode);
        Assert.Equal("sa2va: Cancelled.", (await error).Trim());
        Assert.Equal(["out"], folder.Entries);
    }

    [Fact]
    public void A_pipe_that_nobody_writes_to_can_be_given_up()
    {
        using var cancel = new CancellationTokenSource();
        using var pipe = new SilentPipe(cancel);
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, error, cancel.Token) { Bytes = pipe };
        Assert.Equal(130, Program.Run(["segment", "--model", CliRun.Toy, "--image", "-", "--prompt", "x", "--json"], terminal));
        Assert.Equal("sa2va: Cancelled.", error.ToString().Trim());
    }

    // A shell script's background jobs ignore INT and QUIT, nohup ignores HUP; what is ignored stays ignored.
    private static async Task<bool> IsIgnored(string signal, CancellationToken cancellation)
    {
        using Process shell = Process.Start(new ProcessStartInfo("/bin/sh",
            ["-c", $"ulimit -c 0; kill -{signal} $$; echo ignored"]) { RedirectStandardOutput = true })!;
        return (await shell.StandardOutput.ReadToEndAsync(cancellation)).Length > 0;
    }

    private static Process Start(params string[] args)
    {
        string dotnet = Environment.ProcessPath!, program = Path.Combine(AppContext.BaseDirectory, "sa2va.dll");
        if (!Path.GetFileNameWithoutExtension(dotnet).Equals("dotnet", StringComparison.Ordinal)) dotnet = "dotnet";
        return Process.Start(new ProcessStartInfo(dotnet, [program, .. args])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
    }

    /// <summary>A pipe that is open and empty; who reads it is interrupted.</summary>
    private sealed class SilentPipe(CancellationTokenSource cancel) : MemoryStream
    {
        private readonly ManualResetEventSlim _closed = new();

        public override int Read(byte[] buffer, int offset, int count)
        {
            cancel.Cancel();
            _closed.Wait(TestContext.Current.CancellationToken);
            return 0;
        }

        protected override void Dispose(bool disposing) => _closed.Set();
    }
}
