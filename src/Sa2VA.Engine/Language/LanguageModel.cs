using System.Numerics;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>The plans of one cache size: prompt chunks with and without image rows, and the decode step.</summary>
internal sealed record LanguagePlans(int Capacity, Compiled<LanguageGraph> ImagePrefill, Compiled<LanguageGraph> Prefill,
    Compiled<LanguageGraph> Decode);

/// <summary>
/// The language half, compiled: immutable, shared by all conversations. Cache sizes are bucketed by powers of two; the weights are packed
/// once for all of them.
/// </summary>
internal sealed class LanguageModel : IDisposable
{
    /// <summary>
    /// Most prompt tokens per run: enough rows for the matrix kernels, few enough for a small arena and a quick cancellation.
    /// </summary>
    public const int PrefillChunk = 512;

    private const int SmallestCapacity = 1024;

    private readonly IWeightSource _weights;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, LanguagePlans> _plans = [];
    private readonly int _imageRows;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="weights">Checkpoint; must stay open as long as this model.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="imageRows">Rows of the buffers that hold image tokens.</param>
    /// <param name="cancellation">Stops between plans.</param>
    public LanguageModel(IBackend backend, IWeightSource weights, LanguageConfig config, int imageRows,
        CancellationToken cancellation = default)
    {
        (Backend, _weights, Config, _imageRows) = (backend, weights, config, imageRows);
        Queue = backend.CreateQueue("language");
        try
        {
            Plans(1, cancellation);
        }
        catch
        {
            Queue.Dispose();
            throw;
        }
    }

    /// <summary>Device.</summary>
    public IBackend Backend { get; }

    /// <summary>Where all conversations' steps are enqueued.</summary>
    public DeviceQueue Queue { get; }

    /// <summary>Sizes.</summary>
    public LanguageConfig Config { get; }

    /// <summary>Plans for a sequence of at least this many tokens.</summary>
    public LanguagePlans Plans(int tokens, CancellationToken cancellation = default)
    {
        if (tokens > Config.MaxPositions)
            throw new PromptException(
                $"The conversation has {tokens} tokens; the model supports {Config.MaxPositions}. Shorten the prompt or "
                + "begin a new session.");
        int capacity = (int)Math.Min(Math.Max(SmallestCapacity, BitOperations.RoundUpToPowerOf2((uint)tokens)), (uint)Config.MaxPositions);
        lock (_lock)
        {
            if (_plans.TryGetValue(capacity, out LanguagePlans? found)) return found;
            int chunk = Math.Max(2, Math.Min(PrefillChunk, capacity));
            var made = new List<Compiled<LanguageGraph>>();
            try
            {
                foreach ((int rows, int imageRows) in ((int, int)[])[(chunk, _imageRows), (chunk, 0), (1, 0)])
                {
                    var graph = new LanguageGraph(_weights, Config, rows, capacity, imageRows);
                    made.Add(new(graph, Backend.Compile(graph.Graph, cancellation)));
                    Queue.Reserve(made[^1].Plan);
                }
            }
            catch
            {
                foreach (Compiled<LanguageGraph> compiled in made) compiled.Plan.Dispose();
                throw;
            }
            var plans = new LanguagePlans(capacity, made[0], made[1], made[2]);
            _plans.Add(capacity, plans);
            return plans;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Queue.Dispose();
        lock (_lock)
        {
            foreach (LanguagePlans p in _plans.Values)
            {
                p.ImagePrefill.Plan.Dispose();
                p.Prefill.Plan.Dispose();
                p.Decode.Plan.Dispose();
            }
            _plans.Clear();
        }
    }
}
