using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>What a stage computes from.</summary>
/// <param name="Golden">Inputs and parameters.</param>
/// <param name="OpenWeights">Opens the checkpoint, or the weights inside the golden file.</param>
/// <param name="ModelConfig">Sizes of the checkpoint; null when there is none.</param>
/// <param name="Backend">Device.</param>
/// <param name="Cancellation">Stops between two ops.</param>
internal sealed record StageContext(GoldenFile Golden, Func<IWeightSource> OpenWeights, Sa2VAConfig? ModelConfig, IBackend Backend,
    CancellationToken Cancellation)
{
    /// <summary>Most elements of a tensor that parameters ask for.</summary>
    private const long MaxCount = 1 << 28;

    /// <summary>The checkpoint, or the weights inside the golden file.</summary>
    public IWeightSource Weights => OpenWeights();

    /// <summary>Sizes of the checkpoint.</summary>
    /// <exception cref="CheckpointException">The golden file names no checkpoint.</exception>
    public Sa2VAConfig Config => ModelConfig ?? throw Golden.Bad($"names no model, which {Golden.Stage} needs");

    /// <summary>The golden file's prefix without the trailing dot.</summary>
    public string Prefix => Golden.Prefix.TrimEnd('.');

    /// <summary>Begins a graph that is named like the stage.</summary>
    public GraphBuilder Graph() => new(Golden.Stage, Weights);

    /// <summary>The weights below the golden file's prefix.</summary>
    public WeightScope Scope(GraphBuilder g) => g.At(Prefix);

    /// <summary>An input.</summary>
    public GoldenTensor In(string name) => Golden.Input(name);

    /// <summary>A parameter that is a size in elements or pixels.</summary>
    public int Size(string name) => Golden.Params.Int(name, 1, 1 << 16);

    /// <summary>Refuses a tensor of absurd size.</summary>
    public void CheckCount(params ReadOnlySpan<int> dims)
    {
        long count = 1;
        foreach (int d in dims)
            if ((count *= d) > MaxCount) throw Golden.Bad($"asks for a tensor of [{string.Join(", ", dims.ToArray())}]");
    }
}
