using System.Text.Json;

namespace Sa2VA.Cli.Tests;

/// <summary>A run of the command in this process, and what it wrote.</summary>
internal sealed class CliRun
{
    private CliRun(int code, string output, string error) => (Code, Out, Error) = (code, output, error);

    public int Code { get; }

    public string Out { get; }

    public string Error { get; }

    /// <summary>Standard output as JSON lines.</summary>
    public JsonElement[] Json => [.. Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];

    public static string Toy => Path.Combine(Fixtures.Repository, "samples", "models", "sa2va-tiny-shapes");

    public static string Shapes => Path.Combine(Fixtures.Repository, "samples", "media", "shapes.png");

    public static string Clip => Path.Combine(Fixtures.Repository, "samples", "media", "shapes");

    public static CliRun Of(params string[] args) => With(null, TextReader.Null, args);

    /// <param name="onLine">Told every line of standard output; may cancel.</param>
    /// <param name="input">Standard input.</param>
    /// <param name="args">Arguments.</param>
    public static CliRun With(Action<string, CancellationTokenSource>? onLine, TextReader input, params string[] args) =>
        With(onLine, input, null, args);

    /// <summary>The same, with so long for files to be completed once the run was stopped; null for the terminal's own.</summary>
    public static CliRun With(Action<string, CancellationTokenSource>? onLine, TextReader input, TimeSpan? patience, string[] args)
    {
        using var cancel = new CancellationTokenSource();
        using var output = new WatchedWriter(line => onLine?.Invoke(line, cancel));
        using var error = new StringWriter();
        var terminal = new Terminal(input, output, error, cancel.Token);
        if (patience is { } time) terminal = new Terminal(input, output, error, cancel.Token) { Patience = time };
        int code = Program.Run(args, terminal);
        return new CliRun(code, output.ToString(), error.ToString());
    }

    /// <summary>
    /// Bad input: exit 2, one line on standard error that names each of <paramref name="parts"/>, nothing on standard output.
    /// </summary>
    public void AssertRefused(params string[] parts)
    {
        Assert.Equal(2, Code);
        Assert.Equal("", Out);
        string line = Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("sa2va: ", line, StringComparison.Ordinal);
        foreach (string part in parts) Assert.Contains(part, line, StringComparison.Ordinal);
    }

    /// <summary>The same with <c>--json</c>: one error line on standard output as well.</summary>
    public void AssertRefusedWithJson(params string[] parts)
    {
        Assert.Equal(2, Json.Single().GetProperty("exit").GetInt32());
        foreach (string part in parts) Assert.Contains(part, Json[0].GetProperty("message").GetString(), StringComparison.Ordinal);
        new CliRun(Code, "", Error).AssertRefused(parts);
    }

    /// <summary>
    /// Done, and one line on standard error says that the mask of what points or a box showed is no good: the small model has not learnt
    /// what these are.
    /// </summary>
    public void AssertShownInDoubt()
    {
        Assert.Equal(0, Code);
        string line = Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Matches(@"^Of what was shown (the best score( of all frames)? is 0\.\d\d, |the mask is empty)", line);
        Assert.EndsWith("more points, or a box, may help.", line, StringComparison.Ordinal);
    }

    private sealed class WatchedWriter(Action<string> onText) : StringWriter
    {
        public override void Write(string? value)
        {
            base.Write(value);
            onText(value ?? "");
        }

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            onText(value ?? "");
        }
    }
}
