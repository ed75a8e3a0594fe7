namespace Sa2VA.Core;

/// <summary>Bytes that a backend holds.</summary>
/// <param name="Weights">Packed weights and constants.</param>
/// <param name="Arena">The arena that all plans share; plans run one at a time.</param>
/// <param name="Buffers">Inputs, states and outputs.</param>
public readonly record struct BackendMemory(long Weights, long Arena, long Buffers)
{
    /// <summary>Sum.</summary>
    public long Total => Weights + Arena + Buffers;
}
