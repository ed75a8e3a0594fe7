using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Name and shape of every tensor of a checkpoint, as its config.json implies them: what the networks ask for while they are
/// recorded, so that nothing about them is said twice.
/// </summary>
public static class CheckpointTensors
{
    /// <summary>Of the SAM 2 module's tensors.</summary>
    public const string GroundingPrefix = "grounding_encoder.sam2_model";

    /// <summary>Lists them in ordinal order of their names, as the writer of the safetensors format does.</summary>
    /// <exception cref="CheckpointException">The sizes in config.json cannot be met together.</exception>
    public static IReadOnlyList<(string Name, Shape Shape)> Of(Sa2VAConfig config) => Of(config, !config.Language.TiedEmbeddings);

    /// <param name="config">Sizes.</param>
    /// <param name="head">False when the embedding serves as head.</param>
    internal static IReadOnlyList<(string Name, Shape Shape)> Of(Sa2VAConfig config, bool head)
    {
        var recorder = new Recorder(head);
        try
        {
            Record(recorder, config);
        }
        catch (GraphException e)
        {
            throw new CheckpointException($"config.json describes networks that cannot be: {e.Message}", e);
        }
        return [.. recorder.Shapes.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => (t.Key, t.Value))];
    }

    /// <summary>The matrices that a precision of few bits stores in few bits: those of the language model's linear layers.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="head">False when the embedding serves as head.</param>
    internal static IReadOnlyDictionary<string, QuantizedMatrix> Matrices(Sa2VAConfig config, bool head)
    {
        Graph graph = Language(new Recorder(head), config);
        Weight[] matrices = [.. graph.Ops.OfType<Linear>().Select(l => l.Weight).Where(w => w.LeastBits < 16)];
        HashSet<string> read = [.. graph.Ops.SelectMany(o => o.Weights.Except(matrices)).Select(w => w.Name)];
        // A fused projection is read by several layers.
        return matrices.DistinctBy(w => w.Name).ToDictionary(w => w.Name, w => new QuantizedMatrix(w.LeastBits, read.Contains(w.Name)),
            StringComparer.Ordinal);
    }

    private static Graph Language(Recorder recorder, Sa2VAConfig config) =>
        LanguageGraph.Decode(recorder, config.Language, KvLayout.Alone(1), slots: 1, sequences: 1).Graph;

    private static void Record(Recorder recorder, Sa2VAConfig config)
    {
        (LanguageConfig language, GroundingConfig grounding) = (config.Language, config.Grounding);
        _ = Language(recorder, config);
        config.Family.RecordStoredVision(recorder, config);
        _ = new SegProjector(recorder, language.HiddenSize, grounding.DModel);

        var g = new GraphBuilder("prompt encoder", recorder);
        WeightScope w = g.At(GroundingPrefix);
        var prompts = new PromptEncoder(w.At("sam_prompt_encoder"), grounding);
        _ = new ImageEncoderGraph(recorder, GroundingPrefix, grounding);
        _ = new TrackedFrameGraph(recorder, GroundingPrefix, grounding, prompts, BankPools.For(1, conditioningFrames: 1));
        _ = new PromptedFrameGraph(recorder, GroundingPrefix, grounding, prompts, multimask: true, dense: false);
        _ = new MaskPromptGraph(recorder, GroundingPrefix, grounding, grounding.ImageSize / 4, grounding.ImageSize / 4);
        // Stored by upstream, whose own inference does not read the second; the first serves masks given as outputs with memory, which the
        // released code never does.
        w.At("mask_downsample").Get("weight", 1, 1, 4, 4);
        w.At("mask_downsample").Get("bias", 1);
        w.Get("no_mem_pos_enc", 1, 1, grounding.DModel);
    }

    /// <summary>
    /// Has whatever is asked for, and notes it. Nothing is read: what depends on values is computed when a backend asks for it.
    /// </summary>
    private sealed class Recorder(bool head) : IWeightSource
    {
        public Dictionary<string, Shape> Shapes { get; } = new(StringComparer.Ordinal);

        // Only the head may be absent, so nothing else is looked up without its shape.
        public bool TryDescribe(string name, out WeightInfo info)
        {
            info = new WeightInfo(name, DType.F32, new Shape(1));
            return head;
        }

        public bool TryDescribe(string name, Shape needed, out WeightInfo info)
        {
            if (Shapes.TryGetValue(name, out Shape known) && known != needed)
                throw new GraphException($"Tensor '{name}' is asked for as {known} and as {needed}.");
            Shapes[name] = needed;
            info = new WeightInfo(name, DType.F32, needed);
            return true;
        }

        public WeightData Open(string name) => throw new GraphException($"Tensor '{name}' is read while its graph is recorded.");
    }
}

/// <summary>A matrix that may be stored in few bits.</summary>
/// <param name="LeastBits">Fewest bits.</param>
/// <param name="IsTable">True if rows of it are also looked up, as they are: an embedding that serves as head.</param>
internal readonly record struct QuantizedMatrix(int LeastBits, bool IsTable)
{
    /// <summary>Bits that a precision stores it in.</summary>
    public int Bits(Precision precision) => Math.Max(LeastBits, precision.WeightBits());
}
