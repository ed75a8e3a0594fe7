using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The trunk's position embedding (docs/model/image-encoder.md#position-embedding): a coarse learned grid resampled bicubically plus a
/// learned window tiled over the map. It depends on weights alone: a constant.
/// </summary>
internal static class HieraPosition
{
    /// <summary>The constant [grid, grid, e].</summary>
    public static Tensor Record(GraphBuilder g, WeightScope w, int grid, GroundingConfig config)
    {
        int channels = config.EmbedDim, rows = config.WindowPosEmbedBkgSpatialSize[0], columns = config.WindowPosEmbedBkgSpatialSize[1];
        int window = config.WindowSpec[0];
        Weight coarse = w.Get("pos_embed", 1, channels, rows, columns), tile = w.Get("pos_embed_window", 1, channels, window, window);
        string key = FormattableString.Invariant($"trunk positions, {rows}×{columns} to {grid}, window {window}, channels {channels}");
        return g.Constant(key, new Shape(grid, grid, channels), to => Fill(to, coarse, tile, grid), coarse, tile);
    }

    /// <summary>Writes the values of [grid, grid, e].</summary>
    /// <param name="table">Receives them.</param>
    /// <param name="coarseGrid">[1, e, rows, columns].</param>
    /// <param name="windowTile">[1, e, window, window].</param>
    /// <param name="grid">Side.</param>
    public static void Fill(Span<float> table, Weight coarseGrid, Weight windowTile, int grid)
    {
        int channels = coarseGrid.Shape[1], rows = coarseGrid.Shape[2], columns = coarseGrid.Shape[3], window = windowTile.Shape[2];
        float[] coarse = coarseGrid.ReadValues(), tile = windowTile.ReadValues();
        CubicTaps[] vertical = CubicTaps.Axis(rows, grid), horizontal = CubicTaps.Axis(columns, grid);
        var widened = new float[rows * grid];
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
    }
}
