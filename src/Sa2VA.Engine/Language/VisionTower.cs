using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>The vision tower and projector, compiled: immutable, shared by all sessions.</summary>
internal sealed class VisionTower : IDisposable
{
    private readonly Compiled<VisionGraph> _tower;
    private readonly Lock _lock = new();
    private readonly DeviceQueue? _queue;
    private readonly DeviceBuffer? _tile, _tokens;
    private readonly BoundPlan? _bound;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="cancellation">Stops the compilation.</param>
    public VisionTower(IBackend backend, IWeightSource weights, Sa2VAConfig config, CancellationToken cancellation = default)
    {
        Backend = backend;
        VisionGraph graph = config.Family.RecordVision(weights, config, backend.Precision.BoundaryType());
        _tower = new(graph, backend.Compile(graph.Graph, cancellation));
        try
        {
            _queue = backend.CreateQueue("vision");
            _tile = backend.Allocate("tile", graph.Image.Type, graph.Image.Shape);
            _tokens = backend.Allocate("tile tokens", graph.Tokens.Type, graph.Tokens.Shape);
            _bound = _tower.Plan.Bind(_queue, new PlanBuffers(graph.Graph).Add(graph.Image, _tile).Add(graph.Tokens, _tokens));
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

    /// <summary>Rows that stand for a tile.</summary>
    public int RowsPerTile => _tower.Graph.Tokens.Shape[0];

    /// <summary>Room for the tokens of tiles [tiles·rows of a tile, H].</summary>
    public DeviceBuffer AllocateTokens(int tiles)
    {
        Shape tile = _tower.Graph.Tokens.Shape;
        return Backend.Allocate("image tokens", _tower.Graph.Tokens.Type, new Shape(tiles * tile[0], tile[1]));
    }

    /// <summary>Encodes tiles into the rows of a buffer, tile after tile.</summary>
    /// <param name="tiles">As the family cuts them.</param>
    /// <param name="tokens">From <see cref="AllocateTokens"/>.</param>
    /// <param name="progress">Told how many tiles are done.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public async Task EncodeAsync(IReadOnlyList<RgbImage> tiles, DeviceBuffer tokens, Action<int>? progress,
        CancellationToken cancellation)
    {
        long count = _tokens!.Shape.Count;
        for (int i = 0; i < tiles.Count; i++)
        {
            Fence done;
            // Another session's tile must not come between.
            lock (_lock)
            {
                Fence begin = _queue!.Mark();
                _queue.Write(_tile!, tiles[i].Pixels);
                _queue.Run(_bound!, cancellation);
                _queue.Copy(_tokens, 0, tokens, i * count, count);
                done = _queue.Mark().Since(begin);
            }
            await done.WhenReached().ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
            progress?.Invoke(i + 1);
        }
    }

    /// <summary>True if the rows of a picture are finite. Reads all of them: only to explain a failure.</summary>
    public bool IsFinite(DeviceBuffer tokens) => FiniteCheck.IsFinite(_queue!, tokens);

    /// <inheritdoc/>
    public void Dispose()
    {
        _queue?.Dispose();
        _bound?.Dispose();
        _tile?.Dispose();
        _tokens?.Dispose();
        _tower.Plan.Dispose();
    }
}
