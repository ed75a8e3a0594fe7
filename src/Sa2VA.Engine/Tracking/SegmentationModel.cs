using System.Collections.Concurrent;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The SAM 2 half, compiled once: immutable, shared by all streams and threads. What changes from frame to frame belongs to
/// <see cref="FrameFeatures"/>, what an object remembers to <see cref="ObjectTrack"/>.
/// </summary>
internal sealed class SegmentationModel : IDisposable
{
    /// <summary>Where checkpoints keep the SAM 2 module.</summary>
    public const string Prefix = CheckpointTensors.GroundingPrefix;

    /// <summary>Conditioning frames that a frame attends to at most: five that language names, and three corrections.</summary>
    public const int DefaultConditioningFrames = 8;

    /// <summary>Frames that upstream conditions on the language vector at most.</summary>
    public const int LanguageFrames = 5;

    private readonly List<ExecutionPlan> _plans = [];
    private readonly IWeightSource _weights;
    private readonly string _tracker;
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<PromptKind, Compiled<PromptedFrameGraph>> _prompted = [];
    private readonly ConcurrentDictionary<int, Compiled<TrackedFrameGraph>> _tracked = [];
    private readonly ConcurrentDictionary<bool, Compiled<MemoryEncoderGraph>> _memoryEncoders = [];
    private Compiled<MaskPromptGraph>? _maskPrompt;
    private Compiled<MaskAsOutputGraph>? _maskAsOutput;
    private Compiled<MemoryFeaturesGraph>? _memoryFeatures;

