using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>
/// JPEG files of the kinds that the codec does not write: progressive with refined scans, also with coarser colours, runs of empty blocks
/// and restart markers, and baseline with a scan per component. Every Huffman code is a number of fixed length.
/// </summary>
internal sealed class TestJpeg
{
    private const int Quantum = 6;

    private static readonly byte[] ZigZag =
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    private readonly List<byte> _file = [0xff, 0xd8];

    /// <summary>[component][block][64], in zigzag order.</summary>
    private readonly int[][][] _coefficients;

    private readonly int _width, _height, _luma, _restart;
    private readonly bool _runs;
    private readonly List<int> _pending = [];
    private int _bits, _bitCount, _emptyBlocks;

    /// <param name="image">The picture.</param>
    /// <param name="frame">Kind of frame.</param>
    /// <param name="luma">Pixels of a colour sample in each direction, 1 or 2.</param>
    /// <param name="runs">Blocks without anything more are counted together.</param>
    /// <param name="restart">Units between two restart markers; 0 for none.</param>
    private TestJpeg(RgbImage image, byte frame, int luma = 1, bool runs = false, int restart = 0)
    {
        (_width, _height, _luma, _runs, _restart) = (image.Width, image.Height, luma, runs, restart);
        _coefficients = [.. Enumerable.Range(0, 3).Select(c =>
        {
            int across = Units(_width) * Factor(c), scale = luma / Factor(c);
            return (int[][])[.. Enumerable.Range(0, across * Units(_height) * Factor(c))
                .Select(b => Block(image, c, b % across * 8, b / across * 8, scale))];
        })];
        Segment(0xdb, [0, .. Enumerable.Repeat((byte)Quantum, 64)]);
        Segment(frame,
            [8, (byte)(image.Height >> 8), (byte)image.Height, (byte)(image.Width >> 8), (byte)image.Width, 3, 1, (byte)(0x11 * luma), 0,
                2, 0x11, 0, 3, 0x11, 0]);
        if (restart > 0) Segment(0xdd, [0, (byte)restart]);
        // 16 codes of 5 bits for DC, 255 of 8 bits for AC.
        Segment(0xc4, [0x00, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. Enumerable.Range(0, 16).Select(v => (byte)v)]);
        Segment(0xc4, [0x10, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, .. Enumerable.Range(0, 255).Select(v => (byte)v)]);
    }

    /// <summary>Offsets at which a scan begins, and that of the end marker.</summary>
    public List<int> Scans { get; } = [];

    public byte[] File => [.. _file];

    public static TestJpeg Progressive(RgbImage image, int luma = 1, bool runs = false, int restart = 0)
    {
        var jpeg = new TestJpeg(image, 0xc2, luma, runs, restart);
        jpeg.Scan([0, 1, 2], 0, 0, 0, 1);
        for (int c = 0; c < 3; c++) jpeg.Scan([c], 1, 5, 0, 2);
        for (int c = 0; c < 3; c++) jpeg.Scan([c], 6, 63, 0, 2);
        for (int c = 0; c < 3; c++) jpeg.Scan([c], 1, 63, 2, 1);
        jpeg.Scan([0, 1, 2], 0, 0, 1, 0);
        for (int c = 0; c < 3; c++) jpeg.Scan([c], 1, 63, 1, 0);
        return jpeg.End();
    }

    public static TestJpeg ScanPerComponent(RgbImage image)
    {
        var jpeg = new TestJpeg(image, 0xc0);
        for (int c = 0; c < 3; c++) jpeg.Scan([c], 0, 63, 0, 0);
        return jpeg.End();
    }

    private TestJpeg End()
    {
        Scans.Add(_file.Count);
        _file.AddRange([0xff, 0xd9]);
        return this;
    }

    private void Scan(int[] components, int first, int last, int high, int low)
    {
        Scans.Add(_file.Count);
        Segment(0xda,
            [(byte)components.Length, .. components.SelectMany(c => new byte[] { (byte)(c + 1), 0 }), (byte)first, (byte)last,
                (byte)(high << 4 | low)]);
        var previous = new int[3];
        int[][] units = components.Length > 1
            ? [.. Enumerable.Range(0, Units(_width) * Units(_height)).Select(u => (int[])[.. components.SelectMany(c => BlocksOf(c, u))])]
            : [.. Alone(components[0])];
        int[] owners = [.. components.SelectMany(c => Enumerable.Repeat(c, components.Length > 1 ? Factor(c) * Factor(c) : 1))];
        for (int u = 0; u < units.Length; u++)
        {
            if (_restart > 0 && u > 0 && u % _restart == 0)
            {
                Align();
                _file.AddRange([0xff, (byte)(0xd0 + (u / _restart - 1) % 8)]);
                Array.Clear(previous);
            }
            for (int b = 0; b < owners.Length; b++)
            {
                int c = owners[b];
                int[] block = _coefficients[c][units[u][b]];
                if (first == 0 && high > 0) Put(block[0] >> low & 1, 1);
                else if (first == 0)
                {
                    int value = block[0] >> low, difference = value - previous[c], size = Size(difference);
                    previous[c] = value;
                    Put(size, 5);
                    Value(difference, size);
                }
                if (last > 0 && high == 0) First(block, Math.Max(first, 1), last, low);
                if (last > 0 && high > 0) Refine(block, first, last, low);
            }
        }
        Align();
    }

