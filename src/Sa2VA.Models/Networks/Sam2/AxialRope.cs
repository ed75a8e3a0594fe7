namespace Sa2VA.Models;

/// <summary>
/// Angles of the axial rotary code (docs/model/memory.md#axial-rotary-code): the first half of a token's channel pairs turns with its
/// column, the second with its row.
/// </summary>
internal static class AxialRope
{
    private const float Theta = 10000;

    /// <summary>cos and sin of [grid·grid, width/2].</summary>
    public static (float[] Cos, float[] Sin) Tables(int grid, int width)
    {
        int pairs = width / 2, perAxis = pairs / 2;
        var cos = new float[grid * grid * pairs];
        var sin = new float[cos.Length];
        for (int m = 0; m < perAxis; m++)
        {
            float frequency = 1 / MathF.Pow(Theta, 4 * m / (float)width);
            for (int p = 0; p < grid * grid; p++)
            {
                Set(p, m, p % grid * frequency);
                Set(p, perAxis + m, p / grid * frequency);
            }
        }
        return (cos, sin);

        void Set(int token, int pair, float angle)
        {
            cos[token * pairs + pair] = MathF.Cos(angle);
            sin[token * pairs + pair] = MathF.Sin(angle);
        }
    }
}
