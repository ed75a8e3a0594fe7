using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>A place that a user points at.</summary>
/// <param name="X">Column in pixels of the picture, 0 at its left edge; below its width.</param>
/// <param name="Y">Row in pixels of the picture, 0 at its top edge; below its height.</param>
/// <param name="Inside">True if the object is there; false if it is not.</param>
public readonly record struct Click(float X, float Y, bool Inside = true);

/// <summary>A rectangle around an object, in pixels of the picture.</summary>
/// <param name="Left">Left edge, at least 0.</param>
/// <param name="Top">Top edge, at least 0.</param>
/// <param name="Right">Right edge, beyond <paramref name="Left"/> and at most the width.</param>
/// <param name="Bottom">Bottom edge, beyond <paramref name="Top"/> and at most the height.</param>
public readonly record struct Box(float Left, float Top, float Right, float Bottom);

/// <summary>
/// What a user shows of an object on a picture or frame: clicks, a box, both, or its whole mask (docs/model/interactive.md). Several clicks
/// on one frame count together: those of a new prompt are added to those that the frame has, unless <see cref="Anew"/> is set. The mask
/// that is there is refined, not forgotten.
/// </summary>
public sealed class VisualPrompt
{
    /// <summary>Clicks, and perhaps a box.</summary>
    /// <param name="clicks">Clicks; may be empty with a box.</param>
    /// <param name="box">A rectangle around the object; begins anew.</param>
    public VisualPrompt(IReadOnlyList<Click> clicks, Box? box = null)
    {
        ArgumentNullException.ThrowIfNull(clicks);
        (Clicks, Box, Anew) = ([.. clicks], box, box is not null);
        if (Clicks.Count == 0 && box is null) throw new PromptException("A prompt has at least one click, a box or a mask.");
    }

    /// <summary>One click.</summary>
    public VisualPrompt(Click click) : this([click])
    {
    }

    /// <summary>A rectangle around the object.</summary>
    public VisualPrompt(Box box) : this([], box)
    {
    }

    /// <summary>The whole mask, to be taken for the truth; an empty one says that the object is not on the frame.</summary>
    /// <param name="mask">Of the picture's size.</param>
    public VisualPrompt(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        (Clicks, Mask, Anew) = ([], mask, true);
    }

    /// <summary>Clicks in the order in which they were made.</summary>
    public IReadOnlyList<Click> Clicks { get; }

    /// <summary>A rectangle around the object, or null.</summary>
    public Box? Box { get; }

    /// <summary>The whole mask, or null.</summary>
    public Mask? Mask { get; }

    /// <summary>True to forget the clicks that the frame has; false, the default without a box or a mask, to add to them.</summary>
    public bool Anew { get; init; }

    /// <summary>
    /// The frame that it was made for (<see cref="FrameMasks.Frame"/>), or null for whichever is the newest. Only the newest frame of a
    /// stream can be prompted: a prompt that was made for another one is refused, where it would otherwise hit what has moved on. A picture
    /// by itself is frame 0.
    /// </summary>
    public long? Frame { get; init; }

    /// <summary>Refuses what was made for another frame.</summary>
    /// <param name="newest">The newest frame's number.</param>
    internal void CheckFrame(long newest)
    {
        if (Frame is not { } frame || frame == newest) return;
        throw new PromptException(FormattableString.Invariant($"The prompt was made for frame {frame}, and frame {newest} is the newest: ")
            + "only that can be prompted. Show the object on it, or leave VisualPrompt.Frame out to take the prompt for the newest frame.");
    }

    /// <summary>Refuses what does not fit a picture; sessions do so before anything is computed.</summary>
    /// <param name="width">The picture's columns.</param>
    /// <param name="height">Its rows.</param>
    /// <exception cref="PromptException">
    /// A click is outside, a box has no area or is partly outside or is to be added to clicks, or a mask has another size.
    /// </exception>
    public void Check(int width, int height)
    {
        foreach (Click click in Clicks)
            if (!(click.X >= 0 && click.X < width && click.Y >= 0 && click.Y < height))
                throw new PromptException(FormattableString.Invariant(
                    $"The point ({click.X}, {click.Y}) is outside the picture, which has {width}×{height} pixels."));
        if (Box is { } box)
        {
            bool fits = box.Left >= 0 && box.Top >= 0 && box.Right <= width && box.Bottom <= height;
            if (!(fits && box.Left < box.Right && box.Top < box.Bottom))
                throw new PromptException(FormattableString.Invariant($"Box corners are left, top, right, bottom within {width}×{height}, ")
                    + FormattableString.Invariant($"not {box.Left}, {box.Top}, {box.Right}, {box.Bottom}."));
            if (!Anew) throw new PromptException("A box starts a new set of points; it cannot be added to those that there are.");
        }
        if (Mask is { } mask && (mask.Width != width || mask.Height != height))
            throw new PromptException($"The mask's size is {mask.Width}×{mask.Height}, the picture's {width}×{height}; give it that size.");
    }

    /// <summary>The points in pixels of the encoder's input, a box's corners first.</summary>
    internal PointPrompt[] Points(int width, int height, int side)
    {
        var points = new List<PointPrompt>();
        if (Box is { } box)
        {
            points.Add(At(box.Left, box.Top, PointLabel.BoxTopLeft));
            points.Add(At(box.Right, box.Bottom, PointLabel.BoxBottomRight));
        }
        foreach (Click click in Clicks) points.Add(At(click.X, click.Y, click.Inside ? PointLabel.Positive : PointLabel.Negative));
        return [.. points];

        PointPrompt At(float x, float y, PointLabel label) => new(x / width * side, y / height * side, label);
    }
}
