namespace Sa2VA.Core;

/// <summary>
/// SAM 2's choice among four mask candidates (docs/model/mask-decoder.md#choice-of-a-mask) → I32 [1]. With several masks on: the best of
/// 1…3 by predicted IoU. Off: mask 0 unless its stability #(m &gt; 0.05)/#(m &gt; −0.05) is below 0.98, then the best of
/// 1…3. Where one of these IoUs is not finite the choice is mask 0: whoever reads the result reads the IoUs too.
/// </summary>
public sealed class MaskSelect : Op
{
    internal MaskSelect(Tensor masks, Tensor ious, bool multimask)
    {
        Inputs = [masks, ious];
        Multimask = multimask;
    }

    /// <summary>True to choose among masks 1…3 only.</summary>
    public bool Multimask { get; }
}

/// <summary>Recording of <see cref="MaskSelect"/>.</summary>
public static class MaskSelectExtensions
{
    /// <summary>Records the choice among masks [4, pixels] with predicted IoUs [4] or [1, 4] → I32 [1].</summary>
    public static Tensor MaskSelect(this GraphBuilder g, Tensor masks, Tensor ious, bool multimask)
    {
        if (masks.Type != DType.F32 || masks.Shape.Rank != 2 || masks.Shape[0] != 4 || ious.Shape.Count != 4)
            throw g.Error(nameof(MaskSelect), $"masks {masks} and IoUs {ious} are not four of each.");
        return g.Record(new MaskSelect(masks, ious, multimask), DType.I32, new Shape(1), null);
    }
}
