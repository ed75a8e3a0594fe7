using System.Buffers.Binary;

namespace Sa2VA.Media;

/// <summary>
/// Counts the blocks that the entropy-coded data of a sequential JPEG with Huffman codes holds, without their values: the decoder fills
/// what is missing with grey and says nothing. What is odd otherwise is left to the decoder to judge.
/// </summary>
internal sealed class JpegEntropy
{
    private const int CodeBits = 16, Classes = 4, Coefficients = 64;

    /// <summary>Most bytes that the look-up tables of a file take, unless it gives new codes between its scans.</summary>
    public const int TableBytes = 2 * Classes * sizeof(ushort) << CodeBits;

    private readonly byte[]?[] _codes = new byte[2 * Classes][];
    private readonly ushort[]?[] _lookups = new ushort[2 * Classes][];
    private readonly List<(byte Id, int Across, int Down)> _components = [];
    private int _width, _height, _restart;

    /// <summary>Takes a frame header.</summary>
    /// <param name="kind">Second byte of its marker.</param>
    /// <param name="header">What follows the length.</param>
    public void Frame(byte kind, ReadOnlySpan<byte> header)
    {
        _components.Clear();
        if (kind is not (0xc0 or 0xc1) || header.Length < 6 || header.Length < 6 + 3 * header[5]) return;
        (_height, _width) = (BinaryPrimitives.ReadUInt16BigEndian(header[1..]), BinaryPrimitives.ReadUInt16BigEndian(header[3..]));
        for (int i = 0; i < header[5]; i++)
        {
            ReadOnlySpan<byte> component = header.Slice(6 + 3 * i, 3);
            _components.Add((component[0], component[1] >> 4, component[1] & 15));
        }
        if (_components.Exists(c => c.Across is 0 or > 4 || c.Down is 0 or > 4)) _components.Clear();
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
            {
                int table = (segment[0] >> 4) * Classes + (segment[0] & 15);
                (_codes[table], _lookups[table]) = (segment[1..length].ToArray(), null);
            }
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
        if (header.IsEmpty || header.Length < 1 + 2 * header[0] || _components.Count == 0) return false;
        int widest = _components.Max(c => c.Across), tallest = _components.Max(c => c.Down);
        var blocks = new List<(ushort[] Dc, ushort[] Ac)>();
        long units = (long)Over(_width, 8 * widest) * Over(_height, 8 * tallest);
        for (int i = 0; i < header[0]; i++)
        {
            byte id = header[1 + 2 * i], chosen = header[2 + 2 * i];
            int at = _components.FindIndex(c => c.Id == id), dc = chosen >> 4, ac = chosen & 15;
            if (at < 0 || dc >= Classes || ac >= Classes) return false;
            if ((_lookups[dc] ??= Lookup(_codes[dc])) is not { } first) return false;
            if ((_lookups[Classes + ac] ??= Lookup(_codes[Classes + ac])) is not { } rest) return false;
            (_, int across, int down) = _components[at];
            // A component alone in its scan has no blocks beyond its own edges.
            if (header[0] == 1)
            {
                units = (long)Over(Over(_width * across, widest), 8) * Over(Over(_height * down, tallest), 8);
                (across, down) = (1, 1);
            }
            for (int b = 0; b < across * down; b++) blocks.Add((first, rest));
        }
        var bits = new Bits(data);
        for (long unit = 0; unit < units; unit++)
        {
            if (_restart > 0 && unit > 0 && unit % _restart == 0 && !bits.Restart()) return bits.Ended;
            foreach ((ushort[] dc, ushort[] ac) in blocks)
            {
                if (!bits.Block(dc, ac)) return bits.Ended;
            }
        }
        return false;
    }

    private static int Over(int size, int part) => (size + part - 1) / part;

    /// <summary>Length and symbol of the code that 16 bits begin with, 0 where none does; null for codes that cannot be.</summary>
    private static ushort[]? Lookup(byte[]? codes)
    {
        if (codes is null) return null;
        var lookup = new ushort[1 << CodeBits];
        for (int length = 1, code = 0, symbol = CodeBits; length <= CodeBits; length++, code <<= 1)
        {
            for (int i = 0; i < codes[length - 1]; i++, code++, symbol++)
            {
                if (code >= 1 << length) return null;
                lookup.AsSpan(code << (CodeBits - length), 1 << (CodeBits - length)).Fill((ushort)(length << 8 | codes[symbol]));
            }
        }
        return lookup;
    }

    /// <summary>Bits up to the next marker; stuffed zeros are passed over.</summary>
    private ref struct Bits(ReadOnlySpan<byte> data)
    {
        private readonly ReadOnlySpan<byte> _data = data;
        private ulong _bits;
        private int _count, _at;
        private bool _stopped;

        /// <summary>True if bits were wanted where there are no more, up to a marker that is no restart.</summary>
        public bool Ended { get; private set; }

        public bool Block(ushort[] dc, ushort[] ac)
        {
            if (!Code(dc, out int symbol) || !Skip(symbol)) return false;
            for (int k = 1; k < Coefficients; k++)
            {
                if (!Code(ac, out symbol)) return false;
                int run = symbol >> 4, size = symbol & 15;
                if (size == 0 && run != 15) return true;
                k += run;
                if (!Skip(size)) return false;
            }
            return true;
        }

        /// <summary>Passes over what is left before a restart marker, and over it.</summary>
        public bool Restart()
        {
            do
            {
                _count = 0;
                Fill();
            }
            while (!_stopped);
            if (!IsRestart()) return End();
            (_at, _stopped, _count) = (Marker() + 1, false, 0);
            return true;
        }

        private bool Code(ushort[] lookup, out int symbol)
        {
            if (_count < CodeBits) Fill();
            int next = (int)(_count >= CodeBits ? _bits >> (_count - CodeBits) : _bits << (CodeBits - _count)) & 0xffff;
            (int length, symbol) = (lookup[next] >> 8, lookup[next] & 0xff);
            if (length == 0 ? _count < CodeBits : length > _count) return End();
            _count -= length;
            return length > 0;
        }

        private bool Skip(int bits)
        {
            if (bits > CodeBits) return false;
            if (_count < bits) Fill();
            if (_count < bits) return End();
            _count -= bits;
            return true;
        }

        private bool End()
        {
            Ended = !IsRestart();
            return false;
        }

        private void Fill()
        {
            while (_count <= 48 && !_stopped)
            {
                int marker = _at < _data.Length && _data[_at] == 0xff ? Marker() : _at;
                _stopped = marker >= _data.Length || (marker > _at && _data[marker] != 0);
                if (_stopped) return;
                _bits = _bits << 8 | (marker > _at ? (byte)0xff : _data[marker]);
                _count += 8;
                _at = marker + 1;
            }
        }

        /// <summary>Where the byte after the bytes FF lies.</summary>
        private readonly int Marker()
        {
            int at = _at;
            while (at < _data.Length && _data[at] == 0xff) at++;
            return at;
        }

        private readonly bool IsRestart() => Marker() is var at && at < _data.Length && _data[at] is >= 0xd0 and <= 0xd7;
    }
}
