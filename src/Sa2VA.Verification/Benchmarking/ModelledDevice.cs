namespace Sa2VA.Verification.Benchmarking;

/// <summary>
/// A device whose times are modelled, not measured, as a virtual GPU's: stages run once, by a sample of the blocks of each launch, and what
/// they compute means nothing.
/// </summary>
/// <param name="Ceilings">What the card that it stands for can do at most.</param>
/// <param name="Take">The launches since the last call, in the order in which they ran.</param>
public sealed record ModelledDevice(Ceilings Ceilings, Func<IReadOnlyList<ModelledLaunch>> Take);

/// <summary>A launch of a kernel on a <see cref="ModelledDevice"/>.</summary>
/// <param name="Kernel">Name of the kernel.</param>
/// <param name="Seconds">How long it would take, with the launch.</param>
/// <param name="Limit">What limits it, for people.</param>
/// <param name="Blocks">Blocks of its grid.</param>
/// <param name="BlocksRun">How many of them ran and stand for all.</param>
public readonly record struct ModelledLaunch(string Kernel, double Seconds, string Limit, long Blocks, long BlocksRun);
