using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>Choices for asking again what named a stream's objects (<see cref="VideoSession.ReAskAsync"/>).</summary>
public sealed record ReAskOptions
{
    /// <summary>
    /// A <see cref="LiveVideo"/> asks again after every so many frames, which finds newcomers too; 0, the default, for not by count.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int EveryFrames
    {
        get;
        init => field = Checked(value);
    }

    /// <summary>
    /// A <see cref="LiveVideo"/> asks again when an object that words named was lost on so many frames in a row, and once more after as
    /// many, as long as one is lost: not in sight (<see cref="ObjectMask.IsPresent"/>), or without a pixel. 10 by default, 0 for never.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int WhenLostFor
    {
        get;
        init => field = Checked(value);
    } = 10;

    /// <summary>
    /// How many of the newest frames the language model is shown, 1 to 13, at most as many as the session keeps
    /// (<see cref="VideoOptions.KeepFrames"/>); five by default.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1 or more than the language model can be shown.</exception>
    public int ShownFrames
    {
        get;
        init => field = value is >= 1 and <= ModelFamily.MaxFrames ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"1 to {ModelFamily.MaxFrames} frames are shown.");
    } = FrameSelection.DefaultCount;

    /// <summary>
    /// Questions that are asked as well, whether or not they named anything yet: what has not come into sight so far. Each begins anew.
    /// </summary>
    public IReadOnlyList<string> Questions
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.Any(string.IsNullOrWhiteSpace)) throw new ArgumentException("A question is empty.", nameof(value));
            field = [.. value];
        }
    } = [];

    /// <summary>True, the default, to have what no object of the stream covers join as a new object.</summary>
    public bool Newcomers { get; init; } = true;

    /// <summary>A mask that covers an object's so far, as intersection over union, is that object's; above 0, to 1; 0.5 at first.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is outside of its range.</exception>
    public double Overlap
    {
        get;
        init => field = value is > 0 and <= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "An overlap is above 0, to 1.");
    } = 0.5;

    /// <summary>A mask with a lower score is taken for nothing; 0 to 1, <see cref="ObjectMask.LowScoreBelow"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no score.</exception>
    public float MinScore
    {
        get;
        init => field = value is >= 0 and <= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "A score is a number from 0 to 1.");
    } = ObjectMask.LowScoreBelow;

    private static int Checked(int frames) => frames >= 0 ? frames
        : throw new ArgumentOutOfRangeException(nameof(frames), frames, "A number of frames is 1 or more, or 0 for never.");
}

/// <summary>What came of asking again.</summary>
/// <param name="Frame">The number of the frame on which masks were compared; −1 if nothing was.</param>
/// <param name="Answers">The answers, one for each question that was asked again; their objects' numbers are not the stream's.</param>
/// <param name="Known">Objects that were found where they are; nothing was done with them.</param>
/// <param name="FoundAgain">Objects that were lost; language names them anew from the next frame on.</param>
/// <param name="Newcomers">Numbers of objects that join at the next frame.</param>
public sealed record ReAskResult(long Frame, IReadOnlyList<Answer> Answers, IReadOnlyList<int> Known, IReadOnlyList<int> FoundAgain,
    IReadOnlyList<int> Newcomers);
