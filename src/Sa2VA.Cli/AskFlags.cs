using System.CommandLine;
using Sa2VA.Cli.Arguments;
using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>The options that say how an answer is made; a command makes its own.</summary>
internal sealed class AskFlags
{
    private const int MostTokens = 1_000_000;

    private readonly NumberOption _maxTokens =
        new("--max-tokens", "Most tokens of an answer.", 1, MostTokens, AskOptions.DefaultMaxNewTokens);

    private readonly DecimalOption _temperature = new("--temperature",
        "Draw tokens instead of taking the likeliest: below 1 closer to it, above 1 freer; 0, the default, draws nothing.", 0, 100);

    private readonly NumberOption _topK = new("--top-k", "Draw from the N likeliest tokens only.", 1, int.MaxValue - 1);

    private readonly DecimalOption _topP = new("--top-p", "Draw from the likeliest tokens that together have this probability only.", 0, 1);

    private readonly NumberOption _seed = new("--seed", "Draw the same each time; another number draws otherwise.", 0, int.MaxValue);

    private readonly DecimalOption _penalty = new("--repetition-penalty",
        "Make tokens less likely that were there already: above 1; 1, the default, changes nothing.", 0.1f, 10);

    private readonly TextListOption _stop = new("--stop", "TEXT", "End an answer before this text; may be given several times.");

    private readonly TextOption _prefix = new("--answer-prefix", "TEXT",
        "Have answers begin so, such as \"Sure, [SEG].\" for a model that forgets to segment.");

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_maxTokens, _temperature, _topK, _topP, _seed, _penalty, _stop, _prefix];

    /// <summary>What was chosen.</summary>
    /// <exception cref="UsageException">Choices about a draw where nothing is drawn, or too many or too long stop strings.</exception>
    public AskOptions Of(ParseResult values)
    {
        float temperature = values.GetValue(_temperature);
        Option? idle = ((Option[])[_topK, _topP, _seed]).FirstOrDefault(o => ArgumentReader.Has(values, o));
        if (temperature == 0 && idle is not null)
            throw new UsageException($"{idle.Name} belongs to --temperature above 0: without it the likeliest token is taken.");
        string[] stop = values.GetValue(_stop) ?? [];
        if (stop.Length > AskOptions.MaxStopStrings)
            throw new UsageException($"--stop is given {stop.Length} times; at most {AskOptions.MaxStopStrings} can be.");
        if (Array.Find(stop, s => s.Length > AskOptions.MaxStopStringLength) is { } tooLong)
            throw new UsageException($"--stop {Quoted.Of(tooLong)} has {tooLong.Length} characters; at most "
                + $"{AskOptions.MaxStopStringLength} can be.");
        var options = new AskOptions
        {
            MaxNewTokens = values.GetValue(_maxTokens),
            Temperature = temperature,
            TopK = values.GetValue(_topK),
            TopP = ArgumentReader.Has(values, _topP) ? values.GetValue(_topP) : 1,
            Seed = ArgumentReader.Has(values, _seed) ? values.GetValue(_seed) : null,
            RepetitionPenalty = ArgumentReader.Has(values, _penalty) ? values.GetValue(_penalty) : 1,
            AnswerPrefix = values.GetValue(_prefix),
        };
        // Options that say nothing are equal to those that were never touched.
        return stop.Length == 0 ? options : options with { StopStrings = stop };
    }

    /// <summary>Why an answer breaks off, and what allows more of it.</summary>
    /// <param name="answer">One that is <see cref="Answer.Truncated"/>.</param>
    /// <param name="asked">How it was asked for.</param>
    public static string CutOff(Answer answer, AskOptions asked) => $"was cut off after {Plural.Of(answer.TokenIds.Count, "token")}"
        + (answer.TokenIds.Count < asked.MaxNewTokens ? ": the model's context is full." : "; --max-tokens allows more.");
}
