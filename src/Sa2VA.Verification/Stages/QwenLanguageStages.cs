using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>The language model of the Qwen-VL kinds: positions on three axes, rows that are added behind layers.</summary>
internal static class QwenLanguageStages
{
    /// <summary>Most rows of a sequence that a golden file may ask for.</summary>
    private const int MaxRows = 1 << 15;

    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("net.qwen_positions", Positions);
        stages.Add("block.qwen_decoder_layer", DecoderLayer);
        stages.Add("net.qwen_llm_prefill", Prefill);
        stages.Add("net.qwen_llm_decode", Decode);
        stages.Add("block.text_hidden_fcs", SegHead);
    }

    private static StageOutputs Positions(StageContext c)
    {
        int[] ids = Ids(c, c.Golden.Params.Int("image_token_id", 0, 1 << 22));
        return OutputsOf(TokenPositions.Of(ids, QwenVisionStages.Grids(c)));
    }

    private static StageOutputs OutputsOf(TokenPositions positions) => new StageOutputs()
        .Add("position_ids", Flat(positions), 3, positions.Time.Length).Add("delta", [positions.Shift], 1);

    private static StageOutputs DecoderLayer(StageContext c)
    {
        LanguageConfig config = c.Config.Language;
        GoldenTensor x = c.In("x");
        int rows = x.DimsOf(2)[0];
        int[] p = [.. c.In("position_ids").Expect(3, rows).Integers.Select(v => v is >= 0 and < MaxRows ? (int)v
            : throw c.Golden.Bad($"has the position {v}"))];
        var positions = new TokenPositions(p[..rows], p[rows..(2 * rows)], p[(2 * rows)..], 0);
        GraphBuilder g = c.Graph();
        Tensor input = g.Input("x", DType.F32, x.Shape);
        KvLayout kv = KvLayout.Alone(Math.Max(rows, p.Max() + 1), c.Backend.Precision.BoundaryType());
        var at = new SequenceRows(g, kv, rows, 1);
        at.DeclarePictures(g, config with { DeepstackLayers = 0 }, imageRows: 1);
        AxisPositions axes = at.Axes ?? throw c.Golden.Bad("names a model without positions on three axes");
        var place = new LayerPlace(LanguageStack.Cache(g, config, kv, 0), at, LanguageStack.AxisTables(g, config, at, axes));
        Tensor y = g.Output("y", LanguageLayer.Record(g, input, c.Scope(g), place, config));
        using var run = new GraphRun(c, g.Build());
        run.Write(input, x.Floats);
        new SequencePlacement(at, run.Bound).Begin().AddChunk(EveryRowGraph.AllPages(at), 0, new int[rows], positions).End();
        run.Execute();
        return new StageOutputs().Add("y", run.Floats(y), y.Shape.ToArray());
    }

    private static StageOutputs Prefill(StageContext c)
    {
        var prompt = new PicturePrompt(c);
        int count = prompt.Ids.Length, hidden = c.Config.Language.HiddenSize;
        var outputs = new StageOutputs().AddCheck(prompt.CheckPositions());
        using (GraphRun run = prompt.Begin(count, count, out EveryRowGraph graph))
        {
            graph.Feed(run, 0, prompt.Ids, prompt.Positions);
            Tensor normed = graph.Normed ?? graph.Hidden;
            outputs.Add("logits", run.Floats(graph.Logits), count, graph.Logits.Shape.Last)
                .Add("state", run.Floats(graph.Hidden), count, hidden).Add("normed", run.Floats(normed), count, hidden);
        }
        // Long prompts go through in chunks behind a cache, which may cut a picture in two: the same rows must come out.
        int chunk = Math.Max(2, (count + 2) / 3);
        using (GraphRun run = prompt.Begin(chunk, count, out EveryRowGraph graph))
        {
            var rows = new float[count * hidden];
            for (int start = 0; start < count; start += chunk)
            {
                int length = Math.Min(chunk, count - start);
                graph.Feed(run, start, prompt.Ids.AsSpan(start, length), prompt.Positions);
                run.Floats(graph.Hidden, 0, (long)length * hidden).CopyTo(rows, start * hidden);
            }
            return outputs.AddVariant("state", "in chunks", rows, count, hidden);
        }
    }

    private static StageOutputs Decode(StageContext c)
    {
        var prompt = new PicturePrompt(c);
        GoldenTensor next = c.In("next_ids"), places = c.In("next_positions");
        int count = prompt.Ids.Length, steps = next.DimsOf(1)[0], hidden = c.Config.Language.HiddenSize;
        places.Expect(steps);
        if (count + steps > MaxRows) throw c.Golden.Bad($"asks for a sequence of {count + steps} tokens");
        var outputs = new StageOutputs().AddCheck(prompt.CheckPositions());
        using GraphRun prefill = prompt.Begin(count, count + steps, out EveryRowGraph graph);
        graph.Feed(prefill, 0, prompt.Ids, prompt.Positions);

        // A decode step has one position, as a text token has.
        var step = new EveryRowGraph(c.Weights, c.Config.Language, chunk: 1, graph.At.Kv);
        using var run = new GraphRun(c, step.Graph);
        for (int i = 0; i < step.Stack.Caches.Count; i++)
        {
            run.Share(step.Stack.Caches[i].Keys, prefill, graph.Stack.Caches[i].Keys);
            run.Share(step.Stack.Caches[i].Values, prefill, graph.Stack.Caches[i].Values);
        }
        int vocabulary = step.Logits.Shape.Last;
        float[] logits = new float[steps * vocabulary], states = new float[steps * hidden], normed = new float[steps * hidden];
        for (int i = 0; i < steps; i++)
        {
            if (next.Integers[i] < 0 || next.Integers[i] >= vocabulary)
                throw c.Golden.Bad($"feeds token {next.Integers[i]}, the vocabulary has {vocabulary}");
            step.Feed(run, count + i, [(int)next.Integers[i]], prompt.Positions);
            run.Floats(step.Logits).CopyTo(logits, i * vocabulary);
            run.Floats(step.Hidden).CopyTo(states, i * hidden);
            run.Floats(step.Normed ?? step.Hidden).CopyTo(normed, i * hidden);
        }
        long[] ours = [.. Enumerable.Range(count, steps).Select(n => (long)n + prompt.Positions.Shift)];
        return outputs.AddCheck(TensorCheck.Compare("in.next_positions", ours, places.Integers))
            .Add("logits", logits, steps, vocabulary).Add("state", states, steps, hidden).Add("normed", normed, steps, hidden);
    }

    private static StageOutputs SegHead(StageContext c)
    {
        GoldenTensor x = c.In("x");
        int rows = x.DimsOf(2)[0], width = c.Config.Grounding.DModel;
        var graph = new SegProjector(c.Weights, c.Config.Language.HiddenSize, width, rows);
        using var run = new GraphRun(c, graph.Graph);
        run.Write(graph.State, x.Expect(graph.State.Shape.ToArray()).Floats).Execute();
        return new StageOutputs().Add("y", run.Floats(graph.Seg), rows, width);
    }

    /// <summary>Token ids as the graphs take them: image tokens are negative.</summary>
    private static int[] Ids(StageContext c, int imageToken)
    {
        GoldenTensor ids = c.In("ids");
        int count = ids.DimsOf(1)[0], images = QwenVisionStages.Grids(c).Sum(t => t.Count), used = 0;
        if (count > MaxRows) throw c.Golden.Bad($"has a prompt of {count} tokens");
        int[] placed = [.. ids.Integers.Select(id => id == imageToken ? -1 - used++
            : id is >= 0 and < int.MaxValue ? (int)id : throw c.Golden.Bad($"has the token id {id}"))];
        return used == images ? placed : throw c.Golden.Bad($"has {used} image tokens and pictures of {images}");
    }

    private static long[] Flat(TokenPositions p) => [.. p.Time.Concat(p.Row).Concat(p.Column).Select(v => (long)v)];

    /// <summary>A prompt with pictures and what the vision tower gives for them.</summary>
    private sealed class PicturePrompt
    {
        private readonly StageContext _context;
        private readonly float[][] _images;

        public PicturePrompt(StageContext c)
        {
            _context = c;
            TokenGrid[] pictures = QwenVisionStages.Grids(c);
            int rows = pictures.Sum(t => t.Count), hidden = c.Config.Language.HiddenSize;
            Ids = QwenLanguageStages.Ids(c, QwenVisionStages.Vision(c).ImageTokenId
                ?? throw c.Golden.Bad("names a model whose config.json has no image_token_id"));
            Positions = TokenPositions.Of(Ids, pictures);
            string[] names = ["image_embeds",
                .. Enumerable.Range(0, c.Config.Language.DeepstackLayers).Select(i => FormattableString.Invariant($"deepstack.{i}"))];
            _images = [.. names.Select(name => c.In(name).Expect(rows, hidden).Floats)];
        }

        public int[] Ids { get; }

        public TokenPositions Positions { get; }

        public TensorCheck CheckPositions() =>
            TensorCheck.Compare("in.position_ids", Flat(Positions), _context.In("position_ids").Integers);

        public GraphRun Begin(int chunk, int capacity, out EveryRowGraph graph)
        {
            KvLayout kv = KvLayout.Alone(capacity, _context.Backend.Precision.BoundaryType());
            int hidden = _context.Config.Language.HiddenSize;
            graph = new EveryRowGraph(_context.Weights, _context.Config.Language, chunk, kv, _images[0].Length / hidden);
            _context.CheckCount(chunk, graph.Logits.Shape.Last);
            foreach (int id in Ids)
                if (id >= graph.Logits.Shape.Last)
                    throw _context.Golden.Bad($"has the token id {id}, the vocabulary has {graph.Logits.Shape.Last}");
            var run = new GraphRun(_context, graph.Graph);
            for (int i = 0; i < _images.Length; i++) run.Write(graph.Stack.ImageTokens[i], _images[i]);
            return run;
        }
    }
}
