using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>Which frames of a video the language model sees (docs/model/prompt.md#which-frames).</summary>
public sealed class FrameSelection
{
    /// <summary>Frames that the language model sees unless they are listed.</summary>
    public const int DefaultCount = 5;

    private readonly Func<int, int[]> _indices;

    private FrameSelection(string name, Func<int, int[]> indices) => (Name, _indices) = (name, indices);

    /// <summary>The first five, as upstream.</summary>
    public static FrameSelection First { get; } = new("first", count => [.. Enumerable.Range(0, Math.Min(count, DefaultCount))]);

    /// <summary>Five spread evenly: frame ⌊i·n/(5 + 10⁻⁴)⌋.</summary>
    public static FrameSelection Uniform { get; } = new("uniform", count =>
        count <= DefaultCount
            ? [.. Enumerable.Range(0, count)]
            : [.. Enumerable.Range(0, DefaultCount).Select(i => (int)((double)i * count / (DefaultCount + 1e-4)))]);

    /// <summary>The last five.</summary>
    public static FrameSelection Last { get; } = new("last",
        count => [.. Enumerable.Range(Math.Max(0, count - DefaultCount), Math.Min(count, DefaultCount))]);

    /// <summary>These frames, in this order.</summary>
    /// <param name="indices">1 to 13 frame numbers, from 0.</param>
    public static FrameSelection Explicit(IReadOnlyList<int> indices)
    {
        ArgumentNullException.ThrowIfNull(indices);
        int[] list = [.. indices];
        if (list.Length is 0 or > ModelFamily.MaxFrames)
            throw new PromptException($"The language model can be shown 1 to {ModelFamily.MaxFrames} frames, not {list.Length}.");
        return new(string.Join(",", list.Select(i => i.ToString(CultureInfo.InvariantCulture))), count =>
        {
            foreach (int i in list)
                if ((uint)i >= (uint)count) throw new PromptException($"Frame {i} was asked for; the video has frames 0 to {count - 1}.");
            return list;
        });
    }

    /// <summary>Reads <c>first</c>, <c>uniform</c>, <c>last</c>, or numbers from 0 with commas between.</summary>
    public static FrameSelection Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text == "first") return First;
        if (text == "uniform") return Uniform;
        if (text == "last") return Last;
        if (text.AsSpan().Count(',') >= ModelFamily.MaxFrames)
            throw new PromptException($"The language model can be shown 1 to {ModelFamily.MaxFrames} frames; more numbers are given.");
        string[] parts = text.Split(',');
        var list = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
            if (!int.TryParse(parts[i].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out list[i]))
                throw new PromptException($"'{text}' is no choice of frames: write first, uniform, last, or numbers such as 0,10,20.");
        return Explicit(list);
    }

    /// <summary>Frames by a rule of its own.</summary>
    internal static FrameSelection Of(string name, Func<int, int[]> indices) => new(name, indices);

    /// <summary>How it was named.</summary>
    public string Name { get; }

    /// <summary>The chosen frames of a video.</summary>
    /// <param name="frameCount">Frames of the video, at least 1.</param>
    public IReadOnlyList<int> Indices(int frameCount)
    {
        if (frameCount < 1) throw new MediaException("The video has no frames.");
        return _indices(frameCount);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
