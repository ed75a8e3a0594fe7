using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;
using Sa2VA.Verification.Stages;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>A stage ready to be bound: its graph, and how a run's lengths and indices are set.</summary>
/// <param name="Work">What one run does, for people.</param>
/// <param name="Graph">What runs.</param>
/// <param name="Prepare">Sets lengths and fills what random numbers would not do for.</param>
/// <param name="Objects">Objects of a tracked frame; 0 where that is not what is measured.</param>
internal sealed record BenchmarkStage(string Work, Graph Graph, Action<GraphRun> Prepare, int Objects = 0)
{
    /// <summary>How often the graph runs, each time with the same lengths: once for each tile of a picture.</summary>
    public int Times { get; init; } = 1;

    /// <summary>What sets lengths for the runs behind the first: a prompt's other chunks.</summary>
    public IReadOnlyList<Action<GraphRun>> Then { get; init; } = [];

    /// <summary>True where the graph runs once.</summary>
    public bool IsOneRun => Times == 1 && Then.Count == 0;
}

/// <summary>The stages of a question and of a tracked frame as graphs of their own, at the sizes that they have in use.</summary>
internal static class BenchmarkStages
{
    /// <summary>Tokens that a measured decode step finds in the cache.</summary>
    private const int DecodeContext = 1024;

    /// <summary>The full bank of a video whose first five frames were prompted: five conditioned and six tracked memories.</summary>
    private const int ConditioningFrames = SegmentationModel.LanguageFrames;

    /// <summary>Names in the order of use.</summary>
    public static readonly IReadOnlyDictionary<string, Func<IWeightSource, Sa2VAConfig, DType, BenchmarkStage>> All =
        new OrderedDictionary<string, Func<IWeightSource, Sa2VAConfig, DType, BenchmarkStage>>
        {
            ["vision-tower"] = (weights, config, type) => Vision(weights, config, type, 1),
            ["vision-tower-5"] = (weights, config, type) => Vision(weights, config, type, 5),
            ["vision-tower-13"] = (weights, config, type) => Vision(weights, config, type, 13),
            ["prefill"] = (weights, config, type) => Prefill(weights, config, type, LanguageModel.PrefillChunk),
            ["prefill-1325"] = (weights, config, type) => Prefill(weights, config, type, 1325),
            ["prefill-3368"] = (weights, config, type) => Prefill(weights, config, type, 3368),
            ["decode"] = (weights, config, type) => Decode(weights, config, type, 1),
            ["decode-2"] = (weights, config, type) => Decode(weights, config, type, 2),
            ["decode-4"] = (weights, config, type) => Decode(weights, config, type, 4),
            ["decode-8"] = (weights, config, type) => Decode(weights, config, type, 8),
            ["decode-16"] = (weights, config, type) => Decode(weights, config, type, 16),
            ["image-encoder"] = Encoder,
            ["memory-attention"] = Attention,
            ["mask-decoder"] = MaskDecoderStage,
            ["memory-encoder"] = Encode,
            ["tracked-1"] = (weights, config, type) => Tracked(weights, config, type, 1),
            ["tracked-2"] = (weights, config, type) => Tracked(weights, config, type, 2),
            ["tracked-4"] = (weights, config, type) => Tracked(weights, config, type, 4),
            ["tracked-8"] = (weights, config, type) => Tracked(weights, config, type, 8),
            ["tracked-10"] = (weights, config, type) => Tracked(weights, config, type, 10),
            ["tracked-16"] = (weights, config, type) => Tracked(weights, config, type, 16),
        };

    /// <summary>Those that take minutes on a CPU and tell little that shorter ones do not: measured where they are named.</summary>
    public static readonly IReadOnlySet<string> Long =
        new HashSet<string> { "vision-tower-5", "vision-tower-13", "prefill-1325", "prefill-3368", "tracked-10" };

