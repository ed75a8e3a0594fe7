using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>What is said of an answer that shows nothing, so that it does not look like a result.</summary>
internal static class NothingFound
{
    /// <summary>Why an answer shows nothing.</summary>
    /// <param name="answer">One that is not <see cref="Answer.Found"/>.</param>
    /// <param name="prompt">Its question.</param>
    /// <param name="picture">The picture, if there are several; else null.</param>
    public static string In(Answer answer, string prompt, string? picture = null)
    {
        string found = $"Nothing found{(picture is null ? "" : $" in {Quoted.Of(picture)}")} for {Quoted.Of(prompt)}: ";
        if (answer.Objects.Count == 0) return found + "the answer names no object. Ask as in 'Please segment the dog.'";
        if (answer.Objects.All(o => o.Mask is { Area: 0 })) return found + "the mask is empty.";
        return found + FormattableString.Invariant($"the best score is {answer.Objects.Max(o => o.Score):0.00}, ")
            + FormattableString.Invariant($"and below {ObjectMask.LowScoreBelow:0.0} a mask is hardly what was asked for.");
    }
}
