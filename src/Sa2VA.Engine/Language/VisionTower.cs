using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>The vision tower and projector, compiled: immutable, shared by all sessions.</summary>
internal sealed class VisionTower : IDisposable
{
    private readonly Compiled<VisionGraph> _tower;
    private readonly DeviceQueue? _queue;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="cancellation">Stops the compilation.</param>
    public VisionTower(IBackend backend, IWeightSource weights, Sa2VAConfig config, CancellationToken cancellation = default)
    {
        Backend = backend;
        VisionGraph graph = config.Family.RecordVision(weights, config, config.Family.MaxImageRows(config));
        _tower = new(graph, backend.Compile(graph.Graph, cancellation));
        try
        {
            _queue = backend.CreateQueue("vision");
            _queue.Reserve(_tower.Plan);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Device.</summary>
    public IBackend Backend { get; }

    /// <summary>What runs, for measurements.</summary>
    public Graph Graph => _tower.Graph.Graph;

    /// <summary>Room for the tokens of a prompt's tiles [rows, H].</summary>
    public DeviceBuffer AllocateTokens() => Backend.Allocate("image tokens", DType.F32, _tower.Graph.Tokens.Shape);

    /// <summary>Encodes tiles into the rows of a buffer, tile after tile.</summary>
    /// <param name="tiles">As the family cuts them.</param>
    /// <param name="tokens">From <see cref="AllocateTokens"/>.</param>
    /// <param name="progress">Told how many tiles are done.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Encode(IReadOnlyList<RgbImage> tiles, DeviceBuffer tokens, Action<int>? progress, CancellationToken cancellation)
    {
        VisionGraph graph = _tower.Graph;
        using DeviceBuffer image = Backend.Allocate("tile", graph.Image.Type, graph.Image.Shape);
        DeviceQueue queue = _queue!;
        using BoundPlan plan = _tower.Plan.Bind(queue, new PlanBuffers(graph.Graph).Add(graph.Image, image).Add(graph.Tokens, tokens));
        for (int i = 0; i < tiles.Count; i++)
        {
            queue.Write(image, tiles[i].Pixels);
            queue.Run(plan.Set(graph.FirstRow, i * graph.TokensPerTile), cancellation);
            queue.Mark().Wait();
            cancellation.ThrowIfCancellationRequested();
            progress?.Invoke(i + 1);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queue?.Dispose();
        _tower.Plan.Dispose();
    }
}
