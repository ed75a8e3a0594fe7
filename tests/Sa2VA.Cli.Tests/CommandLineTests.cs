using System.CommandLine;
using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli.Tests;

/// <summary>How arguments are read.</summary>
public class CommandLineTests
{
    private static readonly string[] Complete = ["segment", "--model", "m", "--image", "i", "--prompt", "x"];

    [Theory]
    [InlineData("@user says: what is red?")]
    [InlineData("@note")]
    [InlineData("-x")]
    [InlineData("--json")]
    [InlineData("--out=elsewhere")]
    [InlineData("--")]
    [InlineData("/new")]
    [InlineData("/?")]
    [InlineData("-h")]
    [InlineData("[diagram]")]
    [InlineData("-5")]
    [InlineData("a=b")]
    [InlineData("\"quoted\"")]
    [InlineData("C:\\x")]
    public void A_prompt_is_text_whatever_it_begins_with(string prompt)
    {
        foreach (string[] args in (string[][])[["--prompt", prompt], [$"--prompt={prompt}"]])
        {
            ParseResult line = Parse(["segment", "--model", "m", "--image", "i", .. args, "--out", "o"]);
            Assert.Null(ArgumentReader.Problem(line));
            Assert.Equal("segment", line.CommandResult.Command.Name);
            Assert.Same(line.CommandResult.Command.Action, line.Action);
            Assert.False(line.GetValue<bool>("--json"));
            Assert.Equal([prompt], line.GetRequiredValue<string[]>("--prompt"));
            Assert.Equal("o", line.GetValue<string>("--out"));
        }
    }

