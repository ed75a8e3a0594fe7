using Sa2VA.Cpu;

namespace Sa2VA.Engine;

/// <summary>Choices for <see cref="Sa2VAModel.Load"/>.</summary>
public sealed record ModelOptions
{
    /// <summary><c>auto</c> or <c>cpu</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Threads that share each op, 1 to 256; 0 means one per logical processor.</summary>
    public int Threads { get; init; }

    /// <summary>Widest vectors to use; null means the widest this machine has. Every width gives the same bits.</summary>
    public SimdLevel? Simd { get; init; }

    /// <summary>Most bytes of native memory (weights, intermediates, sessions); 0 means no limit.</summary>
    public long MemoryBudget { get; init; }
}

/// <summary>How far loading has come.</summary>
/// <param name="Stage">What is being prepared.</param>
/// <param name="Bytes">Bytes of weights read so far.</param>
/// <param name="TotalBytes">Bytes of weights in all.</param>
public readonly record struct LoadProgress(string Stage, long Bytes, long TotalBytes);
