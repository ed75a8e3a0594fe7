using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Engine;

public sealed partial class VideoSession
{
    /// <summary>
    /// Shows the language model other frames than it was shown so far: "what is he doing now?". A new conversation begins about them: there
    /// is nothing to follow up, and answers are those of a new session. The stream's objects go on as if nothing had been done; objects
    /// that are named from now on join at the next frame, and are conditioned on as many frames as are shown here, at most five.
    /// </summary>
    /// <param name="frames">1 to 13 frames, in the order in which they are shown; read once, and not held.</param>
    /// <param name="cancellation">Stops between two frames; nothing has then changed.</param>
    /// <exception cref="MediaException">No frames.</exception>
    /// <exception cref="PromptException">Too many frames.</exception>
    /// <exception cref="SessionBusyException">A question is being answered.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public void ShowFrames(IEnumerable<RgbImage> frames, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frames);
        using SessionGate.Entry gate = EnterFrame(cancellation, SessionPart.Chat);
        ShowTiles(LanguageFrames.Read(frames, Model.Config, cancellation));
    }

    /// <summary>
    /// Shows the language model the newest frames that were pushed (<see cref="VideoOptions.KeepFrames"/>). Frames may go on meanwhile; one
    /// that is in work is waited for.
    /// </summary>
    /// <param name="count">How many of them, 1 to 13; fewer if there are not as many yet.</param>
    /// <param name="cancellation">Stops between two frames; nothing has then changed.</param>
    /// <returns>How many were shown.</returns>
    /// <exception cref="PromptException">No frame is kept, or more are asked for than can be.</exception>
    /// <inheritdoc cref="ShowFrames"/>
    public int ShowLatest(int count = FrameSelection.DefaultCount, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterFrame(cancellation, SessionPart.Chat);
        RgbImage[] frames = [];
        Gate.BetweenFramesAsync(() => frames = Latest(count)).GetAwaiter().GetResult();
        if (frames.Length == 0) throw new PromptException("No frame was processed yet: push one, then show it to the language model.");
        ShowTiles(LanguageFrames.Read(frames, Model.Config, cancellation));
        return frames.Length;
    }

    /// <summary>Copies of the newest frames that were pushed (<see cref="VideoOptions.KeepFrames"/>), the oldest of them first.</summary>
    /// <param name="count">How many, 1 to what is kept; fewer if there are not as many yet.</param>
    /// <exception cref="PromptException">More are asked for than are kept.</exception>
    /// <exception cref="SessionBusyException">Another frame, prompt or removal is in work.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public IReadOnlyList<RgbImage> RecentFrames(int count)
    {
        using SessionGate.Entry gate = EnterFrame(CancellationToken.None);
        return Latest(count);
    }

    private RgbImage[] Latest(int count)
    {
        if (count < 1 || count > Options.KeepFrames)
        {
            throw new PromptException($"{count} of the newest frames were asked for; the session keeps {Options.KeepFrames}. "
                + "Open it with a larger VideoOptions.KeepFrames, or give frames of your own to ShowFrames.");
        }
        return _stream.Recent.Latest(Math.Min(count, _stream.Recent.Count));
    }

    private void ShowTiles(IReadOnlyList<RgbImage> tiles)
    {
        _tiles = tiles;
        Show(ImageTokens.Of(Model, tiles));
    }
}
