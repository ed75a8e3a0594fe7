namespace Sa2VA.Verification.Stages;

/// <summary>Which function computes which stage (docs/model/verification.md#golden-files).</summary>
internal static class StageCatalog
{
    private static readonly Dictionary<string, Func<StageContext, StageOutputs>> Stages = Create();

    /// <summary>Names of all stages that the engine computes.</summary>
    public static IReadOnlyCollection<string> Names => Stages.Keys;

    /// <summary>The stage's function; null for a name that is not known.</summary>
    public static Func<StageContext, StageOutputs>? Find(string stage) => Stages.GetValueOrDefault(stage);

    /// <summary>Why a golden file cannot be computed; null when it can be.</summary>
    public static string? SkipReason(GoldenFile golden) =>
        Find(golden.Stage) is null ? $"the engine has no stage '{golden.Stage}'" : null;

    private static Dictionary<string, Func<StageContext, StageOutputs>> Create()
    {
        var stages = new Dictionary<string, Func<StageContext, StageOutputs>>(StringComparer.Ordinal);
        OpStages.Register(stages);
        MapOpStages.Register(stages);
        PreprocessStages.Register(stages);
        SamBlockStages.Register(stages);
        SamNetworkStages.Register(stages);
        MemoryStages.Register(stages);
        VideoStage.Register(stages);
        InteractiveStage.Register(stages);
        LanguageStages.Register(stages);
        QwenVisionStages.Register(stages);
        QwenLanguageStages.Register(stages);
        return stages;
    }
}