    /// <summary>Records and compiles what every stream needs.</summary>
    /// <param name="backend">Device; not owned.</param>
    /// <param name="weights">Checkpoint; must stay open as long as this model.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="conditioningFrames">Most conditioning frames that a frame attends to, 1 or more.</param>
    /// <param name="unrounded">True to keep memories also as they were before they were rounded: for those who compare.</param>
    /// <param name="cancellation">Stops between plans.</param>
    public SegmentationModel(IBackend backend, IWeightSource weights, GroundingConfig config,
        int conditioningFrames = DefaultConditioningFrames, bool unrounded = false, CancellationToken cancellation = default)
    {
        (Backend, _weights, Config, ConditioningFrames) = (backend, weights, config, conditioningFrames);
        HasTracker = weights.TryDescribe($"{Prefix}.{MaskDecoder.TrackerName}.iou_token.weight", out _);
        _tracker = HasTracker ? MaskDecoder.TrackerName : MaskDecoder.Name;
        Queue = backend.CreateQueue("segmentation", QueuePriority.Urgent);
        try
        {
            EncoderQueue = backend.CreateQueue("image encoder", QueuePriority.Urgent);
            Prompts = new PromptEncoder(new GraphBuilder("prompt encoder", weights).At(Prefix).At("sam_prompt_encoder"), config);
            var encoder = new ImageEncoderGraph(weights, Prefix, config, HasTracker);
            ImageEncoder = new(encoder, Compile(encoder.Graph, EncoderQueue, cancellation));
            Banks = new BankStore(backend, config, conditioningFrames, unrounded);
            MemoryEncoder(binary: false, cancellation);
            TrackedFrame(1, cancellation);
            PromptedFrame(PromptKind.Language, cancellation);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Device.</summary>
    public IBackend Backend { get; }

    /// <summary>Checkpoint.</summary>
    public IWeightSource Weights => _weights;

    /// <summary>Where what is looked for on all streams' frames is enqueued.</summary>
    public DeviceQueue Queue { get; }

    /// <summary>Where all streams' frames are encoded: the next one beside the tracking on one.</summary>
    public DeviceQueue EncoderQueue { get; }

    /// <summary>True if another mask decoder tracks than the one that words prompt (<see cref="TrackerWeights"/>).</summary>
    public bool HasTracker { get; }

    /// <summary>Sizes.</summary>
    public GroundingConfig Config { get; }

    /// <summary>Most conditioning frames that a frame attends to.</summary>
    public int ConditioningFrames { get; }

    /// <summary>Side of the low-resolution masks, 4G.</summary>
    public int LowSide => Config.ImageSize / 4;

    /// <summary>Turns points into sparse rows.</summary>
    public PromptEncoder Prompts { get; }

    /// <summary>Pixels → features.</summary>
    public Compiled<ImageEncoderGraph> ImageEncoder { get; }

    /// <summary>What the objects of all streams remember.</summary>
    public BankStore Banks { get; }

    /// <summary>
    /// A frame without a prompt, for so many objects or more. One for a single object is there from the start; the others are compiled when
    /// first used.
    /// </summary>
    /// <param name="objects">1 to <see cref="TrackedFrameGraph.MaxCapacity"/>.</param>
    /// <param name="cancellation">Stops the compilation.</param>
    public Compiled<TrackedFrameGraph> TrackedFrame(int objects, CancellationToken cancellation = default)
    {
        int capacity = TrackedFrameGraph.CapacityFor(objects);
        return Find(_tracked, capacity, () =>
        {
            var graph = new TrackedFrameGraph(_weights, Prefix, Config, Prompts, Banks.Pools, capacity, _tracker);
            return new Compiled<TrackedFrameGraph>(graph, Compile(graph.Graph, Queue, cancellation));
        });
    }

    /// <summary>
    /// A frame with a prompt. Language needs one variant, which is there from the start; the others are compiled when first used.
    /// </summary>
    public Compiled<PromptedFrameGraph> PromptedFrame(PromptKind kind, CancellationToken cancellation = default) =>
        Find(_prompted, kind, () =>
        {
            var graph = new PromptedFrameGraph(_weights, Prefix, Config, Prompts, kind.Multimask, kind.Dense, kind.Memory);
            return new Compiled<PromptedFrameGraph>(graph, Compile(graph.Graph, Queue, cancellation));
        });

    /// <summary>A prompted frame enters the bank; binary masks are those of clicks, boxes and masks, soft ones those of language.</summary>
    public Compiled<MemoryEncoderGraph> MemoryEncoder(bool binary, CancellationToken cancellation = default) =>
        Find(_memoryEncoders, binary, () =>
        {
            var graph = new MemoryEncoderGraph(_weights, Prefix, Config, Banks.Pools, binary);
            return new Compiled<MemoryEncoderGraph>(graph, Compile(graph.Graph, Queue, cancellation));
        });

    /// <summary>Mask logits of an earlier prediction → dense prompt; compiled when first used.</summary>
    public Compiled<MaskPromptGraph> MaskPrompt(CancellationToken cancellation = default) => Find(ref _maskPrompt, () =>
    {
        var graph = new MaskPromptGraph(_weights, Prefix, Config, LowSide, LowSide);
        return new Compiled<MaskPromptGraph>(graph, Compile(graph.Graph, Queue, cancellation));
    });

    /// <summary>A mask that is given as the truth; compiled when first used.</summary>
    public Compiled<MaskAsOutputGraph> MaskAsOutput(CancellationToken cancellation = default) => Find(ref _maskAsOutput, () =>
    {
        var graph = new MaskAsOutputGraph(_weights, Prefix, Config, Prompts, _tracker);
        return new Compiled<MaskAsOutputGraph>(graph, Compile(graph.Graph, Queue, cancellation));
    });

    /// <summary>A frame's tokens look at an object's past; compiled when first used.</summary>
    public Compiled<MemoryFeaturesGraph> MemoryFeatures(CancellationToken cancellation = default) => Find(ref _memoryFeatures, () =>
    {
        var graph = new MemoryFeaturesGraph(_weights, Prefix, Config, Banks.Pools);
        return new Compiled<MemoryFeaturesGraph>(graph, Compile(graph.Graph, Queue, cancellation));
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        EncoderQueue?.Dispose();
        Queue.Dispose();
        Banks?.Dispose();
        lock (_lock)
        {
            foreach (ExecutionPlan plan in _plans) plan.Dispose();
            _plans.Clear();
        }
    }

    /// <summary>What is there already is found without waiting for what somebody else compiles.</summary>
    private Compiled<TGraph> Find<TKey, TGraph>(ConcurrentDictionary<TKey, Compiled<TGraph>> known, TKey key, Func<Compiled<TGraph>> make)
        where TKey : notnull
    {
        if (known.TryGetValue(key, out Compiled<TGraph> found)) return found;
        lock (_lock)
        {
            if (!known.TryGetValue(key, out found)) known[key] = found = make();
            return found;
        }
    }

    private Compiled<TGraph> Find<TGraph>(ref Compiled<TGraph>? known, Func<Compiled<TGraph>> make)
    {
        lock (_lock) return known ??= make();
    }

    private ExecutionPlan Compile(Graph graph, DeviceQueue queue, CancellationToken cancellation)
    {
        ExecutionPlan plan = Backend.Compile(graph, cancellation);
        _plans.Add(plan);
        queue.Reserve(plan);
        return plan;
    }
}