    private int Factor(int component) => component == 0 ? _luma : 1;

    /// <summary>Units of a picture's side.</summary>
    private int Units(int side) => (side + 8 * _luma - 1) / (8 * _luma);

    /// <summary>Indices of a component's blocks in a unit of several components.</summary>
    private IEnumerable<int> BlocksOf(int component, int unit)
    {
        int f = Factor(component), across = Units(_width);
        return Enumerable.Range(0, f * f).Select(i => (unit / across * f + i / f) * across * f + unit % across * f + i % f);
    }

    /// <summary>Indices of a component's blocks when it is alone: none beyond its edges.</summary>
    private IEnumerable<int[]> Alone(int component)
    {
        int scale = _luma / Factor(component) * 8, across = Units(_width) * Factor(component);
        (int columns, int rows) = ((_width + scale - 1) / scale, (_height + scale - 1) / scale);
        return Enumerable.Range(0, columns * rows).Select(i => (int[])[i / columns * across + i % columns]);
    }

    /// <summary>Ends a part of entropy-coded data at a byte's end.</summary>
    private void Align()
    {
        Empty();
        if (_bitCount > 0) Put(0x7f, 8 - _bitCount);
    }

    private void First(int[] block, int first, int last, int low)
    {
        int run = 0;
        for (int k = first; k <= last; k++)
        {
            int value = block[k] / (1 << low);
            if (value == 0)
            {
                run++;
                continue;
            }
            Empty();
            for (; run > 15; run -= 16) Put(0xf0, 8);
            int size = Size(value);
            Put(run << 4 | size, 8);
            Value(value, size);
            run = 0;
        }
        if (run > 0) Nothing([]);
    }

    private void Refine(int[] block, int first, int last, int low)
    {
        int run = 0, end = Array.FindLastIndex(block, last, last - first + 1, v => Math.Abs(v) >> low == 1);
        List<int> corrections = [];
        for (int k = first; k <= last; k++)
        {
            int value = Math.Abs(block[k]) >> low;
            if (value == 0)
            {
                run++;
                continue;
            }
            for (; run > 15 && k <= end; run -= 16)
            {
                Empty();
                Put(0xf0, 8);
                Correct(corrections);
            }
            if (value > 1) corrections.Add(value & 1);
            else
            {
                Empty();
                Put(run << 4 | 1, 8);
                Put(block[k] < 0 ? 0 : 1, 1);
                Correct(corrections);
                run = 0;
            }
        }
        if (run > 0 || corrections.Count > 0) Nothing(corrections);
    }

    private void Correct(List<int> corrections)
    {
        corrections.ForEach(bit => Put(bit, 1));
        corrections.Clear();
    }

    /// <summary>A block has nothing more but corrections; so may the next.</summary>
    private void Nothing(List<int> corrections)
    {
        _emptyBlocks++;
        _pending.AddRange(corrections);
        if (!_runs) Empty();
    }

    private void Empty()
    {
        if (_emptyBlocks == 0) return;
        int size = Size(_emptyBlocks) - 1;
        Put(size << 4, 8);
        Put(_emptyBlocks - (1 << size), size);
        Correct(_pending);
        _emptyBlocks = 0;
    }

    private static int Size(int value) => 32 - int.LeadingZeroCount(Math.Abs(value));

    private void Value(int value, int size) => Put((value < 0 ? value - 1 : value) & ((1 << size) - 1), size);

    private void Put(int value, int count)
    {
        for (int i = count - 1; i >= 0; i--)
        {
            _bits = (_bits << 1 | (value >> i & 1)) & 0xff;
            if (++_bitCount < 8) continue;
            _file.Add((byte)_bits);
            if (_bits == 0xff) _file.Add(0);
            (_bits, _bitCount) = (0, 0);
        }
    }

    private void Segment(byte marker, byte[] content) =>
        _file.AddRange([0xff, marker, (byte)((content.Length + 2) >> 8), (byte)(content.Length + 2), .. content]);

    private static int[] Block(RgbImage image, int component, int left, int top, int step)
    {
        var samples = new double[64];
        for (int i = 0; i < 64; i++)
        {
            ReadOnlySpan<byte> p = image.Row(Math.Min((top + i / 8) * step, image.Height - 1))
                .Slice(Math.Min((left + i % 8) * step, image.Width - 1) * 3, 3);
            double y = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
            samples[i] = component switch { 0 => y - 128, 1 => (p[2] - y) / 1.772, _ => (p[0] - y) / 1.402 };
        }
        var block = new int[64];
        for (int k = 0; k < 64; k++)
        {
            int u = ZigZag[k] % 8, v = ZigZag[k] / 8;
            double sum = 0;
            for (int i = 0; i < 64; i++)
                sum += samples[i] * Math.Cos((2 * (i % 8) + 1) * u * Math.PI / 16) * Math.Cos((2 * (i / 8) + 1) * v * Math.PI / 16);
            double scale = (u == 0 ? Math.Sqrt(0.5) : 1) * (v == 0 ? Math.Sqrt(0.5) : 1) / 4;
            block[k] = (int)Math.Round(sum * scale / Quantum);
        }
        return block;
    }
}
