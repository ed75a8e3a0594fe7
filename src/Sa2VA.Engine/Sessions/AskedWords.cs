namespace Sa2VA.Engine;

/// <summary>A question as it was asked, so that it can be asked again.</summary>
/// <param name="Text">The question.</param>
/// <param name="Options">Those choices that its answer depends on.</param>
/// <param name="Before">The question that it followed up, or null.</param>
internal sealed record AskedWords(string Text, AskOptions Options, AskedWords? Before)
{
    /// <summary>What is to be asked again of a question.</summary>
    public static AskedWords Of(string text, AskOptions options, AskedWords? before) =>
        new(text, options with { FollowUp = false, MinScore = 0, Progress = null, Regions = [] }, before);

    /// <summary>All that was asked, the first question first.</summary>
    public IReadOnlyList<AskedWords> Turns()
    {
        var turns = new List<AskedWords>();
        for (AskedWords? turn = this; turn is not null; turn = turn.Before) turns.Add(turn);
        turns.Reverse();
        return turns;
    }
}
