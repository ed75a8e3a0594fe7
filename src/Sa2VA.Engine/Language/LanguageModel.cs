using System.Numerics;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// The language half: plans, the pool of pages and the slots of answers in progress, shared by all conversations. Plans are made for powers
/// of two of tokens and of sequences, when they are first needed; the weights are packed once for all of them.
/// </summary>
internal sealed class LanguageModel : IDisposable
{
    /// <summary>
    /// Most prompt tokens per run: enough rows for the matrix kernels, few enough for a small arena and a quick cancellation.
    /// </summary>
    public const int PrefillChunk = 512;

    /// <summary>Most sequences that a decode step is planned for; more take several runs.</summary>
    public const int MaxSequences = 16;

    /// <summary>Answers that can be in progress at once; further ones wait for their turn.</summary>
    public const int SlotCount = 64;

    private const int SmallestCapacity = 1024, UsualConversations = 8;

    /// <summary>Room for eight conversations of 32768 tokens, the most that most models support.</summary>
    private const int UsualTokens = UsualConversations * 32768;

    private readonly IWeightSource _weights;
    private readonly Lock _lock = new();
    private readonly Dictionary<RunKind, Task<LanguageRun>> _runs = [];
    private readonly List<DeviceBuffer> _images = [];
    private readonly CancellationTokenSource _closing = new();
    private readonly int _imageRows;
    private DeviceBuffer? _held;
    private long _staged;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="weights">Checkpoint; must stay open as long as this model.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="imageRows">Most image rows of a prompt.</param>
    /// <param name="maxTokens">Most tokens of all conversations; 0 for the usual.</param>
    /// <param name="cancellation">Stops between plans.</param>
    public LanguageModel(IBackend backend, IWeightSource weights, LanguageConfig config, int imageRows, int maxTokens = 0,
        CancellationToken cancellation = default)
    {
        (Backend, _weights, Config, _imageRows) = (backend, weights, config, imageRows);
        Queue = backend.CreateQueue("language");
        Scheduler = new Scheduler(this);
        try
        {
            var layout = new KvLayout(config.MaxPositions, PoolPages(config, maxTokens), backend.Precision.BoundaryType());
            Pages = new PagePool(backend, config, layout);
            Next = backend.Allocate("next tokens", DType.I32, new Shape(SlotCount, 1));
            Hidden = backend.Allocate("last states", DType.F32, new Shape(SlotCount, config.HiddenSize));
            for (int level = 0; level <= config.DeepstackLayers; level++)
                _images.Add(backend.Reserve("image rows", layout.Type, new Shape(imageRows, config.HiddenSize)));
            foreach (RunKind kind in (RunKind[])[PrefillKind(1, images: true), PrefillKind(1, images: false), DecodeKind(1, 1)])
                _runs.Add(kind, Task.FromResult(Make(kind, cancellation)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Device.</summary>
    public IBackend Backend { get; }

    /// <summary>Where all conversations' steps are enqueued, by the scheduler.</summary>
    public DeviceQueue Queue { get; }

    /// <summary>Sizes.</summary>
    public LanguageConfig Config { get; }

    /// <summary>Keys and values.</summary>
    public PagePool Pages { get; } = null!;

    /// <summary>Next token of each slot, I32 [slots, 1].</summary>
    public DeviceBuffer Next { get; } = null!;

    /// <summary>The state of each slot's latest row that a [SEG] is read from [slots, H].</summary>
    public DeviceBuffer Hidden { get; } = null!;

    /// <summary>Takes the turns of all conversations.</summary>
    public Scheduler Scheduler { get; }

    /// <summary>
    /// The image rows that the next chunk's ids refer to [rows, H], and those that are added behind layers, if there are any.
    /// </summary>
    public IReadOnlyList<DeviceBuffer> ImageRows => _images;

    /// <summary>
    /// Which tokens each slot's sequence holds, I32 [slots, words]; there once a run that draws its tokens has been made, and null before.
    /// </summary>
    public DeviceBuffer? Held => Volatile.Read(ref _held);

    /// <summary>The kind of run for chunks of a prompt of so many tokens.</summary>
    public RunKind PrefillKind(int tokens, bool images, bool samples = false) => new(0, images, Capacity(tokens), samples);

    /// <summary>The kind of run for decode steps of some sequences, the longest of which then has so many tokens.</summary>
    public RunKind DecodeKind(int sequences, int tokens, bool samples = false) =>
        new((int)BitOperations.RoundUpToPowerOf2((uint)sequences), false, Capacity(tokens), samples);

    /// <summary>A run that is ready, or null while it is being compiled; asking begins that.</summary>
    /// <exception cref="DeviceMemoryException">It cannot be compiled for want of memory.</exception>
    public LanguageRun? Ready(RunKind kind)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(kind, out Task<LanguageRun>? run)) run = Begin(kind);
            if (!run.IsCompleted) return null;
            if (run.IsCompletedSuccessfully) return run.Result;
            _runs.Remove(kind);
            return run.GetAwaiter().GetResult();
        }
    }

    /// <summary>
    /// The same for a run that smaller ones can stand in for: null also if it cannot be compiled, which is then not tried again before
    /// <see cref="ForgetFailures"/>.
    /// </summary>
    public LanguageRun? ReadyIfPossible(RunKind kind)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(kind, out Task<LanguageRun>? run)) run = Begin(kind);
            return run.IsCompletedSuccessfully ? run.Result : null;
        }
    }

    /// <summary>What could not be compiled may be tried again: memory may have become free.</summary>
    public void ForgetFailures()
    {
        lock (_lock)
            foreach ((RunKind kind, Task<LanguageRun> run) in _runs)
                if (run.IsFaulted) _runs.Remove(kind);
    }

    /// <summary>A failure may have taken with it what was enqueued to bring a picture's rows.</summary>
    public void ForgetImages() => _staged = 0;

    /// <summary>Enqueues noting which tokens a turn's prompt holds, where that matters to those that are drawn.</summary>
    public void NoteHeld(Turn turn)
    {
        if (Held is { } held && turn.Sampling?.Held(turn.Prompt, held.Shape.Last) is { } bits)
            Queue.Write<int>(held, bits, (long)turn.Slot * bits.Length);
    }

    /// <summary>Enqueues bringing a picture's rows to where prompts read them, unless they are there.</summary>
    public void UseImages(ImageTokens? images)
    {
        if (images?.Rows is not { } rows) throw new PromptException("The prompt speaks of an image; this session has none.");
        if (_staged == images.Id) return;
        for (int level = 0; level < rows.Count; level++)
        {
            long count = rows[level].Shape.Count;
            if (_images[level].Committed < count) _images[level].Commit(count);
            Queue.Copy(rows[level], 0, _images[level], 0, count);
        }
        _staged = images.Id;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _closing.Cancel();
        Queue.Dispose();
        Scheduler.Dispose();
        Task<LanguageRun>[] runs;
        lock (_lock) runs = [.. _runs.Values];
        foreach (Task<LanguageRun> run in runs)
        {
            run.ContinueWith(_ => { }, TaskContinuationOptions.ExecuteSynchronously).Wait();
            if (run.IsCompletedSuccessfully) run.Result.Dispose();
        }
        foreach (DeviceBuffer buffer in _images) buffer.Dispose();
        Next?.Dispose();
        Hidden?.Dispose();
        _held?.Dispose();
        Pages?.Dispose();
    }

    private static int PoolPages(LanguageConfig config, int maxTokens)
    {
        long usual = Math.Min((long)UsualConversations * config.MaxPositions, UsualTokens);
        long tokens = maxTokens > 0 ? maxTokens : Math.Max(config.MaxPositions, usual);
        return KvLayout.PagesFor((int)Math.Min(tokens, int.MaxValue / 2));
    }

    private Task<LanguageRun> Begin(RunKind kind)
    {
        ObjectDisposedException.ThrowIf(_closing.IsCancellationRequested, this);
        Task<LanguageRun> run = Task.Run(() => Make(kind, _closing.Token));
        _runs.Add(kind, run);
        run.ContinueWith(_ => Scheduler.Wake(), TaskScheduler.Default);
        return run;
    }

    private int Capacity(int tokens) =>
        (int)Math.Min(Math.Max(SmallestCapacity, BitOperations.RoundUpToPowerOf2((uint)tokens)), (uint)Config.MaxPositions);

    private LanguageRun Make(RunKind kind, CancellationToken cancellation)
    {
        KvLayout kv = Pages.Layout with { Capacity = kind.Capacity };
        LanguageGraph graph = kind.Sequences > 0
            ? LanguageGraph.Decode(_weights, Config, kv, SlotCount, kind.Sequences, kind.Samples)
            : LanguageGraph.Prefill(_weights, Config, kv, SlotCount, Math.Clamp(kind.Capacity, 2, PrefillChunk),
                kind.Images ? _imageRows : 0, kind.Samples);
        if (graph.Sampling is { } sampling)
        {
            lock (_lock) _held ??= Backend.Allocate(sampling.Held.Name, sampling.Held.Type, sampling.Held.Shape);
        }
        return new LanguageRun(this, graph, cancellation);
    }
}
