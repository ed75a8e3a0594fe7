using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>Memory that a stage of a model needs on a device.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Weights">Bytes of weights as stored; kept as long as the model.</param>
/// <param name="Arena">Bytes of intermediates. Stages share one arena: the largest counts.</param>
/// <param name="Buffers">Bytes that a session, an object or a conversation of that many tokens holds.</param>
public sealed record StageMemory(string Stage, long Weights, long Arena, long Buffers);

/// <summary>
/// Memory that a checkpoint would need, found by preparing everything for a device that only counts. No weight is loaded but those that a
/// network's shape depends on.
/// </summary>
public static class MemoryEstimate
{
    /// <summary>Counts for every stage.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="weights">The checkpoint's tensors.</param>
    /// <param name="tokens">Tokens of the conversation to make room for, at most what the model supports.</param>
    /// <exception cref="CheckpointException">A tensor is missing or does not fit.</exception>
    public static IReadOnlyList<StageMemory> Of(Sa2VAConfig config, IWeightSource weights, int tokens = 4096)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        var list = new List<StageMemory>();
        Count("vision tower", device =>
        {
            var tower = new VisionTower(device, weights, config.Vision, config.Language.HiddenSize);
            tower.AllocateTokens();
        });
        int capacity = Math.Min(tokens, config.Language.MaxPositions);
        Count(FormattableString.Invariant($"language model, {capacity} tokens"), device =>
        {
            var model = new LanguageModel(device, weights, config.Language, VisionTower.MaxTiles * config.Vision.TokensPerTile);
            foreach (LayerCache layer in model.Plans(capacity).Decode.Graph.Caches)
                foreach (Tensor tensor in (Tensor[])[layer.Keys, layer.Values]) device.Allocate(tensor.Name, tensor.Type, tensor.Shape);
        });
        Count("[SEG] projector", device => device.Compile(new SegProjector(weights, config.Language.HiddenSize, config.Grounding.DModel).Graph));
        SegmentationModel? segmentation = null;
        CountingBackend encoder = Count("segmentation, per stream", device =>
        {
            segmentation = new SegmentationModel(device, weights, config.Grounding, Normalisation.GroundingF32);
            _ = new FrameFeatures(segmentation);
        });
        long before = encoder.Memory.Buffers;
        _ = new ObjectTrack(segmentation!, new ObjectPrompt(segmentation!, new float[config.Grounding.DModel]), CancellationToken.None);
        list.Add(new StageMemory("segmentation, per object", 0, 0, encoder.Memory.Buffers - before));
        return list;

        CountingBackend Count(string stage, Action<CountingBackend> prepare)
        {
            var device = new CountingBackend();
            prepare(device);
            BackendMemory memory = device.Memory;
            list.Add(new StageMemory(stage, memory.Weights, memory.Arena, memory.Buffers));
            return device;
        }
    }

    /// <summary>A device that counts what it is asked for and holds nothing.</summary>
    private sealed class CountingBackend : IBackend
    {
        private readonly Dictionary<string, long> _weights = new(StringComparer.Ordinal);
        private long _arena, _buffers;

        public string Name => "none";

        public string Description => "counts memory";

        public BackendMemory Memory => new(_weights.Values.Sum(), _arena, _buffers);

        public DeviceBuffer Allocate(string name, DType type, Shape shape)
        {
            var buffer = new CountedBuffer(name, type, shape);
            _buffers += buffer.Bytes;
            return buffer;
        }

        public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
        {
            long arena = MemoryPlan.Create(graph).ArenaBytes;
            _arena = Math.Max(_arena, arena);
            foreach (Op op in graph.Ops)
                foreach (Weight weight in op.Weights) _weights[weight.Name] = weight.Info.Bytes;
            return new CountedPlan(graph, arena);
        }

        public void Dispose() { }
    }

    private sealed class CountedBuffer(string name, DType type, Shape shape) : DeviceBuffer(name, type, shape)
    {
        public override void Write<T>(ReadOnlySpan<T> source, long offset = 0) { }

        public override void Read<T>(Span<T> destination, long offset = 0) => destination.Clear();

        public override void Dispose() { }
    }

    private sealed class CountedPlan(Graph graph, long arena) : ExecutionPlan(graph)
    {
        public override long ArenaBytes => arena;

        public override void Run(PlanBindings bindings, CancellationToken cancellation = default) { }

        public override void Dispose() { }
    }
}
