using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// A part of a mask as lines along the edges of its pixels: corners are whole numbers, pixel (x, y) reaches from (x, y) to (x + 1, y + 1).
/// Nothing is smoothed: what lies inside of <see cref="Outer"/> and outside of all <see cref="Holes"/> are exactly the pixels of the part.
/// Pixels that touch at a corner alone belong to different parts.
/// </summary>
/// <param name="Outer">Corners of the outline, clockwise as seen on a screen; the last one is joined to the first.</param>
/// <param name="Holes">Corners of what is left out, anticlockwise.</param>
public sealed record Polygon(IReadOnlyList<(int X, int Y)> Outer, IReadOnlyList<IReadOnlyList<(int X, int Y)>> Holes)
{
    // Right, down, left, up: clockwise. Beside each, the pixels ahead of a corner to the right and to the left of the way.
    private static readonly ((int X, int Y) Step, (int X, int Y) Right, (int X, int Y) Left)[] Ways =
        [((1, 0), (0, 0), (0, -1)), ((0, 1), (-1, 0), (0, 0)), ((-1, 0), (-1, -1), (-1, 0)), ((0, -1), (0, -1), (-1, -1))];

    /// <summary>The parts of a mask, from the top down; none for an empty one.</summary>
    public static IReadOnlyList<Polygon> Of(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return new Tracer(mask).Parts();
    }

    /// <summary>Walks along edges with the inside at the right hand.</summary>
    private sealed class Tracer(Mask mask)
    {
        private readonly int _width = mask.Width, _height = mask.Height;
        private readonly int[] _part = new int[mask.Width * mask.Height];

        /// <summary>[height + 1, width]: edges above row y that were walked.</summary>
        private readonly bool[] _walked = new bool[mask.Width * (mask.Height + 1)];

        public List<Polygon> Parts()
        {
            var parts = new List<Polygon>();
            var holes = new List<List<IReadOnlyList<(int X, int Y)>>>();
            for (int y = 0; y <= _height; y++)
            {
                for (int x = 0; x < _width; x++)
                {
                    bool below = Inside(x, y), above = Inside(x, y - 1);
                    if (below == above || _walked[y * _width + x]) continue;
                    // From above, an outline is first met at a pixel's upper edge, a hole at a lower one.
                    if (below)
                    {
                        holes.Add([]);
                        parts.Add(new Polygon(Walk(x, y, 0), holes[^1]));
                        Fill(x, y, parts.Count);
                    }
                    else holes[_part[(y - 1) * _width + x] - 1].Add(Walk(x + 1, y, 2));
                }
            }
            return parts;
        }

        private bool Inside(int x, int y) => (uint)x < (uint)_width && (uint)y < (uint)_height && mask.Row(y)[x] != 0;

        private List<(int X, int Y)> Walk(int startX, int startY, int startWay)
        {
            var corners = new List<(int X, int Y)>();
            int x = startX, y = startY, way = startWay;
            do
            {
                if (way == 0) _walked[y * _width + x] = true;
                if (way == 2) _walked[y * _width + x - 1] = true;
                (x, y) = (x + Ways[way].Step.X, y + Ways[way].Step.Y);
                (int X, int Y) right = Ways[way].Right, left = Ways[way].Left;
                int turn = !Inside(x + right.X, y + right.Y) ? 1 : Inside(x + left.X, y + left.Y) ? 3 : 0;
                if (turn != 0) corners.Add((x, y));
                way = (way + turn) % Ways.Length;
            }
            while ((x, y, way) != (startX, startY, startWay));
            return corners;
        }

        /// <summary>Numbers the pixels of a part, from 1, so that its holes find it.</summary>
        private void Fill(int startX, int startY, int part)
        {
            var open = new Stack<(int X, int Y)>();
            Take(startX, startY);
            while (open.TryPop(out (int X, int Y) at))
                foreach (((int X, int Y) step, _, _) in Ways) Take(at.X + step.X, at.Y + step.Y);

            void Take(int x, int y)
            {
                if (!Inside(x, y) || _part[y * _width + x] != 0) return;
                _part[y * _width + x] = part;
                open.Push((x, y));
            }
        }
    }
}
