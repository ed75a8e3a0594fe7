using System.Numerics;
using System.Runtime.InteropServices;

namespace Sa2VA.Models;

/// <summary>
/// The patches of a picture in the order in which the tower has them (docs/model/qwen-vl.md#patches-and-windows): 2×2 patches make a
/// token and stand together; tokens stand row by row, or window by window.
/// </summary>
internal sealed class PatchGrid
{
    private const int Merge = QwenVisionConfig.Merge, PerToken = Merge * Merge;

    /// <param name="tokens">Tokens of the picture.</param>
    /// <param name="windowTokens">Side of a window in tokens; 0 where tokens stand row by row.</param>
    public PatchGrid(TokenGrid tokens, int windowTokens)
    {
        Tokens = tokens;
        Order = new int[tokens.Count];
        int side = windowTokens > 0 ? windowTokens : Math.Max(tokens.Rows, tokens.Columns), at = 0;
        var ends = new List<int>();
        for (int y = 0; y < tokens.Rows; y += side)
        {
            for (int x = 0; x < tokens.Columns; x += side)
            {
                for (int row = y; row < Math.Min(y + side, tokens.Rows); row++)
                    for (int column = x; column < Math.Min(x + side, tokens.Columns); column++)
                        Order[at++] = row * tokens.Columns + column;
                ends.Add(at * PerToken);
            }
        }
        WindowEnds = [.. ends];
    }

    /// <summary>The tower's order of the tokens of a picture of so many pixels.</summary>
    public static PatchGrid Of(int width, int height, QwenVisionConfig config) =>
        new(new TokenGrid(height / config.TokenSide, width / config.TokenSide), config.WindowTokens);

    /// <summary>Tokens.</summary>
    public TokenGrid Tokens { get; }

    /// <summary>The token, counted row by row, at each place of the tower's order.</summary>
    public int[] Order { get; }

    /// <summary>Patches before the end of each window.</summary>
    public int[] WindowEnds { get; }

    /// <summary>Patches.</summary>
    public int Patches => Tokens.Count * PerToken;

    /// <summary>The row and column of the patch at a place of the tower's order.</summary>
    public (int Row, int Column) PatchAt(int place)
    {
        int token = Order[place / PerToken], within = place % PerToken;
        return (token / Tokens.Columns * Merge + within / Merge, token % Tokens.Columns * Merge + within % Merge);
    }

    /// <summary>
    /// Angles by which each patch's channels are rotated [patches, d/2]: the first half follows the patch's row, the second its column.
    /// </summary>
    /// <param name="headDim">d.</param>
    /// <param name="theta">Base of the frequencies.</param>
    public float[] Angles(int headDim, double theta)
    {
        int pairs = headDim / 2, perAxis = pairs / 2;
        var frequencies = new float[perAxis];
        for (int i = 0; i < perAxis; i++) frequencies[i] = 1 / (float)Math.Pow(theta, (float)(2 * i) / pairs);
        var angles = new float[Patches * pairs];
        for (int p = 0; p < Patches; p++)
        {
            (int row, int column) = PatchAt(p);
            for (int i = 0; i < perAxis; i++)
            {
                angles[p * pairs + i] = row * frequencies[i];
                angles[p * pairs + perAxis + i] = column * frequencies[i];
            }
        }
        return angles;
    }

    /// <summary>
    /// A learned table of positions, resampled to the grid of patches: bilinear, the corners of both on each other [patches, C].
    /// </summary>
    /// <param name="table">[side², C].</param>
    /// <param name="side">Side of the table.</param>
    public float[] Positions(float[] table, int side)
    {
        int width = table.Length / (side * side);
        (int Low, int High, float Weight)[] rows = Axis(Tokens.Rows * Merge, side), columns = Axis(Tokens.Columns * Merge, side);
        var positions = new float[Patches * width];
        Parallel.For(0, Patches, p =>
        {
            (int row, int column) = PatchAt(p);
            ((int top, int bottom, float down), (int left, int right, float across)) = (rows[row], columns[column]);
            Span<float> to = positions.AsSpan(p * width, width);
            Add(to, Row(top, left), (1 - down) * (1 - across));
            Add(to, Row(top, right), (1 - down) * across);
            Add(to, Row(bottom, left), down * (1 - across));
            Add(to, Row(bottom, right), down * across);
        });
        return positions;

        ReadOnlySpan<float> Row(int y, int x) => table.AsSpan((y * side + x) * width, width);
    }

    private static void Add(Span<float> to, ReadOnlySpan<float> row, float weight)
    {
        Span<Vector<float>> sums = MemoryMarshal.Cast<float, Vector<float>>(to);
        ReadOnlySpan<Vector<float>> values = MemoryMarshal.Cast<float, Vector<float>>(row);
        for (int i = 0; i < sums.Length; i++) sums[i] += values[i] * weight;
        for (int i = sums.Length * Vector<float>.Count; i < to.Length; i++) to[i] += row[i] * weight;
    }

    /// <summary>Where evenly spaced points lie between 0 and side − 1, counted from the nearer end as PyTorch's linspace does.</summary>
    private static (int Low, int High, float Weight)[] Axis(int count, int side)
    {
        float step = count > 1 ? (side - 1) / (float)(count - 1) : 0;
        var taps = new (int, int, float)[count];
        for (int i = 0; i < count; i++)
        {
            float at = i < count / 2 || count == 1 ? step * i : side - 1 - step * (count - 1 - i);
            int low = (int)at;
            taps[i] = (low, Math.Min(low + 1, side - 1), at - low);
        }
        return taps;
    }

    /// <summary>
    /// The patches' numbers [patches, 3, 2, p, p] in the tower's order. A still image is both of its frames.
    /// </summary>
    /// <param name="picture">As <see cref="QwenPicture"/> resizes it.</param>
    /// <param name="patch">p.</param>
    /// <param name="levels">The number for each channel and level [3, 256].</param>
    public float[] Pack(RgbImage picture, int patch, float[] levels)
    {
        int area = patch * patch, vector = 3 * QwenVisionConfig.Temporal * area;
        var packed = new float[Patches * vector];
        Parallel.For(0, Patches, p =>
        {
            (int row, int column) = PatchAt(p);
            Span<float> numbers = packed.AsSpan(p * vector, vector);
            for (int y = 0; y < patch; y++)
            {
                ReadOnlySpan<byte> pixels = picture.Row(row * patch + y).Slice(column * patch * 3, patch * 3);
                for (int x = 0; x < patch; x++)
                    for (int c = 0; c < 3; c++)
                        numbers[c * 2 * area + y * patch + x] = levels[c * 256 + pixels[x * 3 + c]];
            }
            for (int c = 0; c < 3; c++)
                numbers.Slice(c * 2 * area, area).CopyTo(numbers.Slice((c * 2 + 1) * area, area));
        });
        return packed;
    }
}
