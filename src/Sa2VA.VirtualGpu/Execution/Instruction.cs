using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// An instruction ready to run: operands are byte offsets of rows in a warp's register file, immediates lie in rows of their own, and Run
/// executes it for the lanes of a mask. What D, A, B, C and Rows mean is said at each Run.
/// </summary>
internal sealed unsafe class Instruction(PtxInstruction source, int index)
{
    public PtxInstruction Source => source;

    public int Index => index;

    public delegate*<Warp, Instruction, uint, void> Run;
    public int D = -1, A = -1, B = -1, C = -1;

    /// <summary>Row of the predicate that a comparison or a shuffle writes besides its result.</summary>
    public int Second = -1;

    /// <summary>Row of the guard, or −1.</summary>
    public int Guard = -1;

    /// <summary>All ones where the guard is negated.</summary>
    public uint GuardFlip;

    /// <summary>The first instruction of a basic block or a collective: here lanes are joined and warps may change.</summary>
    public bool Leader;

    /// <summary>The first instruction of a basic block.</summary>
    public bool StartsBlock;

    /// <summary>
    /// Of the first of several instructions that run one after the other whatever they find, for none is guarded, branches or waits, how
    /// many there are; else 0.
    /// </summary>
    public int Straight;

    public int Target;
    public int[] Rows = [];

    /// <summary>Bytes that one lane moves, or of one element of a vector.</summary>
    public int Width;

    public int Mode;
    public long Offset, SourceOffset;
    public StateSpace Space;

    /// <summary>Whether its shared addresses may be of other blocks of the cluster.</summary>
    public bool ReachesCluster;

    /// <summary>A load or a store that <see cref="WholeRows"/> suits.</summary>
    public bool IsPlain;

    /// <summary>The operation lane by lane, where no vector form exists, on zero-extended rows.</summary>
    public Func<ulong, ulong, ulong, ulong>? Scalar;

    /// <summary>Which of D, A, B, C are 64-bit rows: bits 0 to 3.</summary>
    public int Wide;

    public InstructionClass Class;

    /// <summary>What it does to global memory.</summary>
    public GlobalTouch Touch;

    /// <summary>Whether it reads or writes, beside products, a register that a product of a warpgroup uses.</summary>
    public bool UsesProducts;

    /// <summary>Of those registers the numbers that it reads and writes; of a product itself its factor's and its sums'.</summary>
    public int[] ProductReads = [], ProductWrites = [];
}
