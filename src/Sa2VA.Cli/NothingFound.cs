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
        if (answer.Objects.All(o => o.Mask is { Area: 0 })) return found + Empty(answer.Objects.Count) + ".";
        return found + LowScore("", answer.Objects.Max(o => o.Score) ?? 0);
    }

    /// <summary>Why a video shows nothing of what an answer names.</summary>
    /// <param name="prompt">Its question.</param>
    /// <param name="objects">How many it names.</param>
    /// <param name="best">The best score of masks that are not empty; negative if all are empty.</param>
    public static string InVideo(string prompt, int objects, float best) => $"Nothing found for {Quoted.Of(prompt)}: "
        + (best < 0 ? Empty(objects) + " on all frames." : LowScore(" of all frames", best));

    /// <summary>What is to be said of an object that points or a box showed and that was not found.</summary>
    /// <param name="isVideo">True if it was looked for on all frames of a video.</param>
    /// <param name="best">The best score of masks that are not empty; negative if all are empty.</param>
    public static string OfShown(bool isVideo, float best)
    {
        string why = best >= 0 ? LowScore(isVideo ? " of all frames" : "", best) : $"{Empty(1)}{(isVideo ? " on all frames" : "")}.";
        return $"Of what was shown {why.TrimEnd('.')}; more points, or a box, may help.";
    }

    private static string Empty(int masks) => masks == 1 ? "the mask is empty"
        : FormattableString.Invariant($"all {masks} masks are empty");

    private static string LowScore(string where, float best) => FormattableString.Invariant($"the best score{where} is {best:0.00}, ")
        + FormattableString.Invariant($"and below {ObjectMask.LowScoreBelow:0.0} a mask is hardly what was asked for.");
}
