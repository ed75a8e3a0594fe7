namespace Sa2VA.Verification;

/// <summary>How a golden file fared.</summary>
public enum StageStatus
{
    /// <summary>Every expected output was computed and is within tolerance.</summary>
    Passed,
    /// <summary>At least one output is missing, misshapen or outside its tolerance.</summary>
    Failed,
    /// <summary>
    /// Within tolerance but for choices between numbers that bf16 does not tell apart (<see cref="TensorCheck.Ties"/>). Never counts as
    /// passed.
    /// </summary>
    Tied,
    /// <summary>Not computed; <see cref="StageResult.SkipReason"/> says why. Never counts as passed.</summary>
    Skipped,
}

/// <summary>One golden file, computed and compared.</summary>
public sealed record StageResult
{
    /// <summary>Path of the golden file.</summary>
    public required string Path { get; init; }

    /// <summary>What was computed.</summary>
    public required string Stage { get; init; }

    /// <summary>Checkpoint folder name, <c>synthetic:PRESET</c>, or empty.</summary>
    public required string Model { get; init; }

    /// <summary>One entry for each expected output, and for each kernel where several compute it.</summary>
    public IReadOnlyList<TensorCheck> Checks { get; init; } = [];

    /// <summary>Why nothing was computed, or null.</summary>
    public string? SkipReason { get; init; }

    /// <summary>Seconds from opening the file to the last comparison, weights' packing included.</summary>
    public double Seconds { get; init; }

    /// <summary>The verdict.</summary>
    public StageStatus Status => SkipReason is not null ? StageStatus.Skipped
        : Checks.Count == 0 || !Checks.All(c => c.Passed) ? StageStatus.Failed
        : Ties > 0 ? StageStatus.Tied : StageStatus.Passed;

    /// <summary>Choices that fell otherwise, between numbers that bf16 does not tell apart.</summary>
    public int Ties => Checks.Sum(c => c.Ties);

    /// <summary>Largest relative rms error of all floating-point outputs that were compared; 0 if there are none.</summary>
    public double WorstRms => Checks.Where(c => c is { Problem: null, LowestIou: null }).Select(c => c.RelativeRms).DefaultIfEmpty(0).Max();

    /// <summary>Largest relative error of all outputs that were compared; 0 if there are none.</summary>
    public double WorstMax => Checks.Where(c => c is { Problem: null, LowestIou: null }).Select(c => c.RelativeMax).DefaultIfEmpty(0).Max();
}
