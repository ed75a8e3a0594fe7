namespace Sa2VA.Core;

/// <summary>
/// SAM 2's choice among four mask candidates (docs/model/mask-decoder.md#choice-of-a-mask), 0…3. With several masks on: the best of
/// 1…3 by predicted IoU. Off: mask 0 unless its stability #(m &gt; 0.05)/#(m &gt; −0.05) is below 0.98, then the best of
/// 1…3. Where one of these IoUs is not finite the choice is mask 0: whoever reads the result reads the IoUs too.
/// </summary>
public sealed class MaskSelect : Op
{
    internal MaskSelect(Tensor ious, Tensor? masks) => Inputs = masks is null ? [ious] : [ious, masks];

    /// <summary>The masks whose first one is preferred while it is stable; null to choose among masks 1…3 only.</summary>
    public Tensor? Masks => Inputs.Count > 1 ? Inputs[1] : null;
}

/// <summary>Recording of <see cref="MaskSelect"/>.</summary>
public static class MaskSelectExtensions
{
    /// <summary>Records the choice among four masks of each object → I32 [B].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="ious">Predicted IoUs [4] or [B, 4].</param>
    /// <param name="masks">
    /// [4·B, pixels], to prefer an object's mask 0 while it is stable; null to choose among masks 1…3 whatever they are.
    /// </param>
    public static Tensor MaskSelect(this GraphBuilder g, Tensor ious, Tensor? masks = null)
    {
        if (ious.Type != DType.F32 || ious.Shape.Last != 4 || ious.Shape.Rank > 2)
            throw g.Error(nameof(MaskSelect), $"IoUs {ious} are not four.");
        if (masks is not null && (masks.Type != DType.F32 || masks.Shape.Rows != 4 * ious.Shape.Rows || ious.Length is not null))
            throw g.Error(nameof(MaskSelect), $"masks {masks} are not four for each of {ious}.");
        return g.Record(new MaskSelect(ious, masks), DType.I32, new Shape((int)ious.Shape.Rows), ious.Length);
    }
}
