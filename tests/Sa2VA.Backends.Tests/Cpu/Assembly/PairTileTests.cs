using Iced.Intel;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>
/// Assembled register blocks of BF16: the bits of their definition in C#, on an interpreted processor and on this machine's.
/// </summary>
public sealed class PairTileTests
{
    public static TheoryData<int, bool> UnitsAndSystems => new()
    {
        { (int)PairUnit.Dot, false }, { (int)PairUnit.Dot, true }, { (int)PairUnit.Matrix, false }, { (int)PairUnit.Matrix, true },
    };

    [Theory]
    [InlineData((int)PairUnit.Dot)]
    [InlineData((int)PairUnit.Matrix)]
    public void Processors_give_the_bits_of_the_definition(int unit)
    {
        string? lacking = unit == (int)PairUnit.Dot ? PairSupport.WithoutDot : PairSupport.WithoutMatrix;
        Assert.SkipUnless(lacking is null, $"Not on this machine: {lacking}");
        using AssembledPairs? blocks = AssembledPairs.TryAssemble((PairUnit)unit);
        Assert.NotNull(blocks);
        foreach (PairTile tile in PairTile.Of((PairUnit)unit))
            foreach (int steps in (int[])[1, 2, 3, 7, 31])
            {
                PairOperands operands = PairOperands.Random(tile, steps, steps);
                Equal(operands.Run(tile, new ManagedPairs(tile.Unit)), operands.Run(tile, blocks), $"{tile} of {steps} steps");
            }
    }

    [Theory]
    [MemberData(nameof(UnitsAndSystems))]
    public void Interpreted_blocks_give_the_bits_of_the_definition(int unit, bool isWindows)
    {
        var abi = new Abi(isWindows);
        PairProgram program = PairProgram.Of(PairTile.Of((PairUnit)unit), abi);
        foreach ((PairTile tile, int offset) in program.Blocks)
            foreach (int steps in (int[])[1, 2, 3])
            {
                PairOperands operands = PairOperands.Random(tile, steps, steps);
                Equal(operands.Run(tile, new ManagedPairs(tile.Unit)), operands.Interpret(tile, program, program.Code, offset, abi),
                    $"{tile} of {steps} steps");
            }
    }

    /// <summary>An instruction that is missing, reads or writes four bytes further, or writes another register.</summary>
    [Theory]
    [MemberData(nameof(UnitsAndSystems))]
    public void A_fault_in_any_instruction_is_found(int unit, bool isWindows)
    {
        var abi = new Abi(isWindows);
        int faults = 0;
        // Systems differ in how a block begins and ends: one that uses all vectors is enough for the second.
        int[] rows = (PairUnit)unit == PairUnit.Dot ? isWindows ? [12] : [1, 12] : isWindows ? [5] : [5, 32];
        foreach (PairTile tile in PairTile.Of((PairUnit)unit).Where(t => rows.Contains(t.Rows) && (!isWindows || t.Adds)))
        {
            PairProgram program = PairProgram.Of([tile], abi);
            PairOperands[] cases = [.. ((int[])[3, 1]).Select(steps => PairOperands.Random(tile, steps, steps, withEdges: false))];
            float[][] expected = [.. cases.Select(c => c.Run(tile, new ManagedPairs(tile.Unit)))];
            int end = unit == (int)PairUnit.Matrix ? program.Settings[0] : program.Code.Length;
            foreach ((string what, byte[] faulty) in KernelFaults.Of(program.Code[..end]))
            {
                faults++;
                Assert.True(cases.Zip(expected).Any(c => IsFound(c.First, c.Second, tile, program, faulty, abi)),
                    $"{tile}, {(isWindows ? "Windows" : "Unix")}: {what} went unnoticed.");
            }
        }
        Assert.True(faults > 30, $"{faults} faults");
    }

    [Fact]
    public void Tiles_are_used_by_nobody_after_their_release()
    {
        PairProgram program = PairProgram.Of(PairTile.Of(PairUnit.Matrix), Abi.Here);
        Assert.Equal(16, program.Settings.Count);
        var tiles = new X86Tiles();
        var memory = new X86Memory();
        X86Region code = memory.Add("the code", program.Code, program.Code.Length, isWritable: false, isAligned: true);
        var machine = new X86Machine(code, memory, Abi.Here, PairOperands.Extensions(PairUnit.Matrix), tiles);
        machine.Call(0, 0, 0, 0, program.Settings[4]);
        Assert.False(tiles.AreReleased);
        machine.Call(0, 0, 0, 0, program.Release);
        Assert.True(tiles.AreReleased);
    }

    [Fact]
    public void There_is_a_block_for_every_number_of_rows_that_the_product_asks_for()
    {
        foreach (PairUnit unit in Enum.GetValues<PairUnit>())
            for (int all = 1; all <= 384; all++)
                for (int row = 0; row < all;)
                {
                    int rows = PairTile.RowsFor(unit, all - row, all);
                    Assert.Contains(new PairTile(unit, rows, Adds: true), PairTile.Of(unit));
                    // A unit is set up for as many rows as are asked for, or for sixteen.
                    if (unit == PairUnit.Matrix) Assert.Equal(Math.Min(all, 16), Math.Min(rows, 16));
                    row += rows;
                }
    }

