using System.CommandLine;
using System.Globalization;

namespace Sa2VA.Cli.Tests;

/// <summary>Random command lines: exit 0 or 2, one line for an error, never a bug.</summary>
public class HostileCommandLineTests
{
    private static readonly int Lines = FullRun.Times(1000, 30_000);

    private static readonly string[] Values =
    [
        "", " ", "-", "--", "-1", "0", "1", "2147483647", "2147483648", "-2147483648", "1e3", "NaN", "∞", "٣", "0x1", "1.5", "auto", "cpu",
            "first", "uniform", "0,1,2",
        "0,,1", "-5,3", "99999999999,1", "@file", "[suggest]", "%s%n", "$(reboot)", "`x`", "absent.png", "absent/", "a\0b", "a\nb",
            "\u001b[31m", "\ud800",
        "\udfff\ud800", "🙂", "e\u0301", "\u202Eabc", "name=value", "'", "\"", "\\", ":", "con", "nul", "sa2va-1b", "sa2va-99b", "decode",
            "decode,dreaming", ",,", "=",
    ];

    [Fact]
    public void Never_end_in_a_bug()
    {
        var random = new Random(20260801);
        Command[] commands = [.. new CommandLine(new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, CancellationToken.None))
            .Commands];
        for (int i = 0; i < Lines; i++)
        {
            string[] args = Mutated(random, commands);
            CliRun run = CliRun.Of(args);
            string shown = string.Create(CultureInfo.InvariantCulture,
                $"line {i}: {string.Join(" ", args.Select(Quoted.Of))} -> {run.Code}: {run.Error}");
            Assert.True(run.Code is 0 or 2, shown);
            Assert.DoesNotContain("This is a bug", run.Error, StringComparison.Ordinal);
            if (run.Code == 0) Assert.Equal("", run.Error);
            // The stack follows on request.
            if (run.Code == 0 || args.Any(a => a.StartsWith("--verbose", StringComparison.Ordinal))) continue;
            Assert.True(run.Error.Count(c => c == '\n') == 1, shown);
            Assert.DoesNotContain("System.", run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain('\u001b', run.Error);
            Assert.StartsWith("sa2va: ", run.Error, StringComparison.Ordinal);
        }
    }

    /// <summary>A likely line with words exchanged, doubled, spliced, cut and left out.</summary>
    private static string[] Mutated(Random random, Command[] commands)
    {
        Command command = commands[random.Next(commands.Length)];
        // These need nothing to begin their work, and writing gigabytes or a minute of checks is none of this test's.
        bool works = command.Name is "demo" or "synthesize" or "bench" or "doctor";
        var words = new List<string> { command.Name };
        foreach (Option option in command.Options)
            if (option.Required || random.Next(3) == 0)
            {
                words.Add(option.Name);
                if (option.HelpName is not null) words.Add(Values[random.Next(Values.Length)]);
            }
        int changes = random.Next(1, 5);
        for (int i = 0; i < changes; i++)
        {
            int at = random.Next(words.Count);
            switch (random.Next(7))
            {
                case 0: words.RemoveAt(at); break;
                case 1: words.Insert(at, words[random.Next(words.Count)]); break;
                case 2: words[at] = Values[random.Next(Values.Length)]; break;
                case 3: words.Insert(at, commands[random.Next(commands.Length)].Options[0].Name); break;
                case 4: words[at] += "=" + Values[random.Next(Values.Length)]; break;
                case 5: words[at] = words[at][..random.Next(words[at].Length + 1)]; break;
                default: words.Insert(at,
                    random.Next(4) switch { 0 => "--json", 1 => "--verbose", 2 => "--help", _ => new string('x', 5000) }); break;
            }
            if (words.Count == 0) words.Add("");
        }
        if (works) words.Add("--this-option-is-unknown");
        return [.. words];
    }
}
