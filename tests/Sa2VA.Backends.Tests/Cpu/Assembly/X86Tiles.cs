using System.Buffers.Binary;

namespace Sa2VA.Tests;

/// <summary>The tiles of an <see cref="X86Machine"/>, as the manuals say; what they hold survives a call, as in a processor.</summary>
internal sealed class X86Tiles
{
    private const int Most = 8;

    private readonly uint[][] _tiles = new uint[Most][];
    private readonly bool[] _isDefined = new bool[Most];
    private readonly int[] _rows = new int[Most], _rowBytes = new int[Most];
    private bool _isConfigured;

    /// <summary>True if nobody uses them.</summary>
    public bool AreReleased => !_isConfigured;

    public void Configure(ReadOnlySpan<byte> settings)
    {
        if (settings[0] != 1 || settings[1..16].ContainsAnyExcept((byte)0)) throw new X86Fault("sets tiles up in an unknown way");
        for (int t = 0; t < 16; t++)
        {
            int rowBytes = BinaryPrimitives.ReadUInt16LittleEndian(settings[(16 + 2 * t)..]), rows = settings[48 + t];
            bool isOne = t < Most && rows is > 0 and <= 16 && rowBytes is > 0 and <= 64 && rowBytes % 4 == 0;
            if (!isOne && (t < Most || rows != 0 || rowBytes != 0))
                throw new X86Fault($"sets tile {t} up as {rows} rows of {rowBytes} bytes");
            if (isOne) (_rows[t], _rowBytes[t], _tiles[t], _isDefined[t]) = (rows, rowBytes, new uint[rows * rowBytes / 4], false);
        }
        _isConfigured = true;
    }

    public void Release() => _isConfigured = false;

    public void Clear(int tile)
    {
        Use(tile);
        _tiles[tile].AsSpan().Clear();
        _isDefined[tile] = true;
    }

    public void Load(int tile, X86Memory memory, (ulong First, ulong Apart) rows)
    {
        Use(tile);
        int lanes = _rowBytes[tile] / 4;
        for (int i = 0; i < _tiles[tile].Length; i++)
            _tiles[tile][i] = memory.Read32(rows.First + (ulong)(i / lanes) * rows.Apart + 4 * (ulong)(i % lanes));
        _isDefined[tile] = true;
    }

    public void Store(int tile, X86Memory memory, (ulong First, ulong Apart) rows)
    {
        Read(tile);
        int lanes = _rowBytes[tile] / 4;
        for (int i = 0; i < _tiles[tile].Length; i++)
            memory.Write32(rows.First + (ulong)(i / lanes) * rows.Apart + 4 * (ulong)(i % lanes), _tiles[tile][i]);
    }

    /// <summary>c += a·b of bfloat16: a chain of even elements and one of odd ones, whose sum is added.</summary>
    public void MultiplyAdd(int c, int a, int b)
    {
        Read(c);
        Read(a);
        Read(b);
        int lanes = _rowBytes[c] / 4, pairs = _rowBytes[a] / 4;
        if (_rows[c] != _rows[a] || _rows[b] != pairs || _rowBytes[b] != _rowBytes[c] || c == a || c == b || a == b)
            throw new X86Fault("multiplies tiles that do not fit");
        for (int m = 0; m < _rows[c]; m++)
            for (int n = 0; n < lanes; n++)
            {
                float even = 0, odd = 0;
                for (int k = 0; k < pairs; k++)
                {
                    uint x = _tiles[a][m * pairs + k], w = _tiles[b][k * lanes + n];
                    even = BFloat16Pairs.MultiplyAdd(x << 16, w << 16, even);
                    odd = BFloat16Pairs.MultiplyAdd(x & 0xffff0000, w & 0xffff0000, odd);
                }
                ref uint sum = ref _tiles[c][m * lanes + n];
                sum = BFloat16Pairs.Bits(BFloat16Pairs.Single(sum) + BFloat16Pairs.Single(BFloat16Pairs.Bits(even + odd)));
            }
    }

    private void Use(int tile)
    {
        if (!_isConfigured) throw new X86Fault($"uses tile {tile} before tiles are set up");
    }

    private void Read(int tile)
    {
        Use(tile);
        if (!_isDefined[tile]) throw new X86Fault($"reads tile {tile}, which nobody wrote");
    }
}

/// <summary>
/// How processors multiply and add bfloat16: subnormal numbers are zeros before and after, all else is rounded to nearest.
/// </summary>
internal static class BFloat16Pairs
{
    /// <summary>What vdpbf16ps makes of a lane: the upper halves' product is added first.</summary>
    public static uint Add(uint sum, uint a, uint b) => Bits(MultiplyAdd(a << 16, b << 16,
        MultiplyAdd(a & 0xffff0000, b & 0xffff0000, Single(sum))));

    public static float MultiplyAdd(uint a, uint b, float sum) => Single(Bits(MathF.FusedMultiplyAdd(Single(a), Single(b), sum)));

    public static float Single(uint bits) => BitConverter.UInt32BitsToSingle((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);

    public static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value) is var bits && (bits & 0x7f800000) == 0
        ? bits & 0x80000000 : bits;
}
