using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli.Tests;

/// <summary>The command lines of the documentation are command lines.</summary>
public class DocumentationTests
{
    public static IEnumerable<TheoryDataRow<string>> CommandLines() => Pages.SelectMany(Fenced).Select(l => l.Trim())
        .Where(l => l.StartsWith("./sa2va ", StringComparison.Ordinal)).Distinct().Select(l => new TheoryDataRow<string>(l));

    private static IEnumerable<string> Pages =>
    [
        Path.Combine(Fixtures.Repository, "README.md"), Path.Combine(Fixtures.Repository, "samples", "README.md"),
        .. Directory.EnumerateFiles(Path.Combine(Fixtures.Repository, "docs"), "*.md", SearchOption.AllDirectories),
    ];

    [Theory]
    [MemberData(nameof(CommandLines))]
    public void Every_command_line_parses(string line)
    {
        var command = new CommandLine(new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, CancellationToken.None));
        Assert.Null(ArgumentReader.Problem(command.Parse(ShellWords.Of(line)[1..])));
    }

    [Fact]
    public void The_page_of_the_samples_names_files_that_are_there()
    {
        string run = Assert.Single(Fenced(Path.Combine(Fixtures.Repository, "samples", "README.md")),
            l => l.StartsWith("dotnet run", StringComparison.Ordinal));
        string[] words = ShellWords.Of(run);
        foreach (string path in words[(Array.IndexOf(words, "--") + 1)..^1])
            Assert.True(Path.Exists(InClone(path)), path);
    }

    [Fact]
    public void What_needs_nothing_but_the_clone_runs_as_written()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the launcher is a shell script");
        using var folder = new ScratchFolder();
        foreach (string line in Fenced(Path.Combine(Fixtures.Repository, "samples", "README.md"))
            .Where(l => l.StartsWith("./sa2va ", StringComparison.Ordinal)))
        {
            // As written, but for the folder, which belongs into no repository.
            string[] args = [.. ShellWords.Of(line)[1..].Select(a => a == "result" ? folder.At("result") : InClone(a))];
            CliRun run = CliRun.Of(args);
            Assert.Equal((0, ""), (run.Code, run.Error));
        }
    }

    private static string InClone(string word) => word.StartsWith("samples/", StringComparison.Ordinal)
        ? Path.Combine(Fixtures.Repository, word) : word;

    private static IEnumerable<string> Fenced(string page)
    {
        bool inside = false;
        foreach (string line in File.ReadLines(page))
            if (line.StartsWith("```", StringComparison.Ordinal)) inside = !inside;
            else if (inside) yield return line;
    }
}
