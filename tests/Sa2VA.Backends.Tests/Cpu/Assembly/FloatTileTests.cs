using Iced.Intel;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>Assembled register blocks: the bits of managed ones, on this machine's processor and on an interpreted one.</summary>
public sealed class FloatTileTests
{
    private static IEnumerable<FloatTile> Tiles => FloatTile.Of(SimdLevel.V256).Concat(FloatTile.Of(SimdLevel.V512));

    public static TheoryData<SimdLevel, bool> LevelsAndSystems => new()
    {
        { SimdLevel.V256, false }, { SimdLevel.V256, true }, { SimdLevel.V512, false }, { SimdLevel.V512, true },
    };

    [Fact]
    public void Processors_give_the_bits_of_managed_blocks()
    {
        FloatBlocks?[] all = [.. CpuFeatures.Available.Select(FloatBlocks.TryAssemble)];
        Assert.SkipUnless(all.Any(b => b is not null), "No register blocks are assembled for this machine.");
        foreach ((FloatBlocks? blocks, SimdLevel level) in all.Zip(CpuFeatures.Available))
        {
            if (blocks is null) continue;
            using (blocks)
                foreach (FloatTile tile in FloatTile.Of(level))
                    foreach (int depth in Enumerable.Range(0, 67).Append(256))
                    {
                        TileOperands operands = TileOperands.Random(tile, depth, depth);
                        Equal(InterpretedTile.Managed(tile, operands, depth), InterpretedTile.Managed(tile, operands, depth, blocks),
                            $"{tile} of depth {depth}");
                    }
        }
    }

    [Theory]
    [MemberData(nameof(LevelsAndSystems))]
    public void Interpreted_blocks_give_the_bits_of_managed_ones(SimdLevel level, bool isWindows)
    {
        foreach (FloatTile tile in FloatTile.Of(level))
        {
            byte[] code = Code(tile, new Abi(isWindows));
            foreach (int depth in (int[])[0, 1, 2, 3, 4, 5, 7, 8, 11, 64])
            {
                TileOperands operands = TileOperands.Random(tile, depth, depth);
                Equal(InterpretedTile.Managed(tile, operands, depth), InterpretedTile.Run(code, tile, new Abi(isWindows), operands, depth),
                    $"{tile} of depth {depth}");
            }
        }
    }

    /// <summary>An instruction that is missing, reads or writes four bytes further, or writes another register.</summary>
    [Theory]
    [MemberData(nameof(LevelsAndSystems))]
    public void A_fault_in_any_instruction_is_found(SimdLevel level, bool isWindows)
    {
        var abi = new Abi(isWindows);
        int faults = 0;
        int rows = FloatTile.Of(level).Max(t => t.Rows);
        // Systems differ in how a kernel begins and ends: one tile is enough for the second.
        foreach (FloatTile tile in FloatTile.Of(level).Where(t => t.Rows == rows && t.Adds && (!isWindows || t.Weights == DType.F32)))
        {
            byte[] code = Code(tile, abi);
            // Beside a large number a missing one could be lost in rounding.
            Case[] cases = [.. from depth in (int[])[11, 3, 8]
                               let operands = TileOperands.Random(tile, depth, depth, withEdges: false)
                               select new Case(depth, operands, InterpretedTile.Managed(tile, operands, depth))];
            foreach ((string what, byte[] faulty) in KernelFaults.Of(code))
            {
                faults++;
                Assert.True(cases.Any(c => IsFound(faulty, tile, abi, c)),
                    $"{tile}, {(isWindows ? "Windows" : "Unix")}: {what} went unnoticed.");
            }
        }
        Assert.True(faults > 400, $"{faults} faults");
    }

    [Fact]
    public void A_width_has_a_block_for_every_number_of_rows_that_the_product_asks_for()
    {
        for (int rows = 1; rows <= 24; rows++)
        {
            Assert.Contains(new FloatTile(SimdLevel.V512, MicroKernel.RowsFor<V512>(rows), DType.F32, Adds: true), Tiles);
            Assert.Contains(new FloatTile(SimdLevel.V256, MicroKernel.RowsFor<V256>(rows), DType.F16, Adds: false), Tiles);
        }
    }

    private static byte[] Code(FloatTile tile, Abi abi) => FloatBlocks.Assemble([tile], abi).Code;

    private static bool IsFound(byte[] code, FloatTile tile, Abi abi, Case c)
    {
        try
        {
            return !Bits(c.Expected).SequenceEqual(Bits(InterpretedTile.Run(code, tile, abi, c.Operands, c.Depth)));
        }
        catch (X86Fault)
        {
            return true;
        }
    }

    private static void Equal(float[] expected, float[] found, string what) =>
        Assert.True(Bits(expected).SequenceEqual(Bits(found)), $"{what} has other bits.");

    private static IEnumerable<int> Bits(float[] values) => values.Select(BitConverter.SingleToInt32Bits);

    private sealed record Case(int Depth, TileOperands Operands, float[] Expected);
}
