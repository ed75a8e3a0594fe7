namespace Sa2VA.Engine;

/// <summary>Choices for <see cref="Sa2VAModel.Load"/>.</summary>
public sealed record ModelOptions
{
    /// <summary>Most bytes of the device's memory (weights, intermediates, sessions); 0 means no limit.</summary>
    public long MemoryBudget { get; init; }

    /// <summary>
    /// Most tokens that all conversations of the model may hold together; 0 means eight times what one conversation may have. Addresses are
    /// set aside for them, memory is taken as tokens come.
    /// </summary>
    public int MaxTokens { get; init; }
}

/// <summary>How far loading has come.</summary>
/// <param name="Stage">What is being prepared.</param>
/// <param name="Bytes">Bytes of weights read so far.</param>
/// <param name="TotalBytes">Bytes of weights in all.</param>
public readonly record struct LoadProgress(string Stage, long Bytes, long TotalBytes);
