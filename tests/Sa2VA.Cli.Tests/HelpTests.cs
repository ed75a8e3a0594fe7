using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli.Tests;

public class HelpTests
{
    public static IEnumerable<TheoryDataRow<string>> Commands() =>
        new CommandLine(new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, CancellationToken.None)).Commands
            .Select(c => new TheoryDataRow<string>(c.Name));

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_of_every_command_has_an_example_that_parses(string name)
    {
        CliRun run = CliRun.Of(name, "--help");
        Assert.Equal((0, ""), (run.Code, run.Error));
        string[] examples = [.. run.Out.Split('\n').Select(l => l.Trim())
            .Where(l => l.StartsWith($"sa2va {name}", StringComparison.Ordinal) && !l.Contains("[options]", StringComparison.Ordinal))];
        Assert.NotEmpty(examples);
        var line = new CommandLine(new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, CancellationToken.None));
        Assert.All(examples, e => Assert.Null(ArgumentReader.Problem(line.Parse(ShellWords.Of(e)[1..]))));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_default_is_shown_as_it_would_be_given(string name)
    {
        string[] defaults = [.. CliRun.Of(name, "--help").Out.Split("[default: ").Skip(1)
            .Select(t => t[..t.IndexOf(']', StringComparison.Ordinal)])];
        Assert.All(defaults, d => Assert.Matches("^[a-z0-9:-]+$", d));
    }

    [Fact]
    public void Help_of_the_program_lists_every_command()
    {
        CliRun run = CliRun.Of("--help");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.All(Commands(), c => Assert.Contains($"  {c.Data}", run.Out, StringComparison.Ordinal));
    }
}
