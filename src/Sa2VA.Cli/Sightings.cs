using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>
/// Which objects were seen on any frame of a video, so that what is nowhere does not look like a result. Does not grow with the frames.
/// </summary>
internal sealed class Sightings
{
    private readonly SortedDictionary<int, float> _best = [];

    /// <summary>Objects whose masks were all empty or had low scores.</summary>
    public IEnumerable<int> NotFound => _best.Where(o => o.Value < ObjectMask.LowScoreBelow).Select(o => o.Key);

    /// <summary>Takes over a frame's masks.</summary>
    public void Add(IEnumerable<ObjectMask> masks)
    {
        foreach (ObjectMask mask in masks)
            _best[mask.Id] = Math.Max(_best.GetValueOrDefault(mask.Id, -1), mask.Area > 0 ? mask.Score : -1);
    }

    /// <summary>What is to be said of a question whose objects were not seen; null if one was, or there was no frame.</summary>
    /// <param name="prompt">The question.</param>
    /// <param name="answer">What named them.</param>
    public string? NoteOn(string prompt, Answer answer)
    {
        float[] best = [.. answer.Objects.Where(o => _best.ContainsKey(o.Id)).Select(o => _best[o.Id])];
        return best.Length == 0 || best.Max() >= ObjectMask.LowScoreBelow ? null : NothingFound.InVideo(prompt, best.Length, best.Max());
    }

    /// <summary>What is to be said of an object that was shown and not seen; null if it was, or there was no frame.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="isVideo">True if it was looked for on all frames of a video.</param>
    public string? NoteOnShown(int id, bool isVideo) =>
        _best.TryGetValue(id, out float best) && best < ObjectMask.LowScoreBelow ? NothingFound.OfShown(isVideo, best) : null;
}
