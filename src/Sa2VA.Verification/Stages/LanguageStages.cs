using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>
/// The language half: vision tower, projectors, and layers and runs of the language model (docs/model/verification.md#golden-files).
/// </summary>
internal static class LanguageStages
{
    /// <summary>Most rows of a sequence that a golden file may ask for.</summary>
    private const int MaxRows = 1 << 15;

    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("block.intern_vit_layer", VisionLayer);
        stages.Add("block.mlp1", Mlp1);
        stages.Add("block.qwen2_layer", c => DecoderLayer(c, LanguageKind.Qwen2));
        stages.Add("block.qwen3_layer", c => DecoderLayer(c, LanguageKind.Qwen3));
        stages.Add("block.internlm2_layer", c => DecoderLayer(c, LanguageKind.InternLm2));
        stages.Add("net.vision_tower", VisionTower);
        stages.Add("net.llm_prefill", Prefill);
        stages.Add("net.llm_decode", Decode);
        stages.Add("net.seg_projector", Seg);
    }

    private static StageOutputs VisionLayer(StageContext c)
    {
        InternVitConfig config = Vit(c) with
        {
            Heads = c.Size("heads"),
            RmsNorm = c.Golden.Params.Text("norm_type") == "rms_norm",
            Epsilon = (float)c.Golden.Params.Number("eps", 0, 1),
            QkNormalization = c.Golden.Params.Flag("qk_norm", false),
        };
        var s = new StageGraph(c);
        return s.Out("y", InternVit.Layer(s.Builder, s.Rows("x"), s.Weights, config)).Run();
    }

    private static InternVitConfig Vit(StageContext c) =>
        c.Config.Vision as InternVitConfig ?? throw c.Golden.Bad($"names a model without InternViT, which {c.Golden.Stage} needs");

    private static StageOutputs Mlp1(StageContext c)
    {
        var s = new StageGraph(c);
        return s.Out("y", Projector.Mlp(s.Builder, s.Rows("x"), s.Weights, c.Config.Language.HiddenSize)).Run();
    }

    private static StageOutputs DecoderLayer(StageContext c, LanguageKind kind)
    {
        LanguageConfig config = c.Config.Language with
        {
            Kind = kind,
            Heads = c.Size("heads"),
            KvHeads = c.Size("kv_heads"),
            HeadDim = c.Size("head_dim"),
            RopeTheta = c.Golden.Params.Number("rope_theta", 1, 1e12),
            Epsilon = (float)c.Golden.Params.Number("eps", 0, 1),
        };
        int past = c.Golden.Params.Int("position", 0, MaxRows), width = config.KvHeads * config.HeadDim;
        GoldenTensor input = c.In("x");
        int rows = input.DimsOf(2)[0];

        GraphBuilder g = c.Graph();
        Tensor x = g.Input("x", DType.F32, input.Shape);
        var at = new SequenceRows(g, KvLayout.Alone(past + rows, c.Backend.Precision.BoundaryType()), rows, 1);
        LayerCache cache = LanguageStack.Cache(g, config, at.Kv, 0);
        var place = new LayerPlace(cache, at, LanguageStack.Tables(g, config, at.Kv.Capacity, at.Positions));
        Tensor y = g.Output("y", LanguageLayer.Record(g, x, c.Scope(g), place, config));
        using var run = new GraphRun(c, g.Build());
        run.Write(x, input.Floats);
        EveryRowGraph.Place(run, at, past, rows);
        if (past > 0)
        {
            run.Write(cache.Keys, Heads.ToRows(c.In("past_k").Expect(config.KvHeads, past, config.HeadDim)));
            run.Write(cache.Values, Heads.ToRows(c.In("past_v").Expect(config.KvHeads, past, config.HeadDim)));
        }
        run.Execute();
        return new StageOutputs().Add("y", run.Floats(y), y.Shape.ToArray()).Add("k", New(cache.Keys), config.KvHeads, rows, config.HeadDim)
            .Add("v", New(cache.Values), config.KvHeads, rows, config.HeadDim);

        float[] New(Tensor state) =>
            Heads.FromRows(run.Floats(state, (long)past * width, (long)rows * width), config.KvHeads, config.HeadDim);
    }

    private static StageOutputs VisionTower(StageContext c)
    {
        GoldenTensor pixels = c.In("pixel_values");
        int[] d = pixels.DimsOf(4);
        (int tiles, int side) = (d[0], d[2]);
        pixels.Expect(tiles, 3, side, side);
        InternVitConfig model = Vit(c);
        int select = c.Golden.Params.Int("select_layer", -model.Layers - 1, model.Layers),
            patch = c.Golden.Params.Int("patch_size", 1, 256);
        if (side % (2 * patch) != 0) throw c.Golden.Bad($"has tiles of {side} pixels, no multiple of twice the patch size {patch}");
        InternVitConfig config = model with
        {
            SelectedLayers = select < 0 ? model.Layers + 1 + select : select,
            TransposedShuffle = c.Golden.Params.Text("ps_version") == "v1",
            PatchSize = patch,
            TileSize = side,
        };
        int hidden = c.Config.Language.HiddenSize, patches = config.Grid * config.Grid, tokens = config.TokensPerTile;
        GraphBuilder g = c.Graph();
        Tensor tile = g.Input("tile", DType.F32, new Shape(side, side, 3));
        TileVectors recorded = InternVlTower.Record(g, tile, config, hidden);
        Tensor before = g.Output("hidden", recorded.Patches), after = g.Output("tokens", recorded.Tokens);
        using var run = new GraphRun(c, g.Build());
        float[] vectors = new float[tiles * patches * config.HiddenSize], projected = new float[tiles * tokens * hidden];
        for (int t = 0; t < tiles; t++)
        {
            run.Write(tile, ChannelsFirst.ToEngine(pixels.Floats.AsSpan(t * 3 * side * side, 3 * side * side), 3, side * side)).Execute();
            run.Floats(before).CopyTo(vectors, t * patches * config.HiddenSize);
            run.Floats(after).CopyTo(projected, t * tokens * hidden);
        }
        return new StageOutputs().Add("hidden", vectors, tiles, patches, config.HiddenSize)
            .Add("tokens", projected, tiles, tokens, hidden);
    }

    private static StageOutputs Prefill(StageContext c)
    {
        LanguagePrompt prompt = new(c);
        int count = prompt.Ids.Length, hidden = c.Config.Language.HiddenSize;
        var outputs = new StageOutputs();
        using (GraphRun run = prompt.Begin(count, count, out EveryRowGraph graph))
        {
            graph.Feed(run, 0, prompt.Ids);
            outputs.Add("hidden", run.Floats(graph.Hidden), count, hidden)
                .Add("logits", run.Floats(graph.Logits), count, graph.Logits.Shape.Last);
            outputs.AddCheck(LanguagePrompt.CheckNext(run, graph, count));
        }

        // Long prompts go through in chunks behind a cache: the same rows must come out.
        int chunk = Math.Max(2, (count + 2) / 3);
        using (GraphRun run = prompt.Begin(chunk, count, out EveryRowGraph graph))
        {
            var rows = new float[count * hidden];
            for (int start = 0; start < count; start += chunk)
            {
                int length = Math.Min(chunk, count - start);
                graph.Feed(run, start, prompt.Ids.AsSpan(start, length));
                run.Floats(graph.Hidden, 0, (long)length * hidden).CopyTo(rows, start * hidden);
            }
            return outputs.AddVariant("hidden", "in chunks", rows, count, hidden);
        }
    }

    private static StageOutputs Decode(StageContext c)
    {
        LanguagePrompt prompt = new(c);
        GoldenTensor stepIds = c.In("step_ids");
        int count = prompt.Ids.Length, steps = stepIds.DimsOf(1)[0], hidden = c.Config.Language.HiddenSize, capacity = count + steps;
        if (capacity > MaxRows) throw c.Golden.Bad($"asks for a sequence of {capacity} tokens");
        using GraphRun prefill = prompt.Begin(count, capacity, out EveryRowGraph graph);
        graph.Feed(prefill, 0, prompt.Ids);
        int vocabulary = graph.Logits.Shape.Last;
        var outputs = new StageOutputs()
            .Add("prompt_logits", prefill.Floats(graph.Logits, (long)(count - 1) * vocabulary, vocabulary), vocabulary)
            .AddCheck(LanguagePrompt.CheckNext(prefill, graph, count));

        var step = new EveryRowGraph(c.Weights, c.Config.Language, chunk: 1, graph.At.Kv);
        using var run = new GraphRun(c, step.Graph);
        for (int i = 0; i < step.Stack.Caches.Count; i++)
        {
            run.Share(step.Stack.Caches[i].Keys, prefill, graph.Stack.Caches[i].Keys);
            run.Share(step.Stack.Caches[i].Values, prefill, graph.Stack.Caches[i].Values);
        }
        var logits = new float[steps * vocabulary];
        var states = new float[steps * hidden];
        for (int i = 0; i < steps; i++)
        {
            if (stepIds.Integers[i] < 0 || stepIds.Integers[i] >= vocabulary)
                throw c.Golden.Bad($"feeds token {stepIds.Integers[i]}, the vocabulary has {vocabulary}");
            step.Feed(run, count + i, [(int)stepIds.Integers[i]]);
            run.Floats(step.Logits).CopyTo(logits, i * vocabulary);
            run.Floats(step.Hidden).CopyTo(states, i * hidden);
        }
        return outputs.Add("logits", logits, steps, vocabulary).Add("hidden", states, steps, hidden);
    }

    private static StageOutputs Seg(StageContext c)
    {
        GoldenTensor states = c.In("h");
        int rows = states.DimsOf(2)[0], width = c.Config.Grounding.DModel;
        var graph = new SegProjector(c.Weights, c.Config.Language.HiddenSize, width, rows);
        using var run = new GraphRun(c, graph.Graph);
        run.Write(graph.State, states.Expect(graph.State.Shape.ToArray()).Floats).Execute();
        return new StageOutputs().Add("seg", run.Floats(graph.Seg), rows, width);
    }

    /// <summary>A prompt as the graphs take it: image tokens are negative ids.</summary>
    private sealed class LanguagePrompt
    {
        private readonly StageContext _context;
        private readonly float[] _images;
        private readonly int _imageRows;

        public LanguagePrompt(StageContext c)
        {
            _context = c;
            GoldenTensor ids = c.In("input_ids");
            int count = ids.DimsOf(1)[0], contextToken = c.Golden.Params.Int("context_token", 0, 1 << 22),
                hidden = c.Config.Language.HiddenSize;
            if (count is < 2 or > MaxRows) throw c.Golden.Bad($"has a prompt of {count} tokens");
            GoldenTensor? images = c.Golden.HasInput("image_embeds") ? c.In("image_embeds") : null;
            _imageRows = images?.DimsOf(2)[0] ?? 0;
            _images = images?.Expect(_imageRows, hidden).Floats ?? [];
            Ids = new int[count];
            int used = 0;
            for (int i = 0; i < count; i++)
            {
                long id = ids.Integers[i];
                if (id is < 0 or > int.MaxValue) throw c.Golden.Bad($"has the token id {id}");
                Ids[i] = id == contextToken ? -1 - used++ : (int)id;
            }
            if (used != _imageRows) throw c.Golden.Bad($"has {used} context tokens and {_imageRows} image rows");
        }

        public int[] Ids { get; }

        public GraphRun Begin(int chunk, int capacity, out EveryRowGraph graph)
        {
            KvLayout kv = KvLayout.Alone(capacity, _context.Backend.Precision.BoundaryType());
            graph = new EveryRowGraph(_context.Weights, _context.Config.Language, chunk, kv, _imageRows);
            _context.CheckCount(chunk, graph.Logits.Shape.Last);
            foreach (int id in Ids)
                if (id >= graph.Logits.Shape.Last)
                    throw _context.Golden.Bad($"has the token id {id}, the vocabulary has {graph.Logits.Shape.Last}");
            var run = new GraphRun(_context, graph.Graph);
            return graph.Stack.ImageTokens is [Tensor images] ? run.Write(images, _images) : run;
        }

        /// <summary>The next tokens that the graph chooses are those with the largest logits.</summary>
        public static TensorCheck CheckNext(GraphRun run, EveryRowGraph graph, int rows)
        {
            int vocabulary = graph.Logits.Shape.Last;
            float[] logits = run.Floats(graph.Logits);
            var largest = new long[rows];
            for (int r = 0; r < rows; r++)
                for (int i = 1; i < vocabulary; i++)
                    if (logits[r * vocabulary + i] > logits[r * vocabulary + largest[r]]) largest[r] = i;
            return TensorCheck.Compare("next token (largest logit)", run.Integers(graph.Next).AsSpan(0, rows), largest);
        }
    }
}
