using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>Memory that a stage of a model needs on a device.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Weights">Bytes of weights and tables as the device keeps them, as long as the model lives.</param>
/// <param name="Arena">Bytes of intermediates and scratch; the latter is shared by all stages.</param>
/// <param name="Buffers">Bytes that a session, an object or a conversation of that many tokens holds.</param>
public sealed record StageMemory(string Stage, long Weights, long Arena, long Buffers);

/// <summary>
/// Memory that a checkpoint would need: everything is prepared, by the code that prepares it for use, on a device that only counts. No
/// weight is read but a few that prompts are made of.
/// </summary>
/// <param name="Stages">Each stage by itself.</param>
/// <param name="Total">All of them together with one stream and one object, what they share counted once.</param>
public sealed record MemoryEstimate(IReadOnlyList<StageMemory> Stages, BackendMemory Total)
{
    private const int UsualTokens = 4096;

    /// <summary>
    /// Sees to it that a model can be loaded, and can have the conversations that it is asked for, before anything is allocated: on devices
    /// that know what they have free.
    /// </summary>
    /// <exception cref="DeviceMemoryException">The device, or what the budget leaves of it, is too small.</exception>
    internal static void CheckRoom(string name, Device device, IBackend backend, Sa2VAConfig config, IWeightSource weights, int maxTokens,
        CancellationToken cancellation)
    {
        if (backend.FreeMemory is null) return;
        using IBackend counting = device.OpenCounting();
        using var tower = new VisionTower(counting, weights, config, cancellation);
        using var language =
            new LanguageModel(counting, weights, config.Language, config.Family.MaxImageRows(config), maxTokens, cancellation);
        using var vectors = new SegVectors(language, weights, config.Grounding.DModel, cancellation);
        using var segmentation = new SegmentationModel(counting, weights, config.Grounding, cancellation: cancellation);
        BackendMemory memory = counting.Memory;
        // Without a wish the room for conversations is more than most need: it is looked at when they grow.
        long tokens = maxTokens > 0 ? language.Pages.MostBytes : 0;
        string parts = $"weights {MemoryRoom.Megabytes(memory.Weights)}, intermediates {MemoryRoom.Megabytes(memory.Arena)}, buffers "
            + MemoryRoom.Megabytes(memory.Buffers)
            + (tokens > 0 ? FormattableString.Invariant($", keys and values of {maxTokens} tokens {MemoryRoom.Megabytes(tokens)}") : "");
        MemoryRoom.Check(backend, memory.Total + tokens, $"'{name}' ({parts})", "Close what else uses the device, give a precision of "
            + $"fewer bits (bf16, int8, int4), a smaller checkpoint, or another {nameof(ModelOptions)}.{nameof(ModelOptions.MemoryBudget)} "
            + $"or {nameof(ModelOptions)}.{nameof(ModelOptions.MaxTokens)} where one was given.");
    }

    /// <summary>Counts for every stage.</summary>
    /// <param name="device">Where the model would run.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="weights">The checkpoint's tensors.</param>
    /// <param name="tokens">
    /// Tokens of the conversation to make room for, 1 to what the model supports; null for 4096, or for that if it is less.
    /// </param>
    /// <exception cref="CheckpointException">A tensor is missing or does not fit, or is stored for another precision.</exception>
    /// <exception cref="DeviceException">The device cannot tell.</exception>
    /// <exception cref="PromptException">The model does not support so many tokens.</exception>
    public static MemoryEstimate Of(Device device, Sa2VAConfig config, IWeightSource weights, int? tokens = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        config.Quantization?.Check(device.Precision);
        int positions = config.Language.MaxPositions, capacity = tokens ?? Math.Min(UsualTokens, positions);
        if (capacity < 1 || capacity > positions)
            throw new PromptException($"A conversation has 1 to {positions} tokens in this model, not {capacity}.");
        using IBackend all = device.OpenCounting();
        var list = new List<StageMemory>();
        // What nobody refers to would be collected, and its bytes with it.
        var kept = new List<object>();
        Count("vision tower", backend =>
        {
            var tower = new VisionTower(backend, weights, config);
            return (tower, tower.AllocateTokens(config.Family.MaxImageRows(config)));
        });
        Count(FormattableString.Invariant($"language model, {capacity} tokens"), backend =>
        {
            var model = new LanguageModel(backend, weights, config.Language, config.Family.MaxImageRows(config));
            foreach (DeviceBuffer rows in model.ImageRows) rows.Commit(rows.Shape.Count);
            var conversation = new Conversation(model, null);
            conversation.MakeRoom(capacity);
            return (model.ImageRows, conversation, new SegVectors(model, weights, config.Grounding.DModel));
        });
        SegmentationModel? segmentation = null;
        Count("segmentation, per stream", backend =>
        {
            segmentation = new SegmentationModel(backend, weights, config.Grounding);
            // Of the newest frame, and of the next one while it is in work.
            return (new FrameFeatures(segmentation), new FrameFeatures(segmentation));
        });
        BackendMemory before = all.Memory;
        var prompt = new ObjectPrompt(segmentation!, new float[config.Grounding.DModel]);
        kept.Add(new ObjectTrack(segmentation!, prompt, SegmentationModel.LanguageFrames));
        // A bank that is full.
        for (int i = 0; i < MemoryBank.MemorySlots(segmentation!.ConditioningFrames); i++) segmentation.Banks.MemorySlots.Take();
        for (int i = 0; i < MemoryBank.PointerSlots(segmentation!.ConditioningFrames); i++) segmentation.Banks.PointerSlots.Take();
        list.Add(new StageMemory("segmentation, per object", 0, 0, all.Memory.Buffers - before.Buffers));
        before = all.Memory;
        var results = new MaskResults(segmentation, 1);
        // A picture's size is not known beforehand: masks as large as what the encoder sees.
        kept.Add(new MaskOutput(segmentation, [results], config.Grounding.ImageSize, config.Grounding.ImageSize));
        list.Add(new StageMemory("masks, per object", 0, 0, all.Memory.Buffers - before.Buffers));
        BackendMemory total = all.Memory;
        GC.KeepAlive(kept);
        return new MemoryEstimate(list, total);

        // By itself, and together with the stages before it.
        void Count(string stage, Func<IBackend, object> prepare)
        {
            using IBackend alone = device.OpenCounting();
            kept.Add(prepare(alone));
            list.Add(new StageMemory(stage, alone.Memory.Weights, alone.Memory.Arena, alone.Memory.Buffers));
            kept.Add(prepare(all));
        }
    }
}
