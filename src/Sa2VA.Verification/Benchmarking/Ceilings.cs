namespace Sa2VA.Verification.Benchmarking;

/// <summary>What a device can do at most, as measured in the same run; stages are told as shares of it.</summary>
/// <param name="Flops">Floating-point operations per second (a multiply-add counts 2).</param>
/// <param name="FlopsOf">What was run to measure them.</param>
/// <param name="Bandwidth">Bytes per second.</param>
/// <param name="BandwidthOf">What was run to measure them.</param>
public sealed record Ceilings(Spread Flops, string FlopsOf, Spread Bandwidth, string BandwidthOf);
