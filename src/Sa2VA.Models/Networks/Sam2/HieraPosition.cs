using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The trunk's position embedding (docs/model/image-encoder.md#position-embedding): a coarse learned grid resampled bicubically plus a
/// learned window tiled over the map. It depends on weights alone, so it is computed once, when the graph is recorded.
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

        CubicTaps[] vertical = CubicTaps.Axis(rows, grid), horizontal = CubicTaps.Axis(columns, grid);
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
}
