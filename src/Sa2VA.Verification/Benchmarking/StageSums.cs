namespace Sa2VA.Verification.Benchmarking;

/// <summary>What people wait for that is more than one stage: sums of stages, none of which overlaps another there.</summary>
internal static class StageSums
{
    private static readonly (string Name, (int Times, string Stage)[] Parts)[] All =
    [
        ("tracked-frame-1", [(1, "image-encoder"), (1, "tracked-1")]),
        ("tracked-frame-10", [(1, "image-encoder"), (1, "tracked-10")]),
        // A video of five shown frames: its pictures, the question, eight tokens up to [SEG], the first frame's mask.
        ("first-mask", [(1, "vision-tower-5"), (1, "prefill-1325"), (8, "decode"), (1, "image-encoder"), (1, "mask-decoder")]),
    ];

    /// <summary>The sums whose stages are all there.</summary>
    public static IEnumerable<StageMeasurement> Of(IReadOnlyList<StageMeasurement> stages)
    {
        foreach ((string name, (int Times, string Stage)[] parts) in All)
        {
            (int Times, StageMeasurement Stage)[] found =
                [.. from part in parts join stage in stages on part.Stage equals stage.Stage select (part.Times, stage)];
            if (found.Length < parts.Length) continue;
            string[] words = [.. parts.Select(p => p.Times == 1 ? p.Stage : $"{p.Times} × {p.Stage}")];
            double Of(Func<Spread, double> value) => found.Sum(f => f.Times * value(f.Stage.Seconds));
            yield return new StageMeasurement(name, $"a sum, not run: {string.Join(" + ", words)}",
                new Spread(Of(s => s.Median), Of(s => s.Min), Of(s => s.Max), found.Min(f => f.Stage.Seconds.Count)),
                found.Sum(f => f.Times * f.Stage.Flops), found.Sum(f => f.Times * f.Stage.Bytes), 0, 0)
            {
                Objects = found.Max(f => f.Stage.Objects),
                IsModelled = found.All(f => f.Stage.IsModelled),
                IsSum = true,
            };
        }
    }
}
