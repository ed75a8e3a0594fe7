namespace Sa2VA.Models;

/// <summary>Sizes of a vision tower; each family's record has what only its own tower needs.</summary>
public abstract record VisionConfig
{
    private protected VisionConfig() { }

    /// <summary>C: width.</summary>
    public int HiddenSize { get; init; }

    /// <summary>Layers.</summary>
    public int Layers { get; init; }

    /// <summary>Attention heads; divides <see cref="HiddenSize"/>.</summary>
    public int Heads { get; init; }

    /// <summary>Hidden width of the MLP.</summary>
    public int IntermediateSize { get; init; }

    /// <summary>Patch side in pixels.</summary>
    public int PatchSize { get; init; }

    /// <summary>Layers, heads, and what pictures become, for people.</summary>
    public abstract string Describe();
}
