using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The trunk's position embedding (sam2.md §3.3): a coarse learned grid resampled bicubically plus a learned window tiled over the map. It
/// depends on weights alone, so it is computed once, when the graph is recorded.
/// </summary>
internal static class HieraPosition
{
    /// <summary>Values of [grid, grid, e].</summary>
    public static float[] Table(WeightScope w, int grid, GroundingConfig config)
    {
        int channels = config.EmbedDim, rows = config.WindowPosEmbedBkgSpatialSize[0], columns = config.WindowPosEmbedBkgSpatialSize[1];
        int window = config.WindowSpec[0];
        float[] coarse = w.Get("pos_embed", 1, channels, rows, columns).ReadValues();
        float[] tile = w.Get("pos_embed_window", 1, channels, window, window).ReadValues();

        Taps[] vertical = BicubicTaps(rows, grid), horizontal = BicubicTaps(columns, grid);
        var widened = new float[rows * grid];
        var table = new float[grid * grid * channels];
        for (int c = 0; c < channels; c++)
        {
            for (int y = 0; y < rows; y++)
                for (int x = 0; x < grid; x++)
                    widened[y * grid + x] = horizontal[x].Apply(coarse, (c * rows + y) * columns, 1);
            for (int y = 0; y < grid; y++)
                for (int x = 0; x < grid; x++)
                    table[(y * grid + x) * channels + c] =
                        vertical[y].Apply(widened, x, grid) + tile[(c * window + y % window) * window + x % window];
        }
        return table;
    }

    /// <summary>Keys' cubic convolution with A = −0.75, four taps clamped to the border, no antialias: PyTorch's convention.</summary>
    private static Taps[] BicubicTaps(int from, int to)
    {
        const float A = -0.75f;
        float scale = (float)from / to;
        var taps = new Taps[to];
        for (int i = 0; i < to; i++)
        {
            float source = scale * (i + 0.5f) - 0.5f;
            int floor = (int)MathF.Floor(source);
            float t = source - floor;
            taps[i] = new Taps(
                Clamp(floor - 1), Clamp(floor), Clamp(floor + 1), Clamp(floor + 2), Outer(t + 1), Inner(t), Inner(1 - t), Outer(2 - t));
        }
        return taps;

        int Clamp(int index) => Math.Clamp(index, 0, from - 1);
        static float Inner(float x) => ((A + 2) * x - (A + 3)) * x * x + 1;
        static float Outer(float x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
    }

    private readonly record struct Taps(int I0, int I1, int I2, int I3, float W0, float W1, float W2, float W3)
    {
        public float Apply(float[] values, int start, int step) =>
            values[start + I0 * step] * W0 + values[start + I1 * step] * W1 + values[start + I2 * step] * W2 + values[start + I3 * step] * W3;
    }
}