    /// <summary>Tiles, one after the other as the engine encodes them.</summary>
    private static BenchmarkStage Vision(IWeightSource weights, Sa2VAConfig config, DType type, int tiles)
    {
        VisionGraph graph = config.Family.RecordVision(weights, config, type);
        (int width, int height) = graph.UsualTile;
        return new($"{(tiles == 1 ? "one tile" : $"{tiles} tiles, one by one,")} of {width}×{height}", graph.Graph,
            run => graph.SetSize(run.Bound, width, height))
        {
            Times = tiles,
        };
    }

    /// <summary>A prompt, in chunks as the engine cuts it.</summary>
    private static BenchmarkStage Prefill(IWeightSource weights, Sa2VAConfig config, DType type, int prompt)
    {
        int tokens = Math.Min(prompt, config.Language.MaxPositions), chunk = Math.Min(LanguageModel.PrefillChunk, tokens);
        LanguageGraph graph = LanguageGraph.Prefill(weights, config.Language, KvLayout.Alone(tokens, type), slots: 1, chunk);
        IEnumerable<Action<GraphRun>> chunks = from start in Enumerable.Range(0, (tokens - 1) / chunk + 1).Select(n => n * chunk)
            select (Action<GraphRun>)(run => Place(run, start, Math.Min(chunk, tokens - start)));
        return new($"{tokens} tokens behind 0{(chunk < tokens ? $", {chunk} at a time" : "")}", graph.Graph, chunks.First())
        {
            Then = [.. chunks.Skip(1)],
        };

        void Place(GraphRun run, int start, int count)
        {
            run.Bound.Set(graph.Ids!, Ids(config, count)).Set(graph.Last!, [count - 1]).Set(graph.Slot, [0]);
            EveryRowGraph.Place(run, graph.At, start, count);
        }
    }

    /// <summary>A token for each of several chats.</summary>
    private static BenchmarkStage Decode(IWeightSource weights, Sa2VAConfig config, DType type, int chats)
    {
        int context = Math.Min(DecodeContext, config.Language.MaxPositions - 1), pages = KvLayout.PagesFor(context + 1);
        LanguageGraph graph = LanguageGraph.Decode(weights, config.Language, new KvLayout(context + 1, chats * pages, type), chats, chats);
        return new($"{(chats == 1 ? "1 token" : $"{chats} chats, 1 token each")} behind {context}", graph.Graph, run =>
        {
            run.Write(graph.Slots.Next, Ids(config, chats));
            SequencePlacement placement = new SequencePlacement(graph.At, run.Bound).Begin();
            for (int i = 0; i < chats; i++) placement.Add([.. Enumerable.Range(i * pages, pages)], context, 1);
            placement.End();
            run.Bound.Set(graph.Slot, [.. Enumerable.Range(0, chats)]);
        });
    }

    private static BenchmarkStage Encoder(IWeightSource weights, Sa2VAConfig config, DType type)
    {
        int side = config.Grounding.ImageSize;
        var graph = new ImageEncoderGraph(weights, SegmentationModel.Prefix, config.Grounding);
        return new($"one frame of {side}×{side}", graph.Graph, _ => { });
    }

    private static BenchmarkStage Attention(IWeightSource weights, Sa2VAConfig config, DType type)
    {
        GroundingConfig c = config.Grounding;
        BankPools pools = BankPools.For(1, ConditioningFrames);
        var g = new GraphBuilder("memory attention", weights);
        WeightScope w = g.At(SegmentationModel.Prefix);
        Tensor f = FrameInputs.DeclareF(g, c);
        var bank = new MemoryBankTensors(g, c, pools, ObjectBatch.One);
        var selection = new BankSelection(g, c, pools, ObjectBatch.One);
        MemoryRows rows = bank.Gather(g, selection, w, c.ImageSize / 16);
        g.Output("features", MemoryAttention.Record(g, f, rows, ObjectBatch.One, w.At("memory_attention"), c));
        return new($"one object, {FullBank}", g.Build(), run => Fill(run, bank, selection, ObjectBatch.One));
    }

