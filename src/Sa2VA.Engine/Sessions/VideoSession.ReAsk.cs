using Sa2VA.Core;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

public sealed partial class VideoSession
{
    /// <summary>
    /// Asks the questions that named the stream's objects once more, about the newest frames (<see cref="VideoOptions.KeepFrames"/>), and
    /// compares what they name with the objects, on the frame that is the newest when all is said. An object that is found where it is goes
    /// on as it was, to the last bit. One that is lost (not in sight by <see cref="ObjectMask.IsPresent"/>, or without a pixel), and found
    /// by the same words, is named anew: it keeps its number and what it remembers, and its next frames are conditioned on the answer. What
    /// covers no object joins as a new one.
    /// <para>
    /// Frames, questions and everything else go on meanwhile; the conversation is as if nothing had been asked. A frame that comes while
    /// masks are compared waits for that: a run of the mask decoder for each that was named. A question that followed up others is asked
    /// behind them, as it was. Words of objects that were all removed are not asked any more.
    /// </para>
    /// </summary>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="cancellation">Stops within one token or op; nothing has then changed.</param>
    /// <returns>What came of it; nothing, without answers, if there was nothing to ask or no frame yet.</returns>
    /// <exception cref="PromptException">
    /// The session keeps no frames, the words do not fit the model with those that it keeps, or the newest frame is not there any more.
    /// </exception>
    /// <exception cref="DeviceMemoryException">The budget, or the tokens that all sessions may have together, do not suffice.</exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; nothing has then changed.</exception>
    /// <exception cref="SessionBusyException">The session is asking again already.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public Task<ReAskResult> ReAskAsync(ReAskOptions? options = null, CancellationToken cancellation = default) =>
        ReAskLiveAsync(options ?? new ReAskOptions(), told: null, cancellation);

    /// <summary>The same, and tells what came of it before the next frame can begin.</summary>
    /// <param name="options">Choices.</param>
    /// <param name="told">Told of it if anything was asked; short, frames wait.</param>
    /// <param name="cancellation">Stops within one token or op; nothing has then changed.</param>
    internal async Task<ReAskResult> ReAskLiveAsync(ReAskOptions options, Action<ReAskResult>? told, CancellationToken cancellation)
    {
        CheckReAsk();
        using SessionGate.Entry gate = Gate.Enter(this, SessionPart.Aside);
        ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
        cancellation.ThrowIfCancellationRequested();
        IReadOnlyList<AskedWords> words = [];
        RgbImage[] frames = [];
        int life = 0;
        await Gate.BetweenFramesAsync(() =>
        {
            (words, life) = (_stream.WordsToAsk(options), _stream.Life);
            if (words.Count > 0) frames = _stream.Recent.Latest(Math.Min(options.ShownFrames, _stream.Recent.Count));
        }).ConfigureAwait(false);
        return frames.Length == 0
            ? new ReAskResult(-1, [], [], [], [])
            : await Task.Run(() => AskAgainAsync(options, words, frames, life, told, cancellation), cancellation).ConfigureAwait(false);
    }

    /// <summary>Refuses to ask again where there is nothing to show.</summary>
    internal void CheckReAsk()
    {
        if (Options.KeepFrames > 0) return;
        throw new PromptException("Questions are asked again about the newest frames, and the session keeps none: open it with "
            + "VideoOptions.KeepFrames, such as 5.");
    }

    private async Task<ReAskResult> AskAgainAsync(ReAskOptions options, IReadOnlyList<AskedWords> words, RgbImage[] frames, int life,
        Action<ReAskResult>? told, CancellationToken cancellation)
    {
        var answers = new List<Answer>();
        using (var aside = new ReAskSession(Model, LanguageFrames.Read(frames, Model.Config, cancellation)))
            foreach (AskedWords asked in words) answers.Add(await aside.AskAgainAsync(asked, cancellation).ConfigureAwait(false));
        using SessionGate.Entry stream = await Gate.EnterBetweenFramesAsync().ConfigureAwait(false);
        ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
        cancellation.ThrowIfCancellationRequested();
        // Behind a reset these are the words of another life.
        ReAskResult result = life != _stream.Life ? new ReAskResult(-1, answers, [], [], [])
            : _stream.ReAsk(answers, options, Math.Min(frames.Length, SegmentationModel.LanguageFrames), NextObject, cancellation);
        told?.Invoke(result);
        return result;
    }
}
