using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>A conversation beside that of a video session, about its newest frames: what it names, nobody segments here.</summary>
/// <param name="model">Model.</param>
/// <param name="tiles">What the language model is shown.</param>
internal sealed class ReAskSession(Sa2VAModel model, IReadOnlyList<RgbImage> tiles)
    : ChatSession(model, ImageTokens.Of(model, tiles))
{
    private protected override bool IsVideo => true;

    /// <summary>It is nobody's to go on with.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override ChatSession Fork() => throw new NotSupportedException();

    /// <summary>Asks a question again, behind those that it followed up.</summary>
    public async Task<Answer> AskAgainAsync(AskedWords words, CancellationToken cancellation)
    {
        Answer? answer = null;
        foreach (AskedWords turn in words.Turns())
        {
            AskOptions options = turn.Options with { FollowUp = turn.Before is not null };
            answer = await AskAsync(turn.Text, options, cancellation).ConfigureAwait(false);
        }
        return answer!;
    }

    private protected override Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs, Question question) =>
        question.SettleAsync();

    private protected override void DisposeFrames() { }
}
