namespace Sa2VA.Core;

/// <summary>Bytes that a backend holds.</summary>
/// <param name="Weights">Packed weights and constants.</param>
/// <param name="Arena">Intermediates: one arena per queue, and the workers' scratch.</param>
/// <param name="Buffers">Inputs, states and outputs.</param>
public readonly record struct BackendMemory(long Weights, long Arena, long Buffers)
{
    /// <summary>Sum.</summary>
    public long Total => Weights + Arena + Buffers;
}
