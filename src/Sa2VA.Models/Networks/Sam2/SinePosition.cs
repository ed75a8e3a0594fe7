namespace Sa2VA.Models;

/// <summary>
/// The fixed sine code of a map's rows and columns (docs/model/memory.md#sine-code), y in the first half of the channels, x in the second.
/// </summary>
internal static class SinePosition
{
    private const float Temperature = 10000, TwoPi = 2 * MathF.PI, Epsilon = 1e-6f;

    /// <summary>Writes the code of [height, width, channels].</summary>
    public static void Fill(Span<float> table, int height, int width, int channels)
    {
        int half = channels / 2;
        var period = new float[half];
        for (int k = 0; k < half; k++) period[k] = MathF.Pow(Temperature, 2 * (k / 2) / (float)half);

        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                Span<float> row = table.Slice((y * width + x) * channels, channels);
                Encode((y + 1) / (height + Epsilon) * TwoPi, period, row[..half]);
                Encode((x + 1) / (width + Epsilon) * TwoPi, period, row[half..]);
            }
    }

    private static void Encode(float angle, float[] period, Span<float> code)
    {
        for (int k = 0; k < code.Length; k++)
        {
            float phase = angle / period[k];
            code[k] = k % 2 == 0 ? MathF.Sin(phase) : MathF.Cos(phase);
        }
    }
}
