using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// What a network is given for each 8-bit level: tables [3, 256] (channel, level), computed with exactly the roundings of the reference
/// (docs/model/preprocessing.md#normalisation). The bf16 tables hold bfloat16 values widened to float. Do not change the arrays.
/// </summary>
public static class Normalisation
{
    private static readonly float[] Mean = [0.485f, 0.456f, 0.406f], Deviation = [0.229f, 0.224f, 0.225f];

    /// <summary>Tiles of the InternVL tower, float32 run.</summary>
    public static float[] InternVl { get; } = Table((u, c) => (u / 255f - Mean[c]) / Deviation[c]);

    /// <summary>Tiles of the InternVL tower, bf16 run.</summary>
    public static float[] InternVlBf16 { get; } = Table((u, c) => BFloat16.Round((u / 255f - Mean[c]) / Deviation[c]));

    /// <summary>Grounding image and frames, float32 run: the constants are rounded to bf16 even there.</summary>
    public static float[] GroundingF32 { get; } = Table((u, c) => (u / 255f - BFloat16.Round(Mean[c])) / BFloat16.Round(Deviation[c]));

    /// <summary>Grounding image, bf16 run: every step is rounded.</summary>
    public static float[] GroundingImageBf16 { get; } = Table((u, c) =>
        BFloat16.Round(BFloat16.Round(BFloat16.Round(u / 255f) - BFloat16.Round(Mean[c])) / BFloat16.Round(Deviation[c])));

    /// <summary>Grounding frames of a video, bf16 run: only the result is rounded.</summary>
    public static float[] GroundingVideoBf16 { get; } = Table((u, c) =>
        BFloat16.Round((u / 255f - BFloat16.Round(Mean[c])) / BFloat16.Round(Deviation[c])));

    private static float[] Table(Func<float, int, float> value)
    {
        var table = new float[3 * 256];
        for (int i = 0; i < table.Length; i++) table[i] = value(i % 256, i / 256);
        return table;
    }
}
