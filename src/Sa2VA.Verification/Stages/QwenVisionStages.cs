using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>Pictures and the vision towers of the Qwen-VL kinds (docs/model/qwen-vl.md).</summary>
internal static class QwenVisionStages
{
    private const int MaxSide = 1 << 12;

    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("prep.qwen_image", Picture);
        stages.Add("block.qwen_patch_embed", PatchEmbed);
        stages.Add("block.qwen_pos_embed", Positions);
        stages.Add("block.qwen_vision_rotary", Rotary);
        stages.Add("block.qwen_window_index", Windows);
        stages.Add("block.qwen_vision_layer", Layer);
        stages.Add("block.qwen_merger", Merger);
        stages.Add("net.qwen_vision_tower", Tower);
    }

    /// <summary>Sizes of the vision tower.</summary>
    public static QwenVisionConfig Vision(StageContext c) =>
        c.Config.Vision as QwenVisionConfig ?? throw c.Golden.Bad($"names a model that is no Qwen-VL, which {c.Golden.Stage} needs");

    /// <summary>Tokens of each picture, from grids (1, patch rows, patch columns).</summary>
    public static TokenGrid[] Grids(StageContext c)
    {
        GoldenTensor grids = c.In("grid_thw");
        int pictures = grids.DimsOf(2)[0];
        grids.Expect(pictures, 3);
        var tokens = new TokenGrid[pictures];
        for (int i = 0; i < pictures; i++)
        {
            long t = grids.Integers[3 * i], rows = grids.Integers[3 * i + 1], columns = grids.Integers[3 * i + 2];
            if (t != 1 || rows is < 2 or > MaxSide || columns is < 2 or > MaxSide || rows % 2 != 0 || columns % 2 != 0)
                throw c.Golden.Bad($"has a picture of {t}×{rows}×{columns} patches; stills of an even number are read");
            tokens[i] = new TokenGrid((int)rows / 2, (int)columns / 2);
        }
        return tokens;
    }

    private static StageOutputs Picture(StageContext c)
    {
        QwenVisionConfig config = Vision(c) with { PatchSize = c.Size("patch_size") };
        RgbImage image = PreprocessStages.Image(c.In("image"));
        (RgbImage first, RgbImage last) = QwenPicture.Resize(image, config, c.Golden.Params.Int("min_pixels", 1, int.MaxValue),
            c.Golden.Params.Int("max_pixels", 1, int.MaxValue));
        // The recorded patches stand token by token, row by row, also where the tower has windows.
        PatchGrid grid = PatchGrid.Of(last.Width, last.Height, config with { WindowTokens = 0 });
        float[] patches = grid.Pack(last, config.PatchSize, QwenVlFamily.Levels(config.Kind));
        int some = Math.Min(8, grid.Patches) * config.PatchVector;
        return new StageOutputs().Add("pass1", PreprocessStages.Levels(first), first.Height, first.Width, 3)
            .Add("pass2", PreprocessStages.Levels(last), last.Height, last.Width, 3)
            .Add("patches_first", patches[..some], some / config.PatchVector, config.PatchVector)
            .Add("patches_last", patches[^some..], some / config.PatchVector, config.PatchVector)
            .Add("grid_thw", [1, 2 * grid.Tokens.Rows, 2 * grid.Tokens.Columns], 1, 3);
    }

    private static StageOutputs PatchEmbed(StageContext c)
    {
        var s = new StageGraph(c);
        return s.Out("y", QwenVit.Embed(s.Builder, s.Rows("patches"), s.Weights, Vision(c))).Run();
    }

    private static StageOutputs Positions(StageContext c)
    {
        QwenVisionConfig config = Vision(c);
        int side = c.Size("num_grid_per_side");
        float[] table = c.Scope(c.Graph()).Get("weight", side * side, config.HiddenSize).ReadValues();
        float[] positions = [.. Grids(c).SelectMany(g => new PatchGrid(g, 0).Positions(table, side))];
        return new StageOutputs().Add("y", positions, positions.Length / config.HiddenSize, config.HiddenSize);
    }

    private static StageOutputs Rotary(StageContext c)
    {
        int headDim = c.Size("head_dim");
        double theta = c.Golden.Params.Number("theta", 1, 1e12);
        float[] angles = [.. Grids(c).SelectMany(g => new PatchGrid(g, 0).Angles(headDim, theta))];
        return new StageOutputs().Add("angles", angles, angles.Length / (headDim / 2), headDim / 2);
    }

    private static StageOutputs Windows(StageContext c)
    {
        int side = c.Size("window_size") / (c.Size("patch_size") * c.Size("spatial_merge_size"));
        List<long> order = [], ends = [0];
        foreach (TokenGrid tokens in Grids(c))
        {
            var grid = new PatchGrid(tokens, side);
            (long before, long patches) = (order.Count, ends[^1]);
            order.AddRange(grid.Order.Select(t => before + t));
            ends.AddRange(grid.WindowEnds.Select(e => patches + e));
        }
        return new StageOutputs().Add("window_index", [.. order], order.Count).Add("cu_window_seqlens", [.. ends], ends.Count);
    }

    private static StageOutputs Layer(StageContext c)
    {
        QwenVisionConfig config = Vision(c);
        GoldenTensor x = c.In("x"), ends = c.In("cu_seqlens");
        int rows = x.DimsOf(2)[0], pairs = config.HeadDim / 2;
        float[] angles = c.In("rotary").Expect(rows, pairs).Floats;
        int[] offsets = [.. ends.Integers.Select(e => (int)e)];
        GraphBuilder g = c.Graph();
        Tensor input = g.Input("x", DType.F32, x.Shape), cos = g.Input("cos", DType.F32, new Shape(rows, pairs));
        Tensor sin = g.Input("sin", DType.F32, new Shape(rows, pairs));
        var segments = new AttentionSegments(g.List("keys", new Shape(offsets.Length - 1), new IndexRange(0, rows + 1)),
            g.List("offsets", new Shape(offsets.Length), new IndexRange(0, rows + 1)));
        Tensor y = g.Output("y", QwenVit.Layer(g, input, c.Scope(g), new RotaryTables(cos, sin, null), segments, config));
        using var run = new GraphRun(c, g.Build());
        run.Write(input, x.Floats).Write(cos, Array.ConvertAll(angles, MathF.Cos)).Write(sin, Array.ConvertAll(angles, MathF.Sin))
            .Set(segments.KeyLengths, [.. offsets.Skip(1).Zip(offsets, (end, begin) => end - begin)])
            .Set(segments.QueryOffsets!, offsets).Execute();
        return new StageOutputs().Add("y", run.Floats(y), y.Shape.ToArray());
    }

    private static StageOutputs Merger(StageContext c)
    {
        var s = new StageGraph(c);
        int hidden = c.Config.Language.HiddenSize;
        Tensor x = s.Rows("x");
        return s.Out("y", c.Golden.Params.Flag("post_shuffle_norm", false)
            ? QwenVit.MergeDeep(s.Builder, x, s.Weights, Vision(c), hidden)
            : QwenVit.Merge(s.Builder, x, s.Weights, Vision(c), hidden)).Run();
    }

    private static StageOutputs Tower(StageContext c)
    {
        QwenVisionConfig config = Vision(c);
        TokenGrid[] pictures = Grids(c);
        int hidden = c.Config.Language.HiddenSize, total = pictures.Sum(t => t.Count), vector = config.PatchVector;
        float[] patches = c.In("patches").Expect(4 * total, vector).Floats;
        var graph = new QwenVisionGraph(c.Weights, config, hidden, c.Backend.Precision.BoundaryType(), pictures.Max(t => t.Count));
        using var run = new GraphRun(c, graph.Graph);
        float[][] levels = [.. graph.Tokens.Select(_ => new float[total * hidden])];
        int before = 0;
        foreach (TokenGrid tokens in pictures)
        {
            var grid = new PatchGrid(tokens, config.WindowTokens);
            foreach ((Tensor tensor, float[] values) in graph.Inputs(grid)) run.Write(tensor, values);
            run.Write(graph.Patches, InOrder(patches.AsSpan(4 * before * vector, grid.Patches * vector), grid.Order, 4 * vector));
            graph.SetSize(run.Bound, grid);
            run.Execute();
            for (int i = 0; i < levels.Length; i++)
                run.Floats(graph.Tokens[i], 0, (long)tokens.Count * hidden).CopyTo(levels[i], before * hidden);
            before += tokens.Count;
        }
        var outputs = new StageOutputs().Add("tokens", levels[0], total, hidden);
        for (int i = 1; i < levels.Length; i++) outputs.Add(FormattableString.Invariant($"deepstack.{i - 1}"), levels[i], total, hidden);
        return outputs;
    }

    /// <summary>Blocks of a width in another order.</summary>
    private static float[] InOrder(ReadOnlySpan<float> blocks, int[] order, int width)
    {
        var ordered = new float[blocks.Length];
        for (int i = 0; i < order.Length; i++) blocks.Slice(order[i] * width, width).CopyTo(ordered.AsSpan(i * width));
        return ordered;
    }
}
