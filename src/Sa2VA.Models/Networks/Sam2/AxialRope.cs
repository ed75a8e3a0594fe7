namespace Sa2VA.Models;

/// <summary>
/// Angles of the axial rotary code (docs/model/memory.md#axial-rotary-code): the first half of a token's channel pairs turns with its
/// column, the second with its row.
/// </summary>
internal static class AxialRope
{
    private const float Theta = 10000;

    /// <summary>Writes <paramref name="function"/> (cos or sin) of the angles [grid·grid, width/2].</summary>
    public static void Fill(Span<float> table, int grid, int width, Func<float, float> function)
    {
        int pairs = width / 2, perAxis = pairs / 2;
        for (int m = 0; m < perAxis; m++)
        {
            float frequency = 1 / MathF.Pow(Theta, 4 * m / (float)width);
            for (int p = 0; p < grid * grid; p++)
            {
                table[p * pairs + m] = function(p % grid * frequency);
                table[p * pairs + perAxis + m] = function(p / grid * frequency);
            }
        }
    }
}
