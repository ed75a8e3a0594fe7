using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>The frames of a video that the language model is shown, shrunk to tiles. The frames themselves are let go one by one.</summary>
internal sealed class LanguageFrames
{
    private LanguageFrames(int width, int height, List<RgbImage> tiles) => (Width, Height, Tiles) = (width, height, tiles);

    /// <summary>Columns of the frames.</summary>
    public int Width { get; }

    /// <summary>Rows of the frames.</summary>
    public int Height { get; }

    /// <summary>A tile for each frame.</summary>
    public IReadOnlyList<RgbImage> Tiles { get; }

    /// <summary>Reads frames, at most one at a time at its full size.</summary>
    /// <param name="frames">Frames; not read further than the first that is one too many.</param>
    /// <param name="config">Says what a tile is.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <exception cref="MediaException">There is no frame, or frames differ in size.</exception>
    /// <exception cref="PromptException">There are too many.</exception>
    public static LanguageFrames Read(IEnumerable<RgbImage> frames, Sa2VAConfig config, CancellationToken cancellation)
    {
        const int most = ModelFamily.MaxFrames;
        if (frames.TryGetNonEnumeratedCount(out int count) && count > most)
            throw new PromptException(
                $"The language model can be shown 1 to {most} frames, not {count}; choose some, as FrameSelection does.");
        var tiles = new List<RgbImage>();
        int width = 0, height = 0;
        foreach (RgbImage frame in frames)
        {
            cancellation.ThrowIfCancellationRequested();
            ArgumentNullException.ThrowIfNull(frame, nameof(frames));
            if (tiles.Count == most)
                throw new PromptException(
                    $"The language model can be shown 1 to {most} frames, and more were given; choose some, as FrameSelection does.");
            if (tiles.Count == 0) (width, height) = (frame.Width, frame.Height);
            if (frame.Width != width || frame.Height != height)
                throw new MediaException(
                    $"Language frame {tiles.Count} is {frame.Width}×{frame.Height}, the first is {width}×{height}; frames of a video "
                    + "have one size.");
            tiles.Add(config.Family.FrameTile(frame, config));
        }
        return tiles.Count > 0 ? new LanguageFrames(width, height, tiles) : throw new MediaException("The video has no frames.");
    }
}
