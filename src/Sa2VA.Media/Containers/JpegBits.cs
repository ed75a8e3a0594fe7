using System.Numerics;

namespace Sa2VA.Media;

/// <summary>
/// Passes over the coefficients of blocks in entropy-coded data, up to the next marker; stuffed zeros are passed over too.
/// </summary>
internal ref struct JpegBits(ReadOnlySpan<byte> data)
{
    /// <summary>The longest Huffman code.</summary>
    public const int CodeBits = 16;

    /// <summary>Of a block.</summary>
    public const int Coefficients = 64;

    private const int MostAtOnce = 32, SkipSixteen = 15;

    private readonly ReadOnlySpan<byte> _data = data;
    private ulong _bits;
    private int _count, _at, _emptyBlocks;
    private bool _stopped;

    /// <summary>True if bits were wanted where there are no more, up to a marker that is no restart.</summary>
    public bool Ended { get; private set; }

    /// <summary>All coefficients of a block, as sequential scans have them.</summary>
    public bool Block(ushort[] dc, ushort[] ac)
    {
        if (!Dc(dc)) return false;
        for (int k = 1; k < Coefficients; k++)
        {
            if (!Code(ac, out int symbol)) return false;
            int run = symbol >> 4, size = symbol & 15;
            if (size == 0 && run != SkipSixteen) return true;
            k += run;
            if (!Skip(size)) return false;
        }
        return true;
    }

    /// <summary>The first coefficient of a block.</summary>
    public bool Dc(ushort[] codes) => Code(codes, out int size) && size <= CodeBits && Skip(size);

    /// <summary>A band of coefficients, as the first scan has them that a progressive file has of it.</summary>
    /// <param name="codes">Look-up table.</param>
    /// <param name="first">The first of the band.</param>
    /// <param name="last">The last of the band.</param>
    /// <param name="nonzero">Gets a bit for each coefficient that is not zero.</param>
    public bool Ac(ushort[] codes, int first, int last, ref ulong nonzero)
    {
        if (_emptyBlocks > 0)
        {
            _emptyBlocks--;
            return true;
        }
        for (int k = first; k <= last; k++)
        {
            if (!Code(codes, out int symbol)) return false;
            int run = symbol >> 4, size = symbol & 15;
            if (size == 0 && run != SkipSixteen)
            {
                if (!EmptyBlocks(run)) return false;
                _emptyBlocks--;
                return true;
            }
            k += run;
            if (size > 0 && k < Coefficients) nonzero |= 1UL << k;
            if (!Skip(size)) return false;
        }
        return true;
    }

    /// <summary>One more bit of a band of coefficients: those that are not zero have one each, others may become so.</summary>
    /// <param name="codes">Look-up table.</param>
    /// <param name="first">The first of the band.</param>
    /// <param name="last">The last of the band.</param>
    /// <param name="nonzero">A bit for each coefficient that is not zero.</param>
    public bool RefineAc(ushort[] codes, int first, int last, ref ulong nonzero)
    {
        int k = first;
        for (; _emptyBlocks == 0 && k <= last; k++)
        {
            if (!Code(codes, out int symbol)) return false;
            int run = symbol >> 4;
            bool becomes = (symbol & 15) != 0;
            if (!becomes && run != SkipSixteen)
            {
                if (!EmptyBlocks(run)) return false;
                break;
            }
            if (becomes && !Skip(1)) return false;
            for (; k <= last; k++)
            {
                if ((nonzero >> k & 1) == 0)
                {
                    if (--run < 0) break;
                }
                else if (!Skip(1)) return false;
            }
            if (becomes && k < Coefficients) nonzero |= 1UL << k;
        }
        if (_emptyBlocks == 0) return true;
        _emptyBlocks--;
        return k > last || Skip(BitOperations.PopCount(nonzero & ulong.MaxValue << k & ulong.MaxValue >> (Coefficients - 1 - last)));
    }

    /// <summary>Passes over bits.</summary>
    /// <param name="bits">How many, at most 64.</param>
    public bool Skip(int bits)
    {
        for (; bits > MostAtOnce; bits -= MostAtOnce)
        {
            if (!Skip(MostAtOnce)) return false;
        }
        if (_count < bits) Fill();
        if (_count < bits) return End();
        _count -= bits;
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
        (_at, _stopped, _count, _emptyBlocks) = (Marker() + 1, false, 0, 0);
        return true;
    }

    /// <summary>Takes the number of blocks, this one and others after it, that have nothing more.</summary>
    private bool EmptyBlocks(int bits)
    {
        if (_count < bits) Fill();
        if (_count < bits) return End();
        _count -= bits;
        _emptyBlocks = (1 << bits) + (int)(_bits >> _count & (1UL << bits) - 1);
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
