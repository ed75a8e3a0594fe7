using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Where the objects of all streams keep their past: pools of slots whose memory comes as slots are first taken, and stays for the next
/// object when one leaves.
/// </summary>
internal sealed class BankStore : IDisposable
{
    private const int MaxMemories = 4096, MaxPointers = 8192;

    private readonly IBackend _backend;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="conditioningFrames">Most conditioning frames of an object.</param>
    /// <param name="unrounded">True to keep memories also as they were before they were rounded.</param>
    public BankStore(IBackend backend, GroundingConfig config, int conditioningFrames, bool unrounded)
    {
        _backend = backend;
        int grid = config.ImageSize / 16, size = grid * grid * config.MemDim;
        Pools = new BankPools(conditioningFrames, MaxMemories, MaxPointers, unrounded);
        try
        {
            Memories = backend.Reserve("object memories", DType.BF16, new Shape(MaxMemories, size));
            Pointers = backend.Reserve("object pointers", DType.F32, new Shape(MaxPointers, config.DModel));
            if (unrounded) Unrounded = backend.Reserve("unrounded memories", DType.F32, new Shape(MaxMemories, size));
        }
        catch
        {
            Dispose();
            throw;
        }
        MemorySlots = new SlotPool("objects' memories", MaxMemories, count =>
        {
            Memories.Commit((long)count * size);
            Unrounded?.Commit((long)count * size);
        });
        PointerSlots = new SlotPool("objects' pointers", MaxPointers, count => Pointers.Commit((long)count * config.DModel));
    }

    /// <summary>The pools, for graphs.</summary>
    public BankPools Pools { get; }

    /// <summary>BF16 [slots, G²·Dm].</summary>
    public DeviceBuffer Memories { get; }

    /// <summary>[slots, D].</summary>
    public DeviceBuffer Pointers { get; }

    /// <summary>[slots, G²·Dm], or null.</summary>
    public DeviceBuffer? Unrounded { get; }

    /// <summary>Which memories are taken.</summary>
    public SlotPool MemorySlots { get; }

    /// <summary>Which pointers are taken.</summary>
    public SlotPool PointerSlots { get; }

    /// <summary>Has a plan read and write here.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MemoryBankTensors bank)
    {
        if (bank.Unrounded is not null) buffers.Add(bank.Unrounded, Unrounded!);
        return buffers.Add(bank.Memories, Memories).Add(bank.Pointers, Pointers);
    }

    /// <summary>Sees to it that there is room for all that the objects of now may come to remember, the newest among them.</summary>
    /// <exception cref="DeviceMemoryException">There is none.</exception>
    public void CheckRoom()
    {
        long memory = Memories.Shape.Last * (Memories.Type.Size() + (long)(Unrounded?.Type.Size() ?? 0));
        MemoryRoom.Check(_backend, MemorySlots.Missing * memory + PointerSlots.Missing * (long)Pointers.Shape.Last * Pointers.Type.Size(),
            "What objects come to remember, with one more of them,",
            $"Follow fewer objects, close sessions, or raise {nameof(ModelOptions)}.{nameof(ModelOptions.MemoryBudget)}.");
    }

    public void Dispose()
    {
        Memories?.Dispose();
        Pointers?.Dispose();
        Unrounded?.Dispose();
    }
}
