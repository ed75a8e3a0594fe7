using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>The pools that objects' banks are kept in, as graphs see them.</summary>
/// <param name="ConditioningFrames">Most conditioning frames of an object.</param>
/// <param name="MemorySlots">Slots of memories.</param>
/// <param name="PointerSlots">Slots of pointers.</param>
/// <param name="Unrounded">True to keep memories also as they were before they were rounded: for those who compare.</param>
internal sealed record BankPools(int ConditioningFrames, int MemorySlots, int PointerSlots, bool Unrounded = false)
{
    /// <summary>Room for a number of objects.</summary>
    public static BankPools For(int objects, int conditioningFrames, bool unrounded = false) => new(conditioningFrames,
        objects * MemoryBank.MemorySlots(conditioningFrames), objects * MemoryBank.PointerSlots(conditioningFrames), unrounded);
}

/// <summary>The objects' banks as the graphs see them: pools that stay on the device, and the slots that a frame writes.</summary>
internal sealed class MemoryBankTensors
{
    private readonly ObjectBatch _objects;
    private readonly int _memorySize, _memDim;

    public MemoryBankTensors(GraphBuilder g, GroundingConfig config, BankPools pools, ObjectBatch objects)
    {
        int grid = config.ImageSize / 16, width = config.DModel;
        _objects = objects;
        (_memDim, _memorySize) = (config.MemDim, grid * grid * config.MemDim);
        var memories = new Shape(pools.MemorySlots, _memorySize);
        Memories = g.State("memories", DType.BF16, memories);
        Pointers = g.State("pointers", DType.F32, new Shape(pools.PointerSlots, width));
        if (pools.Unrounded) Unrounded = g.State("unrounded memories", DType.F32, memories);
        MemorySlots = g.List("memory_slots", new Shape(objects.Capacity), new IndexRange(-1, pools.MemorySlots), objects.Count);
        PointerSlots = g.List("pointer_slots", new Shape(objects.Capacity), new IndexRange(-1, pools.PointerSlots), objects.Count);
    }

    /// <summary>Memories, BF16 [slots, G²·Dm].</summary>
    public Tensor Memories { get; }

    /// <summary>Pointers [slots, D].</summary>
    public Tensor Pointers { get; }

    /// <summary>Memories before they are rounded [slots, G²·Dm]; null unless asked for.</summary>
    public Tensor? Unrounded { get; }

    /// <summary>Slot that each object's memory of the frame goes to, I32 [objects].</summary>
    public Tensor MemorySlots { get; }

    /// <summary>Slot that each object's pointer of the frame goes to, I32 [objects].</summary>
    public Tensor PointerSlots { get; }

    /// <summary>Records the storing of a frame's memories [objects, G, G, Dm], rounded to BF16, and pointers [objects, D].</summary>
    public void Store(GraphBuilder g, Tensor memories, Tensor pointers)
    {
        Tensor rows = g.Reshape(memories, new Shape(_objects.Capacity, _memorySize), _objects.Count);
        g.WriteRows(Memories, rows, MemorySlots);
        if (Unrounded is not null) g.WriteRows(Unrounded, rows, MemorySlots);
        g.WriteRows(Pointers, pointers, PointerSlots);
    }

    /// <summary>Records the gathering of the chosen memories and pointers as rows of width Dm.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="selection">Which slots.</param>
    /// <param name="w">The weights below <c>sam2_model</c>.</param>
    /// <param name="grid">G.</param>
    public MemoryRows Gather(GraphBuilder g, BankSelection selection, WeightScope w, int grid)
    {
        Tensor positions = Positions(g, w, grid);
        Tensor values = Rows(g, g.Copy(g.Gather(Memories, selection.MemoryIndex), DType.F32), selection.MemoryRows);
        Tensor codes = Rows(g, g.Gather(positions, selection.TimeIndex), selection.MemoryRows);
        Tensor pointers = Rows(g, g.Gather(Pointers, selection.PointerIndex), selection.PointerRows);
        return new MemoryRows(MemoryRows.Join(g, values, pointers, selection.AllRows, selection.Lengths), g.Add(values, codes), pointers,
            selection.AllRows, selection.Lengths);
    }

