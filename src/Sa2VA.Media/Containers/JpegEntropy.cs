using System.Buffers.Binary;

namespace Sa2VA.Media;

/// <summary>
/// Passes over the entropy-coded data of a JPEG with Huffman codes, sequential or progressive, to see that all of it is there: the decoder
/// fills what is missing with grey, or shows what it has, and says nothing. Of arithmetically coded files only whole scans can be missed.
/// What is odd otherwise is left to the decoder to judge.
/// </summary>
internal sealed class JpegEntropy
{
    private const int CodeBits = JpegBits.CodeBits, Coefficients = JpegBits.Coefficients, Classes = 4, CoefficientBytes = 2;
    private const byte Sequential = 0xc0, Extended = 0xc1, Progressive = 0xc2, Arithmetic = 0xc9, ArithmeticProgressive = 0xca;
    private const byte Missing = byte.MaxValue;

    /// <summary>Most bytes that the look-up tables of a file take.</summary>
    public const int TableBytes = 2 * Classes * sizeof(ushort) << CodeBits;

    private readonly Codes[] _codes = [.. Enumerable.Range(0, 2 * Classes).Select(_ => new Codes())];
    private readonly List<Component> _components = [];
    private readonly List<(Component Component, ushort[] Dc, ushort[] Ac)> _blocks = [];
    private int _width, _height, _widest, _tallest, _restart;
    private bool _progressive, _arithmetic;

    /// <summary>
    /// Bytes that a decoder takes which keeps the coefficients of all blocks until the last scan, and what is kept of them here.
    /// </summary>
    public long Work =>
        _components.Sum(c => (long)Over(_width, 8 * _widest) * c.Across * Over(_height, 8 * _tallest) * c.Down)
        * (Coefficients * CoefficientBytes + sizeof(ulong));

    /// <summary>False if some component lacks coefficients, or the last bits of them, though the file is at its end.</summary>
    public bool IsComplete => _components.TrueForAll(c => c.IsComplete);

    /// <summary>Takes a frame header.</summary>
    /// <param name="kind">Second byte of its marker.</param>
    /// <param name="header">What follows the length.</param>
    public void Frame(byte kind, ReadOnlySpan<byte> header)
    {
        _components.Clear();
        (_progressive, _arithmetic) = (kind is Progressive or ArithmeticProgressive, kind is Arithmetic or ArithmeticProgressive);
        if (!_progressive && !_arithmetic && kind is not (Sequential or Extended)) return;
        if (header.Length < 6 || header.Length < 6 + 3 * header[5]) return;
        (_height, _width) = (BinaryPrimitives.ReadUInt16BigEndian(header[1..]), BinaryPrimitives.ReadUInt16BigEndian(header[3..]));
        for (int i = 0; i < header[5]; i++)
        {
            ReadOnlySpan<byte> component = header.Slice(6 + 3 * i, 3);
            _components.Add(new Component(component[0], component[1] >> 4, component[1] & 15));
        }
        if (_components.Count == 0 || _components.Exists(c => c.Across is 0 or > 4 || c.Down is 0 or > 4)) _components.Clear();
        else (_widest, _tallest) = (_components.Max(c => c.Across), _components.Max(c => c.Down));
    }

    /// <summary>Takes a segment of Huffman tables.</summary>
    public void Tables(ReadOnlySpan<byte> segment)
    {
        while (segment.Length > CodeBits)
        {
            int length = 1 + CodeBits;
            foreach (byte count in segment.Slice(1, CodeBits)) length += count;
            if (length > segment.Length) return;
            if ((segment[0] >> 4) < 2 && (segment[0] & 15) < Classes)
                _codes[(segment[0] >> 4) * Classes + (segment[0] & 15)].Set(segment[1..length]);
            segment = segment[length..];
        }
    }

    /// <summary>Takes the segment that says after how many units a restart marker stands.</summary>
    public void Restarts(ReadOnlySpan<byte> segment) => _restart = segment.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(segment) : 0;

