using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>A stage ready to be bound: its graph, and how a run's lengths and indices are set.</summary>
/// <param name="Work">What one run does, for people.</param>
/// <param name="Graph">What runs.</param>
/// <param name="Prepare">Sets lengths and fills what random numbers would not do for.</param>
internal sealed record BenchmarkStage(string Work, Graph Graph, Action<GraphRun> Prepare);

/// <summary>The stages of a question and of a tracked frame as graphs of their own, at the sizes that they have in use.</summary>
internal static class BenchmarkStages
{
    /// <summary>Tokens that a measured decode step finds in the cache.</summary>
    private const int DecodeContext = 1024;

    /// <summary>The full bank of a video whose first five frames were prompted: five conditioned and six tracked memories.</summary>
    private const int ConditioningFrames = SegmentationModel.DefaultConditioningFrames;

    /// <summary>Names in the order of use.</summary>
    public static readonly IReadOnlyDictionary<string, Func<IWeightSource, Sa2VAConfig, BenchmarkStage>> All =
        new OrderedDictionary<string, Func<IWeightSource, Sa2VAConfig, BenchmarkStage>>
        {
            ["vision-tower"] = Vision,
            ["prefill"] = Prefill,
            ["decode"] = Decode,
            ["image-encoder"] = Encoder,
            ["memory-attention"] = Attention,
            ["mask-decoder"] = MaskDecoderStage,
            ["memory-encoder"] = Encode,
        };

    private static BenchmarkStage Vision(IWeightSource weights, Sa2VAConfig config)
    {
        VisionGraph graph = config.Family.RecordVision(weights, config, config.Family.MaxImageRows(config));
        return new($"one tile of {graph.Image.Shape[1]}×{graph.Image.Shape[0]}", graph.Graph, run => run.Set(graph.FirstRow, 0));
    }

    private static BenchmarkStage Prefill(IWeightSource weights, Sa2VAConfig config)
    {
        int tokens = Math.Min(LanguageModel.PrefillChunk, config.Language.MaxPositions);
        var graph = new LanguageGraph(weights, config.Language, tokens, tokens);
        return new($"{tokens} tokens behind 0", graph.Graph, run => Place(run, graph, 0, tokens, config.Language));
    }

    private static BenchmarkStage Decode(IWeightSource weights, Sa2VAConfig config)
    {
        int context = Math.Min(DecodeContext, config.Language.MaxPositions - 1);
        var graph = new LanguageGraph(weights, config.Language, 1, context + 1);
        return new($"1 token behind {context}", graph.Graph, run => Place(run, graph, context, 1, config.Language));
    }

    private static BenchmarkStage Encoder(IWeightSource weights, Sa2VAConfig config)
    {
        int side = config.Grounding.ImageSize;
        var graph = new ImageEncoderGraph(weights, SegmentationModel.Prefix, config.Grounding);
        return new($"one frame of {side}×{side}", graph.Graph, _ => { });
    }

    private static BenchmarkStage Attention(IWeightSource weights, Sa2VAConfig config)
    {
        GroundingConfig c = config.Grounding;
        var g = new GraphBuilder("memory attention", weights);
        WeightScope w = g.At(SegmentationModel.Prefix);
        Tensor f = FrameInputs.DeclareF(g, c);
        var bank = new MemoryBankTensors(g, c, ConditioningFrames);
        var selection = new BankSelection(g, c, ConditioningFrames);
        MemoryRows rows = bank.Gather(g, selection, w, c.ImageSize / 16);
        g.Output("features", MemoryAttention.Record(g, f, rows, w.At("memory_attention"), c));
        int memories = selection.MemoryCount.Max, pointers = selection.PointerCount.Max;
        return new($"one object, {memories} memories and {pointers} pointers", g.Build(), run =>
        {
            run.Write(selection.MemoryIndex, [.. Enumerable.Range(0, memories)])
                .Write(selection.TimeIndex, [.. Enumerable.Range(0, memories).Select(m => m % MemoryBank.TimeCodes)])
                .Write(selection.PointerIndex, [.. Enumerable.Range(0, pointers)]).Set(bank.MemorySlot, 0).Set(bank.PointerSlot, 0);
            selection.Set(run.Bound, memories, pointers);
        });
    }

    private static BenchmarkStage MaskDecoderStage(IWeightSource weights, Sa2VAConfig config)
    {
        GroundingConfig c = config.Grounding;
        var g = new GraphBuilder("mask decoder", weights);
        WeightScope w = g.At(SegmentationModel.Prefix);
        var prompts = new PromptEncoder(w.At("sam_prompt_encoder"), c);
        FrameInputs frame = FrameInputs.Declare(g, c);
        Tensor sparse = prompts.EmptySparse(g);
        MaskOutputs.Declare(g, MaskDecoder.Record(g, new(frame.F, sparse, null, frame.High), prompts, w, c, multimask: true));
        return new("one object", g.Build(), _ => { });
    }

    private static BenchmarkStage Encode(IWeightSource weights, Sa2VAConfig config)
    {
        var graph = new MemoryEncoderGraph(weights, SegmentationModel.Prefix, config.Grounding, ConditioningFrames);
        return new("one object", graph.Graph, run => run.Set(graph.Bank.MemorySlot, 0).Set(graph.Bank.PointerSlot, 0));
    }

    private static void Place(GraphRun run, LanguageGraph graph, int start, int count, LanguageConfig config)
    {
        var random = new Random(1);
        var ids = new int[count];
        for (int i = 0; i < count; i++) ids[i] = random.Next(Math.Min(config.VocabularySize, 50000));
        run.Write(graph.Stack.Ids, ids);
        graph.Stack.SetPosition(run.Bound, start, count);
    }
}
