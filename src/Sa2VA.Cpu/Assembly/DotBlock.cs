using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Sa2VA.Cpu;

/// <summary>
/// Assembles <see cref="PairTile"/>s of AVX512-BF16. Called as void(ushort* a, byte* b, nint steps, float* tile). Vectors 0 to 23 are sums,
/// two a row; the next two a row of the panel.
/// </summary>
internal static class DotBlock
{
    private const int VectorBytes = 64, Pairs = PairTile.Step / 2, B = 24, PanelRowBytes = PackedWeights.PanelWidth * sizeof(float);

    /// <summary>Bytes of a panel from what is read to what is fetched, as in <see cref="FloatBlock"/>.</summary>
    private const int FetchAhead = 4096;

    /// <summary>Adds a block's code to a program; steps is at least 1.</summary>
    public static void Assemble(Assembler c, PairTile tile, Abi abi)
    {
        abi.Enter(c);
        Label loop = c.CreateLabel();
        for (int sum = 0; sum < 2 * tile.Rows; sum++) c.vpxord(Z(sum), Z(sum), Z(sum));
        c.Label(ref loop);
        for (int pair = 0; pair < Pairs; pair++)
        {
            int b = pair * PanelRowBytes;
            c.prefetcht0(__[Abi.B + b + FetchAhead]);
            c.prefetcht0(__[Abi.B + b + FetchAhead + VectorBytes]);
            c.vmovups(Z(B), __zmmword_ptr[Abi.B + b]);
            c.vmovups(Z(B + 1), __zmmword_ptr[Abi.B + b + VectorBytes]);
            for (int row = 0; row < tile.Rows; row++)
            {
                int a = row * PairTile.Step * sizeof(ushort) + pair * sizeof(uint);
                c.vdpbf16ps(Z(2 * row), Z(B), __dword_bcst[Abi.A + a]);
                c.vdpbf16ps(Z(2 * row + 1), Z(B + 1), __dword_bcst[Abi.A + a]);
            }
        }
        c.add(Abi.A, tile.Rows * PairTile.Step * sizeof(ushort));
        c.add(Abi.B, Pairs * PanelRowBytes);
        c.sub(Abi.Depth, 1);
        c.jne(loop);
        for (int sum = 0; sum < 2 * tile.Rows; sum++)
        {
            if (tile.Adds) c.vaddps(Z(sum), Z(sum), __zmmword_ptr[Abi.Tile + sum * VectorBytes]);
            c.vmovups(__zmmword_ptr[Abi.Tile + sum * VectorBytes], Z(sum));
        }
        c.vzeroupper();
        abi.Leave(c);
    }

    private static AssemblerRegisterZMM Z(int number) => new(Register.ZMM0 + number);
}
