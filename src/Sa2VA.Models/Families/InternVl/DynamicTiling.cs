using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// How the InternVL kinds cut an image: into the grid of at most 12 square tiles whose aspect ratio is nearest, plus a thumbnail of the
/// whole (docs/model/preprocessing.md#dynamic-tiling).
/// </summary>
public static class DynamicTiling
{
    /// <summary>The most tiles of a grid.</summary>
    internal const int MaxTiles = 12;

    /// <summary>The grid for an image.</summary>
    /// <param name="width">Columns of the image.</param>
    /// <param name="height">Rows of the image.</param>
    /// <param name="tile">Side of a tile, in pixels.</param>
    /// <param name="maxTiles">The most tiles, thumbnail not counted.</param>
    /// <returns>Columns and rows of the grid, in tiles.</returns>
    /// <exception cref="MediaException">The size is outside the limits of <see cref="PixelSize"/>.</exception>
    public static (int Columns, int Rows) Grid(int width, int height, int tile, int maxTiles = MaxTiles)
    {
        PixelSize.Check(width, height, "The image");
        ArgumentOutOfRangeException.ThrowIfLessThan(tile, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTiles, 1);
        double aspect = (double)width / height, nearest = double.PositiveInfinity, area = (double)width * height;
        (int Columns, int Rows) best = (1, 1);
        for (int tiles = 1; tiles <= maxTiles; tiles++)
        {
            for (int columns = 1; columns <= tiles; columns++)
            {
                if (tiles % columns != 0) continue;
                int rows = tiles / columns;
                double distance = Math.Abs(aspect - (double)columns / rows);
                // Of equally near grids (1×1 and 2×2, say) the larger is taken if the image fills more than half of it.
                if (distance > nearest || (distance == nearest && area <= 0.5 * tile * tile * tiles)) continue;
                (nearest, best) = (distance, (columns, rows));
            }
        }
        return best;
    }

    /// <summary>Number of tiles with the thumbnail: a grid of one tile has none.</summary>
    public static int Count((int Columns, int Rows) grid) => grid.Columns * grid.Rows is 1 ? 1 : grid.Columns * grid.Rows + 1;

    /// <summary>Resizes and cuts an image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="tile">Side of a tile, in pixels.</param>
    /// <param name="maxTiles">The most tiles, thumbnail not counted.</param>
    /// <returns>Tiles of [tile, tile, 3], row by row; if there is more than one, the thumbnail of the whole image is last.</returns>
    /// <exception cref="MediaException">The resized image would be outside the limits of <see cref="PixelSize"/>.</exception>
    public static RgbImage[] Split(RgbImage image, int tile, int maxTiles = MaxTiles)
    {
        ArgumentNullException.ThrowIfNull(image);
        (int columns, int rows) = Grid(image.Width, image.Height, tile, maxTiles);
        RgbImage whole = PillowBicubic.Resize(image, checked(tile * columns), checked(tile * rows));
        if (columns * rows == 1) return [whole];
        var tiles = new RgbImage[Count((columns, rows))];
        for (int i = 0; i < columns * rows; i++) tiles[i] = Cut(whole, i % columns * tile, i / columns * tile, tile);
        tiles[^1] = PillowBicubic.Resize(image, tile, tile);
        return tiles;
    }

    private static RgbImage Cut(RgbImage image, int left, int top, int side)
    {
        var pixels = new byte[side * side * 3];
        for (int y = 0; y < side; y++) image.Row(top + y).Slice(left * 3, side * 3).CopyTo(pixels.AsSpan(y * side * 3));
        return new RgbImage(side, side, pixels);
    }
}