    /// <summary>True if the data of a scan ends before its last block.</summary>
    /// <param name="header">The scan's header, after its length.</param>
    /// <param name="data">What follows it, to the end of the file.</param>
    public bool BreaksOff(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        if (_components.Count == 0 || header.IsEmpty || header.Length < 4 + 2 * header[0]) return false;
        ReadOnlySpan<byte> band = header[(1 + 2 * header[0])..];
        (int first, int last, int from, int shift) = _progressive
            ? (band[0], band[1], band[2] >> 4, band[2] & 15) : (0, Coefficients - 1, 0, 0);
        bool refines = from != 0;
        if (_progressive && (last >= Coefficients || first > last || (first == 0 ? last != 0 : header[0] != 1))) return false;
        _blocks.Clear();
        (int across, int down) = (Over(_width, 8 * _widest), Over(_height, 8 * _tallest));
        for (int i = 0; i < header[0]; i++)
        {
            byte id = header[1 + 2 * i], chosen = header[2 + 2 * i];
            int dc = chosen >> 4, ac = chosen & 15, count = 1;
            if (_components.Find(c => c.Id == id) is not { } component || dc >= Classes || ac >= Classes) return false;
            component.Take(first, last, from, shift);
            // Their data may end early: writers leave out zeros at its end.
            if (_arithmetic) continue;
            if ((first == 0 && !refines ? _codes[dc].Lookup : []) is not { } forFirst) return false;
            if ((last > 0 ? _codes[Classes + ac].Lookup : []) is not { } forRest) return false;
            // A component alone in its scan has no blocks beyond its own edges.
            if (header[0] == 1)
                (across, down) = (Over(Over(_width * component.Across, _widest), 8), Over(Over(_height * component.Down, _tallest), 8));
            else count = component.Across * component.Down;
            for (int b = 0; b < count; b++) _blocks.Add((component, forFirst, forRest));
        }
        if (_arithmetic) return false;
        long units = (long)across * down;
        Span<ulong> nonzero = first > 0 ? _blocks[0].Component.Nonzero(units) : [];
        var bits = new JpegBits(data);
        for (int unit = 0; unit < units; unit++)
        {
            if (_restart > 0 && unit > 0 && unit % _restart == 0 && !bits.Restart()) return bits.Ended;
            foreach ((_, ushort[] dc, ushort[] ac) in _blocks)
            {
                bool whole = !_progressive ? bits.Block(dc, ac)
                    : first == 0 ? refines ? bits.Skip(1) : bits.Dc(dc)
                    : refines ? bits.RefineAc(ac, first, last, ref nonzero[unit])
                    : bits.Ac(ac, first, last, ref nonzero[unit]);
                if (!whole) return bits.Ended;
            }
        }
        return false;
    }

    private static int Over(int size, int part) => (size + part - 1) / part;

    /// <summary>One of the planes of a picture.</summary>
    /// <param name="Id">Its name in scans.</param>
    /// <param name="Across">Blocks in a row of a unit.</param>
    /// <param name="Down">Blocks in a column of a unit.</param>
    private sealed record Component(byte Id, int Across, int Down)
    {
        /// <summary>How many bits of each coefficient are still to come.</summary>
        private readonly byte[] _shifts = [.. Enumerable.Repeat(Missing, Coefficients)];

        private ulong[]? _nonzero;

        /// <summary>True if no coefficient lacks a bit.</summary>
        public bool IsComplete => _shifts.AsSpan().IndexOfAnyExcept((byte)0) < 0;

        /// <summary>A scan gives bits of a band of coefficients. One that refines what was never there changes nothing.</summary>
        public void Take(int first, int last, int from, int shift)
        {
            foreach (ref byte current in _shifts.AsSpan(first, last - first + 1))
            {
                if (from == 0 || from == current) current = (byte)shift;
            }
        }

        /// <summary>For each block a bit for each coefficient that is not zero.</summary>
        public Span<ulong> Nonzero(long blocks) => _nonzero ??= new ulong[blocks];
    }

    /// <summary>A Huffman table; scans may come between one and the next of its number.</summary>
    private sealed class Codes
    {
        private byte[]? _codes;
        private ushort[]? _lookup;
        private bool _current;

        /// <summary>Length and symbol of the code that 16 bits begin with, 0 where none does; null for codes that cannot be.</summary>
        public ushort[]? Lookup
        {
            get
            {
                if (!_current && _codes is not null && !Fill(_codes, _lookup ??= new ushort[1 << CodeBits])) _codes = null;
                _current = true;
                return _codes is null ? null : _lookup;
            }
        }

        public void Set(ReadOnlySpan<byte> codes) => (_codes, _current) = (codes.ToArray(), false);

        private static bool Fill(byte[] codes, ushort[] lookup)
        {
            lookup.AsSpan().Clear();
            for (int length = 1, code = 0, symbol = CodeBits; length <= CodeBits; length++, code <<= 1)
            {
                for (int i = 0; i < codes[length - 1]; i++, code++, symbol++)
                {
                    if (code >= 1 << length) return false;
                    lookup.AsSpan(code << (CodeBits - length), 1 << (CodeBits - length)).Fill((ushort)(length << 8 | codes[symbol]));
                }
            }
            return true;
        }
    }
}
