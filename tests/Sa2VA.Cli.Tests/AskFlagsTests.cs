namespace Sa2VA.Cli.Tests;

/// <summary>How answers are made, on every command that asks.</summary>
public class AskFlagsTests
{
    private static readonly string[] Chat = ["chat", "--model", CliRun.Toy, "--prompt", "What can you do?"];

    private const string Usual = "I can segment, describe and track coloured shapes.";

    [Fact]
    public void A_seed_draws_the_same_again_and_another_one_otherwise()
    {
        string[] drawn = [.. ((int[])[1, 1, 2, 3, 4]).Select(seed => CliRun.Of([.. Chat, "--temperature", "20", "--max-tokens", "20",
            "--seed", $"{seed}"]).Out)];
        Assert.Equal(drawn[0], drawn[1]);
        Assert.True(drawn.Distinct().Count() > 1);
        // Of the likeliest alone there is nothing to draw.
        Assert.Equal(Usual, CliRun.Of([.. Chat, "--temperature", "2", "--top-k", "1"]).Out.Trim());
        Assert.Equal(Usual, CliRun.Of([.. Chat, "--temperature", "2", "--top-p", "0"]).Out.Trim());
        Assert.NotEqual(Usual, CliRun.Of([.. Chat, "--repetition-penalty", "10"]).Out.Trim());
    }

    [Fact]
    public void An_answer_ends_before_a_text_and_begins_with_one()
    {
        Assert.Equal("I can segment,", CliRun.Of([.. Chat, "--stop", " describe", "--stop", "never"]).Out.Trim());
        string[] ask = ["--model", CliRun.Toy, "--image", CliRun.Shapes, "--json", "--answer-prefix", "It is [SEG]."];
        CliRun segment = CliRun.Of(["segment", .. ask, "--prompt", "What can you do?"]);
        Assert.StartsWith("It is [SEG].", segment.Json[1].GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, segment.Json[1].GetProperty("objects")[0].GetInt32());
        CliRun describe = CliRun.Of(["describe", .. ask, "--stop", "SEG"]);
        Assert.StartsWith("It is [SEG].", describe.Json[1].GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("segment", "--prompt", "What can you do?", "--json")]
    [InlineData("describe", "--json")]
    [InlineData("track", "--prompt", "What can you do?", "--json", "--max-frames", "1")]
    public void An_answer_has_no_more_tokens_than_it_may_and_says_what_allows_more(string command, params string[] rest)
    {
        string[] what = command == "track" ? [CliRun.Clip] : ["--image", CliRun.Shapes];
        CliRun run = CliRun.Of([command, .. what, "--model", CliRun.Toy, "--max-tokens", "2", .. rest]);
        Assert.Equal(2, run.Json.Single(l => l.GetProperty("type").GetString() == "answer").GetProperty("tokens").GetInt32());
        Assert.Contains("was cut off after 2 tokens; --max-tokens allows more.", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--top-k belongs to --temperature above 0", "--top-k", "3")]
    [InlineData("--seed belongs to --temperature above 0", "--seed", "3", "--temperature", "0")]
    [InlineData("--top-p takes a number from 0 to 1", "--top-p", "1.5", "--temperature", "1")]
    [InlineData("--temperature takes a number from 0 to 100", "--temperature", "-1")]
    [InlineData("--repetition-penalty takes a number from 0.1 to 10", "--repetition-penalty", "0")]
    [InlineData("--stop is empty", "--stop", "")]
    [InlineData("--answer-prefix is empty", "--answer-prefix", " ")]
    public void What_does_not_fit_is_refused(string message, params string[] options)
    {
        CliRun.Of([.. Chat, .. options]).AssertRefused(message);
        CliRun.Of(["segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "x", "--json", .. options])
            .AssertRefusedWithJson(message);
    }

    [Fact]
    public void Too_many_stop_strings_and_too_long_ones_are_refused()
    {
        CliRun.Of([.. Chat, .. Enumerable.Repeat("--stop=x", 17)]).AssertRefused("--stop is given 17 times; at most 16");
        CliRun.Of([.. Chat, "--stop", new string('x', 1001)]).AssertRefused("has 1001 characters; at most 1000");
    }
}
