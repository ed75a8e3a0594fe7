using Sa2VA.Core;

namespace Sa2VA.Engine.Tracking;

internal sealed partial class VideoSegmentation
{
    /// <summary>Looks for what prompts name on the newest frame, each by itself. No object changes.</summary>
    /// <param name="prompts">What is looked for.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <returns>What each prompt names.</returns>
    /// <exception cref="PromptException">The newest frame's features had to make room for those of a frame that was skipped.</exception>
    /// <exception cref="NonFiniteException">A result is not finite.</exception>
    public IReadOnlyList<SeenMask> Look(IReadOnlyList<ObjectPrompt> prompts, CancellationToken cancellation)
    {
        CheckNewest();
        FrameFeatures newest = _frames[_newest].Features;
        MaskResults scratch = _scratch ??= new MaskResults(_model, 1);
        var seen = new List<SeenMask>();
        foreach (ObjectPrompt prompt in prompts)
        {
            PromptedFrame.Find(_model, newest, memory: null, prompt, scratch, cancellation);
            // Also what is enqueued behind this, such as the next frame's encoding, finds the features unread.
            scratch.BeginRead(_model.Queue).Wait();
            cancellation.ThrowIfCancellationRequested();
            if (!scratch[0].IsFinite()) throw FiniteCheck.Error(newest.IsFinite() ? "The mask decoder" : FrameFeatures.Stage);
            seen.Add(new SeenMask(scratch[0]));
        }
        return seen;
    }

    /// <summary>Where each object is on the newest frame; null for those that have no mask on it.</summary>
    public IReadOnlyList<SeenMask?> Seen()
    {
        CheckNewest();
        if (Results is not { } results) return [.. _objects.Select(_ => (SeenMask?)null)];
        results.BeginRead(_model.Queue).Wait();
        return [.. _objects.Select(o => o.HasMask ? new SeenMask(results[o.Row]) : null)];
    }

    /// <summary>Has language name an object again, from the next frame on.</summary>
    /// <param name="index">Its place among <see cref="Objects"/>.</param>
    /// <param name="language">Names it; owned from now on.</param>
    /// <param name="conditioningFrames">Its next frames that carry the prompt.</param>
    public void NameAgain(int index, PromptedFrame language, int conditioningFrames)
    {
        _objects[index].NameAgain(language, conditioningFrames);
        _isBound = false;
    }
}
