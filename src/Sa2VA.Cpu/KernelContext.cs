using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>What kernels are built from when a graph is compiled: operands, weights and the number of workers.</summary>
internal sealed unsafe class KernelContext(CpuBackend backend, Graph graph, MemoryPlan memory, PlanWeights weights)
{
    private readonly Dictionary<Tensor, int> _slots = SlotsOf(graph);

    /// <summary>Threads that share a kernel's parts.</summary>
    public int Workers => backend.Workers;

    /// <summary>Vector width that kernels run at.</summary>
    public SimdLevel Simd => backend.Simd;

    /// <summary>Assembled register blocks of that width, or null for the managed ones.</summary>
    public FloatBlocks? Blocks => backend.Blocks;

    /// <summary>What multiplies BF16, or null where floats are multiplied.</summary>
    public PairBlocks? Pairs => backend.Pairs;

    /// <summary>Where a tensor will be found.</summary>
    public Operand Operand(Tensor tensor)
    {
        if (tensor.Kind == TensorKind.Constant) return Cpu.Operand.InConstant(tensor, (byte*)weights.Constant(tensor.Root));
        if (tensor.Kind == TensorKind.List) return Cpu.Operand.InNumbers(tensor);
        return _slots.TryGetValue(tensor.Root, out int slot)
            ? Cpu.Operand.InBuffer(tensor, slot)
            : Cpu.Operand.InArena(tensor, memory.OffsetOf(tensor.Root));
    }

    /// <summary>A small weight as F32: a bias, a norm's gain, a depthwise filter. Null gives null.</summary>
    public float* Vector(Weight? weight) => weight is null ? null : weights.Vector(weight);

    /// <summary>At least <paramref name="count"/> zeros, shared by all who need them.</summary>
    public float* Zeros(int count) => weights.Zeros(count);

    /// <summary>A depthwise filter [C, 1, k, k] as [k·k, C], so that channels are contiguous.</summary>
    public float* TapMajor(Weight weight) => weights.TapMajor(weight);

    /// <summary>
    /// A matrix weight packed for the GEMM of an op: in pairs of inputs where both operands are BF16. What stays F32 because sums or norms
    /// read it too is multiplied as it is.
    /// </summary>
    public PackedWeights Packed(Op op, Weight weight, WeightLayout layout = WeightLayout.RowMajor)
    {
        int bits = GroupQuantization.BitsOf(backend.Precision, weight);
        bool isNarrow = bits < 16 || (backend.Precision.IsNarrow() && !op.Output.KeepsFloat);
        PairBlocks? pairs = isNarrow && op.Inputs[0].Type == DType.BF16 ? backend.Pairs : null;
        return weights.Packed(weight, layout, isNarrow ? DType.BF16 : weight.Info.Type, bits, pairs);
    }

    /// <summary>A weight kept as stored, for look-ups by row.</summary>
    public WeightData Stored(Weight weight) => weights.Stored(weight);

    /// <summary>
    /// Scratch that all plans share, one slice of at least <paramref name="bytes"/> per worker slot; grown now, never while running.
    /// </summary>
    public WorkerScratch Scratch(long bytes) => backend.ReserveScratch(bytes);

    private static Dictionary<Tensor, int> SlotsOf(Graph graph)
    {
        Dictionary<Tensor, int> slots = [];
        int slot = 0;
        foreach (Tensor t in graph.Inputs) slots.Add(t, slot++);
        foreach (Tensor t in graph.Outputs) slots.Add(t.Root, slot++);
        return slots;
    }
}

/// <summary>Per-worker memory for one kernel at a time: a part takes the slice of its own number, valid until the kernel ends.</summary>
internal sealed unsafe class WorkerScratch(MemoryAccount account, int slices) : IDisposable
{
    private readonly AlignedMemory _memory = new(account, MemoryPurpose.Arena, 0, "");
    private long _sliceBytes;

    /// <summary>True if the slices are that large already.</summary>
    public bool Holds(long bytesPerSlice) => Rounded(bytesPerSlice) <= Volatile.Read(ref _sliceBytes);

    public void Reserve(long bytesPerSlice)
    {
        long rounded = Rounded(bytesPerSlice);
        if (rounded <= _sliceBytes) return;
        _memory.Grow(rounded * slices, "the workers' scratch memory");
        Volatile.Write(ref _sliceBytes, rounded);
    }

    /// <summary>The slice of part <paramref name="part"/>; kernels that use scratch have at most one part per worker.</summary>
    public byte* Slice(int part)
    {
        if ((uint)part >= (uint)slices) throw new ArgumentOutOfRangeException(nameof(part));
        return _memory.Pointer + part * _sliceBytes;
    }

    public void Dispose() => _memory.Dispose();

    // Slices begin on pages of their own, so that no two workers write into one cache line.
    private static long Rounded(long bytes) => (bytes + 4095) & ~4095L;
}
