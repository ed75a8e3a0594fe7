using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A family's vision tower and projector as a graph: one tile → its tokens.</summary>
/// <param name="graph">What runs.</param>
/// <param name="tokens">
/// Outputs [most tokens of a tile, H]: first the rows that stand for the tile in a prompt, then those that are added behind the language
/// model's first layers, if the family has such. H is the width of the language model.
/// </param>
internal abstract class VisionGraph(Graph graph, IReadOnlyList<Tensor> tokens)
{
    /// <summary>What runs.</summary>
    public Graph Graph => graph;

    /// <summary>Outputs.</summary>
    public IReadOnlyList<Tensor> Tokens => tokens;

    /// <summary>A tile of ordinary size, for measurements.</summary>
    public abstract (int Width, int Height) UsualTile { get; }

    /// <summary>Sets the lengths and lists of runs over tiles of a size.</summary>
    public virtual void SetSize(BoundPlan plan, int width, int height) { }

    /// <summary>Enqueues bringing a tile to the graph's inputs.</summary>
    /// <param name="tile">As the family cuts it.</param>
    /// <param name="queue">Where the run follows.</param>
    /// <param name="buffers">The memory of each input.</param>
    public abstract void Write(RgbImage tile, DeviceQueue queue, IReadOnlyDictionary<Tensor, DeviceBuffer> buffers);
}
