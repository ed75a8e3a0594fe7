using System.Runtime.InteropServices;
using Iced.Intel;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>The assembled register blocks of one vector width, ready to be called.</summary>
internal sealed unsafe class FloatBlocks : IDisposable
{
    private readonly ExecutableMemory _memory;
    private readonly delegate* unmanaged[SuppressGCTransition]<float*, byte*, nint, float*, void>[] _entries;

    private FloatBlocks(ExecutableMemory memory, IReadOnlyList<FloatTile> tiles, int[] offsets)
    {
        _memory = memory;
        _entries = new delegate* unmanaged[SuppressGCTransition]<float*, byte*, nint, float*, void>[Places];
        for (int i = 0; i < offsets.Length; i++)
            _entries[PlaceOf(tiles[i].Rows, tiles[i].Weights, tiles[i].Adds)] =
                (delegate* unmanaged[SuppressGCTransition]<float*, byte*, nint, float*, void>)(memory.Start + offsets[i]);
    }

    // Code is made once and stays: any thread may be in it.
    private static readonly Lazy<FloatBlocks?>
        Middle = new(() => TryAssemble(SimdLevel.V256)), Wide = new(() => TryAssemble(SimdLevel.V512));

    private const int Places = 13 * 3 * 2;

    /// <summary>
    /// The blocks of a width, or null for managed ones: as forced, else assembled ones where they were measured to be faster, which is 256
    /// bits. There are none of 128 bits, and none but for x64.
    /// </summary>
    /// <param name="level">Vector width.</param>
    /// <param name="choice">What is forced; null, or blocks that are not of floats, force nothing.</param>
    /// <exception cref="DeviceException">Assembled ones are forced and cannot be had.</exception>
    public static FloatBlocks? Choose(SimdLevel level, KernelChoice? choice)
    {
        bool isForced = choice == KernelChoice.Assembled;
        if (level == SimdLevel.V128 || choice == KernelChoice.Managed || !(isForced || level == SimdLevel.V256)) return null;
        FloatBlocks? blocks = (level == SimdLevel.V512 ? Wide : Middle).Value;
        if (blocks is not null || !isForced) return blocks;
        throw new DeviceException("Assembled kernels are forced, but this system does not let a program make machine code; "
            + $"{KernelChoices.Variable}=managed does without.");
    }

    /// <summary>Null where there are none of that width or the system does not let a program make code.</summary>
    public static FloatBlocks? TryAssemble(SimdLevel level)
    {
        IReadOnlyList<FloatTile> tiles = FloatTile.Of(level);
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || tiles.Count == 0) return null;
        (byte[] code, int[] offsets) = Assemble(tiles, Abi.Here);
        return ExecutableMemory.TryCreate(code) is { } memory ? new FloatBlocks(memory, tiles, offsets) : null;
    }

    /// <summary>The code of tiles behind each other, and where each begins. It may lie anywhere.</summary>
    public static (byte[] Code, int[] Offsets) Assemble(IReadOnlyList<FloatTile> tiles, Abi abi)
    {
        using var code = new MemoryStream();
        var offsets = new int[tiles.Count];
        for (int i = 0; i < tiles.Count; i++)
        {
            while (code.Length % 64 != 0) code.WriteByte(0xcc);
            offsets[i] = (int)code.Length;
            var c = new Assembler(64);
            FloatBlock.Assemble(c, tiles[i], abi);
            c.Assemble(new StreamCodeWriter(code), (ulong)code.Length);
        }
        return (code.ToArray(), offsets);
    }

    /// <summary>Calls one of them; see <see cref="MicroKernel.Tile{T, TLoad}"/>.</summary>
    public void Run(int rows, DType weights, float* a, byte* b, int depth, float* tile, bool add) =>
        _entries[PlaceOf(rows, weights, add)](a, b, depth, tile);

    public void Dispose() => _memory.Dispose();

    private static int PlaceOf(int rows, DType weights, bool adds) =>
        (rows * 3 + (weights == DType.F32 ? 0 : weights == DType.BF16 ? 1 : 2)) * 2 + (adds ? 1 : 0);
}
