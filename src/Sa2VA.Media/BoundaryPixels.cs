using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// The boundary of a mask: pixels that differ from their right, lower or lower-right neighbour; in the last row only the right one counts,
/// in the last column only the lower one, the last pixel is never one.
/// </summary>
internal sealed class BoundaryPixels
{
    private const ushort Far = ushort.MaxValue;

    private readonly int _width, _height;

    /// <summary>[height, width]: columns to the nearest boundary pixel of the same row, 0 on one, Far in a row without any.</summary>
    private readonly ushort[] _distance;

    public BoundaryPixels(Mask mask)
    {
        (_width, _height) = (mask.Width, mask.Height);
        _distance = new ushort[_width * _height];
        for (int y = 0; y < _height; y++)
        {
            ReadOnlySpan<byte> row = mask.Row(y), below = mask.Row(Math.Min(y + 1, _height - 1));
            Span<ushort> distance = _distance.AsSpan(y * _width, _width);
            int near = Far;
            for (int x = 0; x < _width; x++)
            {
                int right = Math.Min(x + 1, _width - 1);
                bool edge = row[x] != row[right] || row[x] != below[x] || (right > x && row[x] != below[right]);
                near = edge ? 0 : Math.Min(near + 1, Far);
                distance[x] = (ushort)near;
                if (edge) Count++;
            }
            near = Far;
            for (int x = _width - 1; x >= 0; x--)
            {
                near = Math.Min(distance[x], Math.Min(near + 1, Far));
                distance[x] = (ushort)near;
            }
        }
    }

    /// <summary>Number of boundary pixels.</summary>
    public long Count { get; }

    /// <summary>How many of these pixels have one of the other boundary within a disk: its rows are looked up, not its pixels.</summary>
    public long CountNear(BoundaryPixels other, int radius)
    {
        if (Count == 0 || other.Count == 0) return 0;
        long count = 0;
        for (int y = 0; y < _height; y++)
        {
            int top = Math.Max(y - radius, 0), bottom = Math.Min(y + radius, _height - 1);
            for (int x = 0; x < _width; x++)
            {
                if (_distance[y * _width + x] != 0) continue;
                for (int row = top; row <= bottom; row++)
                {
                    long dx = other._distance[row * _width + x], dy = row - y;
                    if (dx * dx + dy * dy > (long)radius * radius) continue;
                    count++;
                    break;
                }
            }
        }
        return count;
    }
}
