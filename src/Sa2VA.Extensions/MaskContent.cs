using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Extensions;

/// <summary>
/// What a [SEG] of an answer names, with its mask on the picture that was asked about. One for each, behind the text, in text order. To
/// write messages that hold it as JSON, add the type to the options: <c>options.AddAIContentType&lt;MaskContent&gt;("sa2vaMask")</c>.
/// </summary>
public sealed class MaskContent : AIContent
{
    /// <summary>From its parts, as they are written.</summary>
    /// <param name="objectId">The object's number within its conversation, from 0.</param>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="height">Rows.</param>
    /// <param name="counts">The mask as run lengths of COCO; null where it was dropped for its score.</param>
    [JsonConstructor]
    public MaskContent(int objectId, int width, int height, string? counts)
    {
        (ObjectId, Width, Height) = (objectId, width, height);
        if (counts is not null) Mask = CocoRle.Decode(counts, width, height);
    }

    internal MaskContent(AnswerObject o, RgbImage image)
    {
        (ObjectId, Phrase, Score, Found, RawRepresentation) = (o.Id, o.Phrase, o.Score ?? 0, o.Found, o);
        (Mask, Width, Height) = (o.Mask?.ToMask(), image.Width, image.Height);
    }

    /// <summary>The object's number within its conversation, from 0.</summary>
    public int ObjectId { get; }

    /// <summary>The phrase that the answer gives for it, or null.</summary>
    public string? Phrase { get; init; }

    /// <summary>How good the model thinks the mask is: predicted IoU, 0…1.</summary>
    public float Score { get; init; }

    /// <summary>True if the picture shows it: its mask is there, not empty, and its score is not low.</summary>
    public bool Found { get; init; }

    /// <summary>Columns of the picture.</summary>
    public int Width { get; }

    /// <summary>Rows of the picture.</summary>
    public int Height { get; }

    /// <summary>The mask as run lengths of COCO, as pycocotools has them; null without a mask.</summary>
    public string? Counts => Mask is null ? null : CocoRle.Encode(Mask);

    /// <summary>The mask, of the picture's size; null where its score is below the <c>min_score</c> that was asked for.</summary>
    [JsonIgnore]
    public Mask? Mask { get; }
}
