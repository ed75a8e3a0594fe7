using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>The frames of a video that the language model is shown, shrunk to tiles. The frames themselves are let go one by one.</summary>
internal static class LanguageFrames
{
    /// <summary>Reads frames, at most one at a time at its full size.</summary>
    /// <param name="frames">Frames; not read further than the first that is one too many.</param>
    /// <param name="config">Says what a tile is.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <returns>A tile for each frame.</returns>
    /// <exception cref="MediaException">There is no frame.</exception>
    /// <exception cref="PromptException">There are too many.</exception>
    public static IReadOnlyList<RgbImage> Read(IEnumerable<RgbImage> frames, Sa2VAConfig config, CancellationToken cancellation)
    {
        const int most = ModelFamily.MaxFrames;
        if (frames.TryGetNonEnumeratedCount(out int count) && count > most)
            throw new PromptException(
                $"The language model can be shown 1 to {most} frames, not {count}; choose some, as FrameSelection does.");
        var tiles = new List<RgbImage>();
        foreach (RgbImage frame in frames)
        {
            cancellation.ThrowIfCancellationRequested();
            ArgumentNullException.ThrowIfNull(frame, nameof(frames));
            if (tiles.Count == most)
                throw new PromptException(
                    $"The language model can be shown 1 to {most} frames, and more were given; choose some, as FrameSelection does.");
            tiles.Add(config.Family.FrameTile(frame, config));
        }
        return tiles.Count > 0 ? tiles : throw new MediaException("The video has no frames.");
    }
}
