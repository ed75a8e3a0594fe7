using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>An object on a frame, as it is written and drawn.</summary>
/// <param name="Id">The object's number, from 0.</param>
/// <param name="Mask">Where it is.</param>
public sealed record ObjectResult(int Id, Mask Mask)
{
    /// <summary>What was asked for, or what a caption calls it; null if there are no words.</summary>
    public string? Phrase { get; init; }

    /// <summary>Predicted IoU, 0…1.</summary>
    public double? Score { get; init; }
}
