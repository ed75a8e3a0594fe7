namespace Sa2VA.VirtualGpu.Timing;

/// <summary>The units of a quarter of a multiprocessor that an instruction keeps busy, besides the slot in which it is issued.</summary>
internal enum Unit
{
    None,
    Integer,
    Float,
    SpecialFunction,
    Conversion,
    Double,
    Tensor,
}

internal enum OperationKind
{
    Plain,
    Load,
    Store,
    Copy,
    Commit,
    Wait,
    Barrier,
    Arrive,
    Branch,

    /// <summary>A warp's share of a product of its warpgroup, which runs beside it.</summary>
    Product,
    ProductCommit,
    ProductWait,

    /// <summary>Arrivals at an mbarrier, and bytes that it is told to expect.</summary>
    MbarrierArrive,
    MbarrierWait,
    BulkCopy,

    /// <summary>Shared to global memory, beside the warp.</summary>
    BulkStore,
    StoreCommit,
    StoreWait,
    StoreReadWait,
}

/// <summary>
/// What an instruction costs on a card. Slots are issue slots (0: the assembler folds it into others), Busy clocks of its unit, Latency
/// clocks until its result can be used; Reads and Writes are numbers of registers.
/// </summary>
internal sealed record MicroOperation(int Index, OperationKind Kind, double Slots, Unit Unit, double Busy, double Latency,
    int[] Reads, int[] Writes)
{
    /// <summary>Groups of copies or products that a wait lets stay in flight; −1 for none, not even uncommitted ones.</summary>
    public int Keep { get; init; }

    /// <summary>Turns of shared memory that a share of a product needs for its operands.</summary>
    public double Wavefronts { get; init; }

    /// <summary>Of what an mbarrier is told: whether bytes to expect, and whether an arrival.</summary>
    public bool Expects { get; init; }

    public bool Arrives { get; init; }

    /// <summary>Whether it goes through the pipe of shared memory and L1.</summary>
    public bool IsMemory => Kind is OperationKind.Load or OperationKind.Store or OperationKind.Copy;
}
