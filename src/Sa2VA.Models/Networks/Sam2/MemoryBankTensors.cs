using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>One object's bank as the graphs see it: states that stay on the device, and the lists of slots that a frame reads.</summary>
internal sealed class MemoryBankTensors
{
    private readonly int _memorySize, _memDim;

    public MemoryBankTensors(GraphBuilder g, GroundingConfig config, int conditioningFrames)
    {
        int grid = config.ImageSize / 16, width = config.DModel;
        (_memDim, _memorySize) = (config.MemDim, grid * grid * config.MemDim);
        Memories = g.State("memories", DType.BF16, new Shape(MemoryBank.MemorySlots(conditioningFrames), _memorySize));
        Pointers = g.State("pointers", DType.F32, new Shape(MemoryBank.PointerSlots(conditioningFrames), width));
        MemorySlot = g.Scalar("memory_slot", Memories.Shape[0] - 1);
        PointerSlot = g.Scalar("pointer_slot", Pointers.Shape[0] - 1);
    }

    /// <summary>Memories, BF16 [slots, G²·Dm].</summary>
    public Tensor Memories { get; }

    /// <summary>Pointers [slots, D].</summary>
    public Tensor Pointers { get; }

    /// <summary>Slot that the frame's memory goes to.</summary>
    public RuntimeScalar MemorySlot { get; }

    /// <summary>Slot that the frame's pointer goes to.</summary>
    public RuntimeScalar PointerSlot { get; }

    /// <summary>Records the storing of a frame's memory [G, G, Dm], rounded to BF16, and pointer [1, D].</summary>
    public void Store(GraphBuilder g, Tensor memory, Tensor pointer)
    {
        g.WriteRows(Memories, g.Reshape(memory, new Shape(1, _memorySize)), MemorySlot);
        g.WriteRows(Pointers, pointer, PointerSlot);
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
        return new MemoryRows(g.Concat([values, pointers], selection.AllRows),
            g.Concat([g.Add(values, codes), pointers], selection.AllRows),
            selection.MemoryRows);
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

/// <summary>The slots that one frame reads, and the run-time lengths that follow from their number.</summary>
internal sealed class BankSelection
{
    public BankSelection(GraphBuilder g, GroundingConfig config, int conditioningFrames)
    {
        int grid = config.ImageSize / 16, rowsPerMemory = grid * grid, rowsPerPointer = config.DModel / config.MemDim;
        int memories = MemoryBank.MaxMemories(conditioningFrames), pointers = MemoryBank.MaxPointers(conditioningFrames);
        MemoryCount = g.Scalar("memories", memories);
        PointerCount = g.Scalar("pointers", pointers);
        MemoryRows = g.Sum("memory_rows", memories * rowsPerMemory, 0, new ScalarTerm(MemoryCount, rowsPerMemory));
        PointerRows = g.Sum("pointer_rows", pointers * rowsPerPointer, 0, new ScalarTerm(PointerCount, rowsPerPointer));
        AllRows = g.Sum("rows", MemoryRows.Max + PointerRows.Max, 0, MemoryRows, PointerRows);
        MemoryIndex = g.Input("memory_index", DType.I32, new Shape(memories), MemoryCount);
        TimeIndex = g.Input("time_index", DType.I32, new Shape(memories), MemoryCount);
        PointerIndex = g.Input("pointer_index", DType.I32, new Shape(pointers), PointerCount);
    }

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

    /// <summary>Sets M and P; the other lengths follow.</summary>
    public void Set(BoundPlan plan, int memories, int pointers) => plan.Set(MemoryCount, memories).Set(PointerCount, pointers);
}