    [Fact]
    public void A_file_named_in_a_prompt_is_not_read()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("note"), "--out elsewhere");
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--prompt", "@" + folder.At("note"));
        Assert.Equal((0, ""), (run.Code, run.Error));
    }

    [Theory]
    [InlineData("@out")]
    [InlineData("-out")]
    [InlineData("/h")]
    [InlineData("--folder")]
    [InlineData("a=b")]
    [InlineData("*")]
    [InlineData("~")]
    [InlineData("$HOME")]
    public void A_path_is_text_too(string path) => 
        Assert.Equal(path, Parse([.. Complete, "--out", path]).GetValue<string>("--out"));

    [Fact]
    public void A_path_called_as_an_option_needs_the_sign()
    {
        Assert.Contains("--out=--json", ArgumentReader.Problem(Parse([.. Complete, "--out", "--json"])), StringComparison.Ordinal);
        Assert.Equal("--json", Parse([.. Complete, "--out=--json"]).GetValue<string>("--out"));
    }

    [Fact]
    public void Several_values_end_at_the_next_option()
    {
        Assert.Null(ArgumentReader.Problem(Parse(["segment", "--model", "m", "--image", "a", "-", "--image=-b", "--point", "-1,2"])));
        ParseResult line = Parse(["verify", "--goldens", "a", "b", "--json", "--goldens=c"]);
        Assert.Equal(["a", "b", "c"], line.GetRequiredValue<string[]>("--goldens"));
        Assert.True(line.GetValue<bool>("--json"));
    }

    [Fact]
    public void Pictures_may_be_what_a_shell_finds()
    {
        ParseResult line = Parse(["segment", "--model", "m", "--image", "a.png", "b.png", "--prompt", "x", "--image=c.png"]);
        Assert.Equal(["a.png", "b.png", "c.png"], line.GetRequiredValue<string[]>("--image"));
        // What talks of one picture takes one.
        CliRun.Of("chat", "--model", "m", "--image", "a.png", "b.png").AssertRefused("'b.png' belongs to no option");
    }

    [Theory]
    [InlineData("segment --model m --model n", "--model is given twice")]
    [InlineData("segment --modle m", "is --model meant?")]
    [InlineData("segment --MODEL m", "'--MODEL'")]
    [InlineData("segment --model m --image i --promt x", "There is no option '--promt'; is --prompt meant?")]
    [InlineData("segment --model m --image i --overwite --prompt x", "is --overwrite meant?")]
    [InlineData("verify --goldens a b -jsn", "'-jsn'")]
    [InlineData("track --promt x --model m", "is --prompt meant?")]
    [InlineData("segment -jv", "'-jv'")]
    [InlineData("segment --json=true", "is a switch")]
    [InlineData("segment --out", "--out needs a value: --out DIR.")]
    [InlineData("segment --out a --out", "--out needs a value: --out DIR.")]
    [InlineData("bench --threads", "--threads needs a value: --threads N.")]
    [InlineData("chat --threads --device=cpu", "If it is called that, write --threads=--device")]
    [InlineData("segment stray", "'stray' belongs to no option")]
    [InlineData("segment -- x", "'--'")]
    [InlineData("segment --out=", "--out is empty")]
    [InlineData("segment --image i", "Give --model DIR|NAME.")]
    [InlineData("[suggest]", "'[suggest]'")]
    [InlineData("--model m segment", "'--model'")]
    [InlineData("verify", "Give --goldens FILE|DIR.")]
    [InlineData("", "Give a command.")]
    public void What_is_wrong_is_said(string line, string part)
    {
        CliRun run = CliRun.Of(ShellWords.Of(line));
        run.AssertRefused(part, "--help`");
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("segment --bogus --help")]
    [InlineData("segment -h")]
    [InlineData("segment --threads x /?")]
    [InlineData("--version")]
    [InlineData("--verbose --version")]
    public void Help_is_given_beside_errors(string line)
    {
        CliRun run = CliRun.Of(ShellWords.Of(line));
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.NotEqual("", run.Out);
    }

    [Theory]
    [InlineData("1e3")]
    [InlineData("abc")]
    [InlineData("1.5")]
    [InlineData("NaN")]
    [InlineData("-99999")]
    [InlineData("99999999999999999999")]
    [InlineData("1,000")]
    [InlineData("0x10")]
    [InlineData("१२")]
    public void Every_number_says_its_bounds(string value)
    {
        foreach (Command command in Line.Commands)
            foreach (NumberOption option in command.Options.OfType<NumberOption>())
                CliRun.Of(command.Name, option.Name, value).AssertRefused($"{option.Name} takes a whole number from ", $"'{value}'");
    }

    [Fact]
    public void Every_choice_says_its_words()
    {
        foreach (Command command in Line.Commands)
            foreach (ChoiceOption option in command.Options.OfType<ChoiceOption>())
                foreach (string value in (string[])["", "AUTO", "other", $"{option.GetDefaultValue()} "])
                    CliRun.Of(command.Name, $"{option.Name}={value}")
                        .AssertRefused($"{option.Name} takes {option.GetDefaultValue()}", " or ");
    }

    [Fact]
    public void Every_text_may_not_be_empty()
    {
        foreach (Command command in Line.Commands)
            foreach (Option option in command.Options.Where(o => o is TextOption or TextListOption))
                foreach (string value in (string[])["", " ", "\t"]) CliRun.Of(command.Name, option.Name, value)
                    .AssertRefused($"{option.Name} is empty");
    }

    [Fact]
    public void A_message_is_one_line_whatever_it_quotes()
    {
        CliRun.Of("segment", "--model", "a\nb\u001b[2J\ud800", "--image", "absent\r\n.png", "--prompt", "x", "--json")
            .AssertRefusedWithJson("'absent .png'");
        CliRun.Of("chat", "--model", "m", "--image", "a\u001b[2J\ud800" + new string('x', 100_000))
            .AssertRefused("'a\uFFFD[2J\uFFFDx", "…");
    }

    [Theory]
    [InlineData(0, "0 masks")]
    [InlineData(1, "1 mask")]
    [InlineData(12345, "12345 masks")]
    public void Counts_have_their_plural(long count, string words) => Assert.Equal(words, Plural.Of(count, "mask"));

    private static CommandLine Line => new(new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, CancellationToken.None));

    private static ParseResult Parse(string[] args) => Line.Parse(args);
}
