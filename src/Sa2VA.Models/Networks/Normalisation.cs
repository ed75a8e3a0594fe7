using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// What a network is given for each 8-bit level: tables [3, 256] (channel, level), computed with exactly the roundings of the reference
/// (docs/model/preprocessing.md#normalisation). The bf16 tables hold bfloat16 values widened to float. Do not change the arrays.
/// </summary>
public static class Normalisation
{
    private static readonly float[] Mean = [0.485f, 0.456f, 0.406f], Deviation = [0.229f, 0.224f, 0.225f];

    private static readonly float[] QwenMean = [0.48145466f, 0.4578275f, 0.40821073f];
    private static readonly float[] QwenDeviation = [0.26862954f, 0.26130258f, 0.27577711f];

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

    /// <summary>Patches of the Qwen2.5-VL tower: mean and deviation are multiplied by 255 first, instead of dividing each level.</summary>
    public static float[] Qwen25 { get; } = Table((u, c) => (u - QwenMean[c] * 255f) / (QwenDeviation[c] * 255f));

    /// <summary>Patches of the Qwen3-VL tower.</summary>
    public static float[] Qwen3 { get; } = Table((u, c) => (u - 0.5f * 255f) / (0.5f * 255f));

    private static float[] Table(Func<float, int, float> value)
    {
        var table = new float[3 * 256];
        for (int i = 0; i < table.Length; i++) table[i] = value(i % 256, i / 256);
        return table;
    }
}
