using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Sa2VA.Cpu;

/// <summary>
/// Assembles <see cref="PairTile"/>s of AMX. Called as void(ushort* a, byte* b, nint steps, float* tile) between one of
/// <see cref="Configure"/>, which says how many rows tiles have, and <see cref="Release"/>. Tiles 0 to 3 are sums, 4 and 5 of A, 6 and 7
/// of B.
/// </summary>
internal static class MatrixBlock
{
    /// <summary>Bytes of a row of a tile, and its most rows.</summary>
    private const int RowBytes = 64, TileRows = 16;

    private const int Tiles = 8, PanelRowBytes = PackedWeights.PanelWidth * sizeof(float);

    /// <summary>Bytes of a panel from what is read to what is fetched, where weights come straight from memory.</summary>
    private const int FetchAhead = 4096;

    /// <summary>Adds a block's code to a program; steps is at least 1.</summary>
    public static void Assemble(Assembler c, PairTile tile, Abi abi)
    {
        abi.Enter(c, keepsVectors: false);
        bool isTwo = tile.Rows > TileRows;
        Label loop = c.CreateLabel();
        c.mov(r10, PanelRowBytes);
        c.mov(r11, RowBytes);
        for (int sum = 0; sum < (isTwo ? 4 : 2); sum++)
            if (tile.Adds) c.tileloadd(T(sum), Sum(sum));
            else c.tilezero(T(sum));
        c.Label(ref loop);
        c.tileloadd(tmm6, __[Abi.B + r10]);
        c.tileloadd(tmm4, __[Abi.A + r11]);
        c.tileloadd(tmm7, __[Abi.B + r10 + RowBytes]);
        if (!isTwo)
            for (int line = 0; line < 2 * TileRows; line++) c.prefetcht0(__[Abi.B + FetchAhead + line * RowBytes]);
        c.tdpbf16ps(tmm0, tmm4, tmm6);
        c.tdpbf16ps(tmm1, tmm4, tmm7);
        if (isTwo)
        {
            c.tileloadd(tmm5, __[Abi.A + r11 + TileRows * RowBytes]);
            c.tdpbf16ps(tmm2, tmm5, tmm6);
            c.tdpbf16ps(tmm3, tmm5, tmm7);
        }
        c.add(Abi.A, tile.Rows * RowBytes);
        c.add(Abi.B, TileRows * PanelRowBytes);
        c.sub(Abi.Depth, 1);
        c.jne(loop);
        for (int sum = 0; sum < (isTwo ? 4 : 2); sum++) c.tilestored(Sum(sum), T(sum));
        abi.Leave(c, keepsVectors: false);
    }

    /// <summary>Adds a function that sets tiles up for blocks of so many rows: 1 to 16, or 16 for those of 16 and 32.</summary>
    public static void Configure(Assembler c, int rows)
    {
        Label settings = c.CreateLabel();
        c.ldtilecfg(__[settings]);
        c.ret();
        c.Label(ref settings);
        // Palette 1; bytes of a row of each tile from byte 16 on; rows of each from byte 48 on.
        c.db(1);
        for (int i = 1; i < 16; i++) c.db(0);
        for (int i = 0; i < 16; i++) c.dw((short)(i < Tiles ? RowBytes : 0));
        for (int i = 0; i < 16; i++) c.db((byte)(i < 6 ? rows : i < Tiles ? TileRows : 0));
    }

    /// <summary>Adds a function that leaves the tiles as if nobody had used them: a thread switch need not keep them.</summary>
    public static void Release(Assembler c)
    {
        c.tilerelease();
        c.ret();
    }

    private static AssemblerRegisterTMM T(int number) => new(Register.TMM0 + number);

    private static AssemblerMemoryOperand Sum(int number) =>
        __[Abi.Tile + r10 + number / 2 * TileRows * PanelRowBytes + number % 2 * RowBytes];
}
