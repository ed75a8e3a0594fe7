
namespace Sa2VA.Cli.Evaluation;

/// <summary>
/// The pixels of COCO's polygons as pycocotools counts them: the outline is followed on a grid five times as fine, and where it crosses the
/// middle of a column the column changes between outside and inside.
/// </summary>
internal static class CocoPolygon
{
    private const double Scale = 5;

    /// <summary>Adds the pixels of one polygon.</summary>
    /// <param name="pixels">[height, width]; 1 inside.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="corners">x, y of each corner.</param>
    public static void Fill(byte[] pixels, int width, int height, IReadOnlyList<double> corners)
    {
        int count = corners.Count / 2;
        var changes = new List<int>();
        int lastX = 0, lastY = 0;
        bool first = true;
        for (int i = 0; i < count; i++)
        {
            (int x, int y) = At(i);
            (int toX, int toY) = At((i + 1) % count);
            int across = Math.Abs(toX - x), down = Math.Abs(toY - y), steps = Math.Max(across, down);
            bool flip = (across >= down && x > toX) || (across < down && y > toY);
            if (flip) (x, y, toX, toY) = (toX, toY, x, y);
            double slope = across >= down ? (double)(toY - y) / across : (double)(toX - x) / down;
            for (int d = 0; d <= steps; d++)
            {
                int t = flip ? steps - d : d;
                (int u, int v) = across >= down ? (t + x, (int)(y + slope * t + 0.5)) : ((int)(x + slope * t + 0.5), t + y);
                if (steps == 0) (u, v) = (x, y);
                if (!first && u != lastX) Cross(u, v);
                (lastX, lastY, first) = (u, v, false);
            }
        }
        changes.Sort();
        // Column by column, from the top down; each crossing turns inside and outside.
        for (int i = 0; i < changes.Count; i += 2)
        {
            int end = i + 1 < changes.Count ? changes[i + 1] : width * height;
            for (int at = changes[i]; at < end; at++) pixels[at % height * width + at / height] = 1;
        }

        void Cross(int u, int v)
        {
            double column = ((u < lastX ? u : u - 1) + 0.5) / Scale - 0.5;
            if (Math.Floor(column) != column || column < 0 || column > width - 1) return;
            double row = Math.Ceiling(Math.Clamp((Math.Min(v, lastY) + 0.5) / Scale - 0.5, 0, height));
            changes.Add((int)column * height + (int)row);
        }

        (int X, int Y) At(int corner) => ((int)(Scale * corners[2 * corner] + 0.5), (int)(Scale * corners[2 * corner + 1] + 0.5));
    }
}