    [Fact]
    public void What_is_forced_is_had_or_refused_with_the_reason()
    {
        Assert.Null(PairBlocks.Choose(KernelChoice.Managed));
        Assert.Null(PairBlocks.Choose(KernelChoice.Assembled));
        Assert.IsType<ManagedPairs>(PairBlocks.Choose(KernelChoice.ManagedAmx));
        Assert.Equal(PairSupport.WithoutMatrix is null ? PairUnit.Matrix : null, PairBlocks.Choose(null)?.Unit);
        Check(KernelChoice.Amx, PairUnit.Matrix, PairSupport.WithoutMatrix);
        Check(KernelChoice.Avx512BFloat16, PairUnit.Dot, PairSupport.WithoutDot);

        static void Check(KernelChoice choice, PairUnit unit, string? lacking)
        {
            if (lacking is null) Assert.Equal(unit, PairBlocks.Choose(choice)!.Unit);
            else Assert.Contains(lacking, Assert.Throws<DeviceException>(() => PairBlocks.Choose(choice)).Message,
                StringComparison.Ordinal);
        }
    }

    private static bool IsFound(PairOperands operands, float[] expected, PairTile tile, PairProgram program, byte[] code, Abi abi)
    {
        try
        {
            return !Bits(expected).SequenceEqual(Bits(operands.Interpret(tile, program, code, 0, abi)));
        }
        catch (X86Fault)
        {
            return true;
        }
    }

    private static void Equal(float[] expected, float[] found, string what) =>
        Assert.True(Bits(expected).SequenceEqual(Bits(found)), $"{what} has other bits.");

    private static IEnumerable<int> Bits(float[] values) => values.Select(BitConverter.SingleToInt32Bits);
}

/// <summary>A's rows, a piece of a panel, what the result holds before.</summary>
internal sealed unsafe record PairOperands(byte[] A, byte[] B, byte[] Result, int Steps)
{
    private const int Columns = PackedWeights.PanelWidth;

    /// <summary>What a unit's blocks may count on.</summary>
    public static IReadOnlySet<CpuidFeature> Extensions(PairUnit unit) => new HashSet<CpuidFeature>([
        CpuidFeature.X64, CpuidFeature.INTEL8086, CpuidFeature.SSE, .. unit == PairUnit.Matrix
            ? (CpuidFeature[])[CpuidFeature.AMX_TILE, CpuidFeature.AMX_BF16]
            : [CpuidFeature.AVX, CpuidFeature.AVX512F, CpuidFeature.AVX512_BF16]]);

    /// <summary>Random ones.</summary>
    /// <param name="tile">Which block they are for.</param>
    /// <param name="steps">Its steps.</param>
    /// <param name="seed">Other numbers for each.</param>
    /// <param name="withEdges">True for zeros of both signs, subnormal, tiny and large numbers among them.</param>
    public static PairOperands Random(PairTile tile, int steps, int seed, bool withEdges = true)
    {
        var random = new Random(seed);
        byte[] result = new byte[tile.Rows * Columns * sizeof(float)];
        for (int i = 0; i < result.Length; i += sizeof(float)) BitConverter.TryWriteBytes(result.AsSpan(i), Value());
        return new(Narrow(steps * tile.Rows * PairTile.Step), Narrow(steps * Columns * PairTile.Step), result, steps);

        byte[] Narrow(int count)
        {
            var bytes = new byte[count * sizeof(ushort)];
            for (int i = 0; i < bytes.Length; i += 2) BitConverter.TryWriteBytes(bytes.AsSpan(i), BFloat16.FromSingle(Value()).Bits);
            return bytes;
        }

        float Value() => (withEdges ? random.Next(24) : 24) switch
        {
            0 => 0,
            1 => -0f,
            2 => random.NextSingle() * 1e-39f,
            3 => random.NextSingle() * 3e-19f,
            4 => random.NextSingle() * 1e12f,
            _ => random.NextSingle() * 2 - 1,
        };
    }

    /// <summary>What blocks make of them.</summary>
    public float[] Run(PairTile tile, PairBlocks blocks)
    {
        var result = new float[tile.Rows * Columns];
        Buffer.BlockCopy(Result, 0, result, 0, Result.Length);
        fixed (byte* a = A, b = B)
        fixed (float* to = result)
        {
            blocks.Begin(tile.Rows);
            blocks.Run(tile.Rows, (ushort*)a, b, Steps, to, tile.Adds);
            blocks.End();
        }
        return result;
    }

    /// <summary>What an interpreted processor makes of them.</summary>
    /// <exception cref="X86Fault">The code did what it must not.</exception>
    public float[] Interpret(PairTile tile, PairProgram program, byte[] code, int offset, Abi abi)
    {
        var memory = new X86Memory();
        var tiles = new X86Tiles();
        IReadOnlySet<CpuidFeature> extensions = Extensions(tile.Unit);
        if (tile.Unit == PairUnit.Matrix)
        {
            X86Region settings = memory.Add("the settings", program.Code, program.Code.Length, isWritable: false, isAligned: true);
            int rows = Math.Min(tile.Rows, 16);
            new X86Machine(settings, memory, abi, extensions, tiles).Call(0, 0, 0, 0, program.Settings[rows - 1]);
        }
        X86Region text = memory.Add("the code", code, code.Length, isWritable: false, isAligned: true);
        X86Region a = memory.Add("a", A, A.Length, isWritable: false), b = memory.Add("b", B, B.Length, isWritable: false);
        X86Region result = memory.Add("the result", tile.Adds ? [.. Result] : null, Result.Length, isWritable: true);
        new X86Machine(text, memory, abi, extensions, tiles).Call(a.Address, b.Address, (ulong)Steps, result.Address, offset);
        var values = new float[tile.Rows * Columns];
        Buffer.BlockCopy(memory.Read(result.Address, Result.Length).ToArray(), 0, values, 0, Result.Length);
        return values;
    }
}