    private Tensor Rows(GraphBuilder g, Tensor x, RuntimeScalar rows) =>
        g.Reshape(x, new Shape((int)(x.Shape.Count / _memDim), _memDim), rows);

    /// <summary>Sine code of the grid plus each time code: [7, G²·Dm].</summary>
    private Tensor Positions(GraphBuilder g, WeightScope w, int grid)
    {
        (int size, int dim) = (_memorySize, _memDim);
        Weight codes = w.Get("maskmem_tpos_enc", MemoryBank.TimeCodes, 1, 1, dim);
        return g.Constant(FormattableString.Invariant($"memory positions, grid {grid}, channels {dim}"),
            new Shape(MemoryBank.TimeCodes, size), to =>
        {
            float[] time = codes.ReadValues();
            // The sine code is written over the first memory's place, which is finished last.
            Span<float> sine = to[..size];
            SinePosition.Fill(sine, grid, grid, dim);
            for (int t = MemoryBank.TimeCodes - 1; t >= 0; t--)
                for (int i = 0; i < size; i++) to[t * size + i] = sine[i] + time[t * dim + i % dim];
        }, codes);
    }
}

/// <summary>The slots that one frame reads, object by object, and the run-time lengths that follow from their number.</summary>
internal sealed class BankSelection
{
    public BankSelection(GraphBuilder g, GroundingConfig config, BankPools pools, ObjectBatch objects)
    {
        int grid = config.ImageSize / 16, each = MemoryBank.MaxMemories(pools.ConditioningFrames);
        int eachPointers = MemoryBank.MaxPointers(pools.ConditioningFrames);
        int memories = objects.Capacity * each, pointers = objects.Capacity * eachPointers;
        (RowsPerMemory, RowsPerPointer) = (grid * grid, config.DModel / config.MemDim);
        MemoryCount = g.Scalar("memories", memories);
        PointerCount = g.Scalar("pointers", pointers);
        MemoryRows = g.Sum("memory_rows", memories * RowsPerMemory, 0, new ScalarTerm(MemoryCount, RowsPerMemory));
        PointerRows = g.Sum("pointer_rows", pointers * RowsPerPointer, 0, new ScalarTerm(PointerCount, RowsPerPointer));
        AllRows = g.Sum("rows", MemoryRows.Max + PointerRows.Max, 0, MemoryRows, PointerRows);
        MemoryIndex = g.List("memory_index", new Shape(memories), new IndexRange(0, pools.MemorySlots), MemoryCount);
        TimeIndex = g.List("time_index", new Shape(memories), new IndexRange(0, MemoryBank.TimeCodes), MemoryCount);
        PointerIndex = g.List("pointer_index", new Shape(pointers), new IndexRange(0, pools.PointerSlots), PointerCount);
        if (objects.Count is null) return;
        Lengths = new BankLengths(List("rows_of_memories", each * RowsPerMemory), List("rows_of_pointers", eachPointers * RowsPerPointer),
            List("rows_of_objects", each * RowsPerMemory + eachPointers * RowsPerPointer));

        Tensor List(string name, int most) => g.List(name, new Shape(objects.Capacity), new IndexRange(0, most + 1));
    }

    /// <summary>G².</summary>
    public int RowsPerMemory { get; }

    /// <summary>D/Dm.</summary>
    public int RowsPerPointer { get; }

    /// <summary>Slots of the memories, I32 [M].</summary>
    public Tensor MemoryIndex { get; }

    /// <summary>Time codes of the memories, I32 [M].</summary>
    public Tensor TimeIndex { get; }

    /// <summary>Slots of the pointers, I32 [P].</summary>
    public Tensor PointerIndex { get; }

    /// <summary>M.</summary>
    public RuntimeScalar MemoryCount { get; }

    /// <summary>P.</summary>
    public RuntimeScalar PointerCount { get; }

    /// <summary>M·G².</summary>
    public RuntimeScalar MemoryRows { get; }

    /// <summary>P·D/Dm.</summary>
    public RuntimeScalar PointerRows { get; }

    /// <summary>Sum of both.</summary>
    public RuntimeScalar AllRows { get; }

    /// <summary>Rows of each object; null for one.</summary>
    public BankLengths? Lengths { get; }
}
