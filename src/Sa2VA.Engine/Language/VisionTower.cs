using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>The vision tower and projector, compiled: immutable, shared by all sessions.</summary>
internal sealed class VisionTower : IDisposable
{
    private readonly Compiled<VisionGraph> _tower;
    private readonly Sa2VAConfig _config;
    private readonly Lock _lock = new();
    private readonly DeviceQueue? _queue;
    private readonly Dictionary<Tensor, DeviceBuffer> _inputs = [];
    private readonly List<DeviceBuffer> _tokens = [];
    private readonly BoundPlan? _bound;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="cancellation">Stops the compilation.</param>
    public VisionTower(IBackend backend, IWeightSource weights, Sa2VAConfig config, CancellationToken cancellation = default)
    {
        (Backend, _config) = (backend, config);
        VisionGraph graph = config.Family.RecordVision(weights, config, backend.Precision.BoundaryType());
        _tower = new(graph, backend.Compile(graph.Graph, cancellation));
        try
        {
            _queue = backend.CreateQueue("vision");
            var buffers = new PlanBuffers(graph.Graph);
            foreach (Tensor input in graph.Graph.Inputs)
                buffers.Add(input, _inputs[input] = backend.Allocate(input.Name, input.Type, input.Shape));
            foreach (Tensor tokens in graph.Tokens)
            {
                _tokens.Add(backend.Allocate(tokens.Name, tokens.Type, tokens.Shape));
                buffers.Add(tokens, _tokens[^1]);
            }
            _bound = _tower.Plan.Bind(_queue, buffers);
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

    /// <summary>
    /// Room for the tokens of tiles [rows, H]: those that a prompt holds, and those that are added behind layers, if there are any.
    /// </summary>
    public DeviceBuffer[] AllocateTokens(int rows)
    {
        var buffers = new DeviceBuffer[_tokens.Count];
        try
        {
            for (int i = 0; i < buffers.Length; i++)
            {
                Tensor tokens = _tower.Graph.Tokens[i];
                buffers[i] = Backend.Allocate("image tokens", tokens.Type, new Shape(rows, tokens.Shape.Last));
            }
            return buffers;
        }
        catch
        {
            foreach (DeviceBuffer? buffer in buffers) buffer?.Dispose();
            throw;
        }
    }

    /// <summary>Encodes tiles into the rows of buffers, tile after tile.</summary>
    /// <param name="tiles">As the family cuts them.</param>
    /// <param name="tokens">From <see cref="AllocateTokens"/>.</param>
    /// <param name="progress">Told how many tiles are done, parts of one included.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public async Task EncodeAsync(IReadOnlyList<RgbImage> tiles, DeviceBuffer[] tokens, Action<double>? progress,
        CancellationToken cancellation)
    {
        long first = 0;
        for (int i = 0; i < tiles.Count; i++)
        {
            Fence done;
            RgbImage tile = tiles[i];
            long count = (long)_config.Family.GridOf(tile, _config).Count * _tokens[0].Shape.Last;
            // Another session's tile must not come between.
            lock (_lock)
            {
                Fence begin = _queue!.Mark();
                _tower.Graph.Write(tile, _queue, _inputs);
                _tower.Graph.SetSize(_bound!, tile.Width, tile.Height);
                _bound!.Progress = progress is null ? null : Behind(i, progress);
                _queue.Run(_bound, cancellation);
                // Who is told must not be held here.
                _bound.Progress = null;
                for (int level = 0; level < tokens.Length; level++) _queue.Copy(_tokens[level], 0, tokens[level], first, count);
                done = _queue.Mark().Since(begin);
            }
            first += count;
            await done.WhenReached().ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
            progress?.Invoke(i + 1);
        }
    }

    private static Action<double> Behind(int tiles, Action<double> progress) => part => progress(tiles + part);

    /// <summary>True if the rows of a picture are finite. Reads all of them: only to explain a failure.</summary>
    public bool IsFinite(DeviceBuffer tokens) => FiniteCheck.IsFinite(_queue!, tokens);

    /// <inheritdoc/>
    public void Dispose()
    {
        _queue?.Dispose();
        _bound?.Dispose();
        foreach (DeviceBuffer buffer in (DeviceBuffer[])[.. _inputs.Values, .. _tokens]) buffer.Dispose();
        _tower.Plan.Dispose();
    }
}
