namespace Sa2VA.Media;

/// <summary>How objects are drawn over a picture.</summary>
public sealed record OverlayStyle
{
    /// <summary>Colour inside, an outline, and a label for each object.</summary>
    public static OverlayStyle Default { get; } = new();

    /// <summary>
    /// How much of what lies inside a mask is the object's colour: 0 for the picture alone, 1 for the colour alone; ½ by default.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no number from 0 to 1.</exception>
    public double Fill
    {
        get;
        init => field = value is >= 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A share is 0 to 1.");
    } = 0.5;

    /// <summary>Draw the edge in the full colour, and a white line around it.</summary>
    public bool Outline { get; init; } = true;

    /// <summary>
    /// Write beside each object its number, phrase and score, on a plate in its colour; in black or white, whichever is seen better on it.
    /// </summary>
    public bool Labels { get; init; } = true;

    /// <summary>Put the picture as it is to the left of the one with the objects.</summary>
    public bool SideBySide { get; init; }

    /// <summary>
    /// A font file (TTF, OTF) for labels whose characters the one that is shipped lacks: it has Latin, Greek and Cyrillic letters. Null for
    /// none; characters that neither has are drawn as boxes.
    /// </summary>
    public string? FontFile { get; init; }
}
