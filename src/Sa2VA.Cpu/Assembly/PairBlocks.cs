using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// What multiplies rounded activations by BF16 weights, both laid in pairs of inputs. A sum goes through all inputs in one order, which is
/// the unit's: it does not depend on how the work is cut, and neither do its bits.
/// </summary>
internal abstract unsafe class PairBlocks
{
    // Code is made once and stays: any thread may be in it.
    private static readonly Lazy<AssembledPairs?> Dot = new(() => AssembledPairs.TryAssemble(PairUnit.Dot)),
        Matrix = new(() => AssembledPairs.TryAssemble(PairUnit.Matrix));

    private static readonly ManagedPairs ManagedDot = new(PairUnit.Dot), ManagedMatrix = new(PairUnit.Matrix);

    /// <summary>What defines the bits.</summary>
    public abstract PairUnit Unit { get; }

    /// <summary>Name for people.</summary>
    public string Name => Unit == PairUnit.Matrix ? "AMX" : "AVX512-BF16";

    /// <summary>
    /// Those that a choice asks for; null for products of floats. Nothing forced: AMX where it can be had. AVX512-BF16 was measured to be
    /// slower than floats on a processor that has it, so it has to be asked for.
    /// </summary>
    /// <exception cref="DeviceException">Some are forced that cannot be had.</exception>
    public static PairBlocks? Choose(KernelChoice? choice) => choice switch
    {
        KernelChoice.Amx => Matrix.Value ?? throw Lacking("amx", PairSupport.WithoutMatrix),
        KernelChoice.Avx512BFloat16 => Dot.Value ?? throw Lacking("avx512bf16", PairSupport.WithoutDot),
        KernelChoice.ManagedAmx => ManagedMatrix,
        KernelChoice.ManagedAvx512BFloat16 => ManagedDot,
        null => Matrix.Value,
        _ => null,
    };

    /// <summary>Says which rows the next <see cref="Run"/>s are cut from, on this thread. They end with <see cref="End"/>.</summary>
    public virtual void Begin(int rows) { }

    /// <summary>Ends what <see cref="Begin"/> began.</summary>
    public virtual void End() { }

    /// <summary>tile[r][0…32) (+)= Σ a[r][k]·b[k][0…32) over steps of 32 inputs.</summary>
    /// <param name="rows">Rows of a block, as <see cref="PairTile.RowsFor"/> gives them.</param>
    /// <param name="a">[step][row][32].</param>
    /// <param name="b">[step][pair][32][2].</param>
    /// <param name="steps">How many, at least 1.</param>
    /// <param name="tile">[rows, 32].</param>
    /// <param name="add">True to add to what the tile holds, false to replace it.</param>
    public abstract void Run(int rows, ushort* a, byte* b, int steps, float* tile, bool add);

    private static DeviceException Lacking(string value, string? reason) => new(
        $"{KernelChoices.Variable}={value} cannot be had: {reason ?? "this system does not let a program make machine code."} "
        + $"Without the variable the backend chooses what there is; {value}-managed gives the same bits slowly.");
}
