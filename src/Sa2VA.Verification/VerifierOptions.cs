using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Verification;

/// <summary>Choices for a <see cref="Verifier"/>.</summary>
public sealed record VerifierOptions
{
    /// <summary>
    /// A checkpoint folder to use for every golden file that names a model; null looks for <c>models/NAME</c> above the file.
    /// </summary>
    public string? ModelFolder { get; init; }

    /// <summary>
    /// Makes the device to verify, whose precision decides the tolerances; called anew for each model, so that weights of one are freed
    /// before the next, with the precision that its weights are stored for; null for any.
    /// </summary>
    public Func<Precision?, IBackend> CreateBackend { get; init; } =
        stored => new CpuBackend(new CpuOptions { Precision = stored ?? Precision.Float32 });

    /// <summary>Told what is found in a checkpoint that might not be expected (<see cref="Models.Sa2VAConfig.Notes"/>).</summary>
    public Action<string>? OnNote { get; init; }
}
