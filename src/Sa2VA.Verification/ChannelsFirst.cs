using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>Golden files hold maps as [C, h, w], the engine works on [h, w, C].</summary>
internal static class ChannelsFirst
{
    /// <summary>A golden map [C, h, w] as the engine takes it.</summary>
    public static (Shape Shape, float[] Values) ToEngine(GoldenTensor map)
    {
        int[] d = map.DimsOf(3);
        return (new Shape(d[1], d[2], d[0]), ToEngine(map.Floats, d[0], d[1] * d[2]));
    }

    /// <summary>[C, pixels] → [pixels, C].</summary>
    public static float[] ToEngine(ReadOnlySpan<float> values, int channels, int pixels)
    {
        var result = new float[channels * pixels];
        for (int c = 0; c < channels; c++)
            for (int p = 0; p < pixels; p++) result[p * channels + c] = values[c * pixels + p];
        return result;
    }

    /// <summary>[pixels, C] → [C, pixels].</summary>
    public static float[] FromEngine(ReadOnlySpan<float> values, int channels)
    {
        int pixels = values.Length / channels;
        var result = new float[values.Length];
        for (int p = 0; p < pixels; p++)
            for (int c = 0; c < channels; c++) result[c * pixels + p] = values[p * channels + c];
        return result;
    }
}