    private static BenchmarkStage Tracked(IWeightSource weights, Sa2VAConfig config, DType type, int objects)
    {
        GroundingConfig c = config.Grounding;
        var prompts = new PromptEncoder(new GraphBuilder("prompts", weights).At(SegmentationModel.Prefix).At("sam_prompt_encoder"), c);
        BankPools pools = BankPools.For(objects, ConditioningFrames);
        var graph = new TrackedFrameGraph(weights, SegmentationModel.Prefix, c, prompts, pools, objects);
        return new($"{objects} object{(objects == 1 ? "" : "s")}, {FullBank}{(objects == 1 ? "" : " each")}", graph.Graph, run =>
        {
            Fill(run, graph.Bank, graph.Selection, graph.Objects);
            run.Set(graph.Results.Rows, [.. Enumerable.Range(0, objects)]);
        }, objects);
    }

    private static BenchmarkStage MaskDecoderStage(IWeightSource weights, Sa2VAConfig config, DType type)
    {
        GroundingConfig c = config.Grounding;
        var g = new GraphBuilder("mask decoder", weights);
        WeightScope w = g.At(SegmentationModel.Prefix);
        var prompts = new PromptEncoder(w.At("sam_prompt_encoder"), c);
        FrameInputs frame = FrameInputs.Declare(g, c);
        Tensor sparse = prompts.EmptySparse(g);
        var input = new MaskDecoderInput(frame.F, sparse, null, frame.High, ObjectBatch.One);
        MaskOutputs.Declare(g, MaskDecoder.Record(g, input, prompts, w, c, multimask: true));
        return new("one object", g.Build(), _ => { });
    }

    private static BenchmarkStage Encode(IWeightSource weights, Sa2VAConfig config, DType type)
    {
        var graph = new MemoryEncoderGraph(weights, SegmentationModel.Prefix, config.Grounding, BankPools.For(1, ConditioningFrames));
        return new("one object", graph.Graph, run => run.Set(graph.Bank.MemorySlots, [0]).Set(graph.Bank.PointerSlots, [0]));
    }

    private static string FullBank =>
        $"{MemoryBank.MaxMemories(ConditioningFrames)} memories and {MemoryBank.MaxPointers(ConditioningFrames)} pointers";

    /// <summary>Full banks, each object's in slots of its own; what is written goes to slots that nobody reads.</summary>
    private static void Fill(GraphRun run, MemoryBankTensors bank, BankSelection selection, ObjectBatch objects)
    {
        int n = objects.Capacity, memories = MemoryBank.MaxMemories(ConditioningFrames);
        int pointers = MemoryBank.MaxPointers(ConditioningFrames);
        run.Set(selection.MemoryCount, n * memories).Set(selection.PointerCount, n * pointers)
            .Set(selection.MemoryIndex, [.. Enumerable.Range(0, n * memories)])
            .Set(selection.TimeIndex, [.. Enumerable.Range(0, n * memories).Select(m => m % memories % MemoryBank.TimeCodes)])
            .Set(selection.PointerIndex, [.. Enumerable.Range(0, n * pointers)])
            .Set(bank.MemorySlots, [.. Enumerable.Range(n * memories, n)]).Set(bank.PointerSlots, [.. Enumerable.Range(n * pointers, n)]);
        if (objects.Count is { } count) run.Set(count, n);
        if (selection.Lengths is not { } lengths) return;
        int[] ofMemories = [.. Enumerable.Repeat(memories * selection.RowsPerMemory, n)];
        int[] ofPointers = [.. Enumerable.Repeat(pointers * selection.RowsPerPointer, n)];
        run.Set(lengths.Memories, ofMemories).Set(lengths.Pointers, ofPointers)
            .Set(lengths.All, [.. ofMemories.Zip(ofPointers, (m, p) => m + p)]);
    }

    private static int[] Ids(Sa2VAConfig config, int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Math.Min(config.Language.VocabularySize, 50000)))];
    }
}
