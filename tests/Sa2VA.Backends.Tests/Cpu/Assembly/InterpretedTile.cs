using Iced.Intel;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>An assembled tile that an <see cref="X86Machine"/> runs, and what the managed block makes of the same numbers.</summary>
internal static unsafe class InterpretedTile
{
    private const int Columns = PackedWeights.PanelWidth;

    private static readonly HashSet<CpuidFeature>
        Avx2 = [CpuidFeature.X64, CpuidFeature.INTEL8086, CpuidFeature.SSE, CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.FMA],
        Avx512 = [.. Avx2, CpuidFeature.AVX512F, CpuidFeature.AVX512VL, CpuidFeature.AVX512BW, CpuidFeature.AVX512DQ];

    /// <summary>What a level promises.</summary>
    public static IReadOnlySet<CpuidFeature> Extensions(SimdLevel level) => level == SimdLevel.V512 ? Avx512 : Avx2;

    /// <summary>Runs code over the tile's operands.</summary>
    /// <exception cref="X86Fault">It did what it must not.</exception>
    public static float[] Run(byte[] code, FloatTile tile, Abi abi, TileOperands operands, int depth)
    {
        var memory = new X86Memory();
        X86Region program = memory.Add("the code", code, code.Length, isWritable: false, isAligned: true);
        int floats = depth * tile.Rows * sizeof(float);
        X86Region a = memory.Add("a", operands.A[..floats], floats, isWritable: false);
        int bytes = depth * Columns * tile.Weights.Size();
        X86Region b = memory.Add("b", operands.B[..bytes], bytes, isWritable: false);
        int size = tile.Rows * Columns * sizeof(float);
        X86Region result = memory.Add("the result", tile.Adds ? operands.Result[..size] : null, size, isWritable: true);
        new X86Machine(program, memory, abi, Extensions(tile.Level)).Call(a.Address, b.Address, (ulong)depth, result.Address);
        var values = new float[tile.Rows * Columns];
        Buffer.BlockCopy(memory.Read(result.Address, size).ToArray(), 0, values, 0, size);
        return values;
    }

    /// <summary>The managed block's result, or that of other code.</summary>
    public static float[] Managed(FloatTile tile, TileOperands operands, int depth, FloatBlocks? blocks = null)
    {
        var result = new float[tile.Rows * Columns];
        Buffer.BlockCopy(operands.Result, 0, result, 0, result.Length * sizeof(float));
        fixed (byte* a = operands.A, b = operands.B)
        fixed (float* to = result)
        {
            if (tile.Level == SimdLevel.V512) Managed<V512>(tile, blocks, (float*)a, b, depth, to);
            else Managed<V256>(tile, blocks, (float*)a, b, depth, to);
        }
        return result;
    }

    private static void Managed<T>(FloatTile tile, FloatBlocks? blocks, float* a, byte* b, int depth, float* to)
        where T : unmanaged, ISimd<T>
    {
        switch (tile.Weights)
        {
            case DType.F32: MicroKernel.Tile<T, LoadF32<T>>(blocks, tile.Rows, a, b, depth, to, tile.Adds); break;
            case DType.BF16: MicroKernel.Tile<T, LoadBF16<T>>(blocks, tile.Rows, a, b, depth, to, tile.Adds); break;
            default: MicroKernel.Tile<T, LoadF16<T>>(blocks, tile.Rows, a, b, depth, to, tile.Adds); break;
        }
    }
}

/// <summary>A's rows, a panel in its type, what the result holds before.</summary>
internal sealed record TileOperands(byte[] A, byte[] B, byte[] Result)
{
    /// <summary>Random ones.</summary>
    /// <param name="tile">Which block they are for.</param>
    /// <param name="depth">Its inputs.</param>
    /// <param name="seed">Other numbers for each.</param>
    /// <param name="withEdges">True for zeros of both signs, subnormal and large numbers among them.</param>
    public static TileOperands Random(FloatTile tile, int depth, int seed, bool withEdges = true)
    {
        var random = new Random(seed);
        int columns = PackedWeights.PanelWidth;
        byte[] a = Floats(depth * tile.Rows), result = Floats(tile.Rows * columns);
        if (tile.Weights == DType.F32) return new(a, Floats(depth * columns), result);
        var b = new byte[depth * columns * 2];
        for (int i = 0; i < b.Length; i += 2)
        {
            float value = Value();
            ushort bits = tile.Weights == DType.BF16 ? BFloat16.FromSingle(value).Bits
                : BitConverter.HalfToUInt16Bits((Half)Math.Clamp(value, -60000, 60000));
            BitConverter.TryWriteBytes(b.AsSpan(i), bits);
        }
        return new(a, b, result);

        byte[] Floats(int count)
        {
            var bytes = new byte[count * sizeof(float)];
            for (int i = 0; i < bytes.Length; i += sizeof(float)) BitConverter.TryWriteBytes(bytes.AsSpan(i), Value());
            return bytes;
        }

        float Value() => (withEdges ? random.Next(40) : 40) switch
        {
            0 => 0,
            1 => -0f,
            2 => random.NextSingle() * 1e-39f,
            3 => random.NextSingle() * 3e-6f,
            4 => random.NextSingle() * 1e12f,
            _ => random.NextSingle() * 2 - 1,
        };
    }
}
