using Sa2VA.Verification;

namespace Sa2VA.Cli.Verifying;

/// <summary>Counts and worst errors, per stage and per model. Holds one row for each, however many files there are.</summary>
internal sealed class VerifySummary
{
    private readonly SortedDictionary<string, StageRow> _stages = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, PredictRow> _predictions = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _skips = new(StringComparer.Ordinal);

    /// <summary>Files within tolerance.</summary>
    public int Passed { get; private set; }

    /// <summary>Files outside tolerance.</summary>
    public int Failed { get; private set; }

    /// <summary>Files within tolerance but for choices that rounding decides.</summary>
    public int Tied { get; private set; }

    /// <summary>Such choices in all files.</summary>
    public int Ties { get; private set; }

    /// <summary>Files that were not computed.</summary>
    public int Skipped => _skips.Values.Sum();

    /// <summary>Golden files by stage.</summary>
    public IReadOnlyCollection<StageRow> Stages => _stages.Values;

    /// <summary>Predict cases by model.</summary>
    public IReadOnlyCollection<PredictRow> Predictions => _predictions.Values;

    /// <summary>Reasons for skipping, with the number of files.</summary>
    public IReadOnlyDictionary<string, int> SkipReasons => _skips;

    /// <summary>Takes over a golden file.</summary>
    public void Add(StageResult result)
    {
        if (Count(result.Status, result.SkipReason)) return;
        if (!_stages.TryGetValue(result.Stage, out StageRow? row)) _stages.Add(result.Stage, row = new StageRow(result.Stage));
        row.Add(result);
        Ties += result.Ties;
    }

    /// <summary>Takes over a predict case.</summary>
    public void Add(PredictRun run)
    {
        if (Count(run.Status, run.SkipReason)) return;
        if (!_predictions.TryGetValue(run.Case.Model, out PredictRow? row))
            _predictions.Add(run.Case.Model, row = new PredictRow(run.Case.Model));
        row.Add(run.Result!);
        if (run.Status == StageStatus.Tied) Ties++;
    }

    private bool Count(StageStatus status, string? reason)
    {
        if (status == StageStatus.Passed) Passed++;
        else if (status == StageStatus.Failed) Failed++;
        else if (status == StageStatus.Tied) Tied++;
        else _skips[reason ?? ""] = _skips.GetValueOrDefault(reason ?? "") + 1;
        return status == StageStatus.Skipped;
    }
}

/// <summary>All golden files of a stage.</summary>
internal sealed class StageRow(string stage)
{
    public string Stage => stage;

    public int Files { get; private set; }

    public int Failed { get; private set; }

    public int Tensors { get; private set; }

    /// <summary>Tensors that have to be equal; they are part of <see cref="Tensors"/> and not of the errors below.</summary>
    public int Exact { get; private set; }

    /// <summary>Choices that rounding decides.</summary>
    public int Ties { get; private set; }

    /// <summary>Worst rms error, relative to the record's rms.</summary>
    public double Rms { get; private set; }

    /// <summary>Worst error, relative to the record's largest magnitude.</summary>
    public double Max { get; private set; }

    /// <summary>Worst share of the tolerance that was used; above 1 is a failure.</summary>
    public double Share { get; private set; }

    public void Add(StageResult result)
    {
        Files++;
        if (result.Status == StageStatus.Failed) Failed++;
        Ties += result.Ties;
        foreach (TensorCheck check in result.Checks)
        {
            Tensors++;
            if (check.IsExact && check.Passed)
            {
                Exact++;
                continue;
            }
            Share = Worse(Share, ShareOf(check));
            // What a mask lacks of an IoU of 1 is no error of numbers.
            if (check.LowestIou is not null) continue;
            Rms = Worse(Rms, check.RelativeRms);
            Max = Worse(Max, check.RelativeMax);
        }
    }

    /// <summary>The larger share of the two bounds; infinite for a failed exact tensor or one that could not be compared.</summary>
    public static double ShareOf(TensorCheck check) => check.Problem is not null ? double.PositiveInfinity
        : check.IsExact ? (check.Passed ? 0 : double.PositiveInfinity)
        : Worse(check.RmsError / check.RmsAllowed, check.MaxError / check.MaxAllowed);

    // NaN is the worst of all and stays.
    private static double Worse(double a, double b) => double.IsNaN(a) || double.IsNaN(b) ? double.NaN : Math.Max(a, b);
}

/// <summary>All predict cases of a model.</summary>
internal sealed class PredictRow(string model)
{
    public string Model => model;

    public int Cases { get; private set; }

    public int Failed { get; private set; }

    /// <summary>Cases whose answer took another token that bf16 does not tell apart from the recorded one.</summary>
    public int Ties { get; private set; }

    /// <summary>Cases whose text and tokens are the recorded ones.</summary>
    public int Equal { get; private set; }

    public int Masks { get; private set; }

    public double LowestIou { get; private set; } = 1;

    public double LowestMedian { get; private set; } = 1;

    /// <summary>Worst error of a [SEG] vector, relative to its largest element.</summary>
    public double SegError { get; private set; }

    public void Add(PredictResult result)
    {
        Cases++;
        if (result.IsTie) Ties++;
        else if (!result.Passed) Failed++;
        if (result.TextEqual && result.IdsEqual) Equal++;
        Masks += result.Ious.Sum(o => o.Count);
        LowestIou = Math.Min(LowestIou, result.LowestIou);
        LowestMedian = Math.Min(LowestMedian, result.LowestMedian);
        SegError = Math.Max(SegError, result.SegError);
    }
}
