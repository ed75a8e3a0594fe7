using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>Blocks of the SAM 2 half (docs/model/verification.md#golden-files), with weights of a checkpoint.</summary>
internal static class SamBlockStages
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("block.hiera_patch_embed", HieraPatchEmbed);
        stages.Add("block.hiera", HieraBlockStage);
        stages.Add("block.fpn_neck", Neck);
        stages.Add("block.prompt_encoder", Prompts);
        stages.Add("block.two_way", TwoWay);
        stages.Add("block.two_way_transformer", TwoWayWhole);
        stages.Add("block.decoder_attention", DecoderAttention);
        stages.Add("block.memory_attention_layer", MemoryAttentionLayer);
        stages.Add("block.mask_downsampler", MaskDownsampler);
        stages.Add("block.cx_block", CxBlock);
    }

    private static StageOutputs HieraPatchEmbed(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        int grid = c.Golden.Params.Int("grid", 1, 1024);
        var s = new StageGraph(c);
        float[] position = Computed.Values(HieraPosition.Record(s.Builder, s.Weights, grid, config));
        return s.Out("y", Hiera.PatchEmbed(s.Builder, s.Map("x"), s.Weights, config.EmbedDim)).Run()
            .Add("pos_embed", position, grid, grid, config.EmbedDim);
    }

    private static StageOutputs HieraBlockStage(StageContext c)
    {
        ConfigFields p = c.Golden.Params;
        var block = new HieraBlock(c.Size("dim"), c.Size("dim_out"), c.Size("heads"), p.Int("window", 0, 1024), p.Flag("q_pool", false));
        var s = new StageGraph(c);
        return s.Out("y", Hiera.Block(s.Builder, s.Rows("x"), s.Weights, block)).Run();
    }

    private static StageOutputs Neck(StageContext c)
    {
        var s = new StageGraph(c);
        Tensor[] levels = FpnNeck.Levels(s.Builder, [s.Map("c1"), s.Map("c2"), s.Map("c3"), s.Map("c4")], s.Weights,
            c.Config.Grounding.DModel);
        for (int i = 0; i < levels.Length; i++) s.OutMap(FormattableString.Invariant($"l{i}"), levels[i]);
        return s.Run();
    }

    private static StageOutputs Prompts(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        int width = config.DModel, grid = config.ImageSize / 16;
        if (c.Size("image_size") != config.ImageSize) throw c.Golden.Bad("has another image_size than its model");
        var s = new StageGraph(c);
        var prompts = new PromptEncoder(s.Weights, config);
        PointPrompt[] points = PromptInputs.Points(c);
        int rows = PromptEncoder.SparseRows(points.Length, language: false);
        var sparse = new float[rows * width];
        prompts.EncodeSparse(points, [], sparse);

        GoldenTensor logits = c.In("mask_logits").Expect(4 * grid, 4 * grid);
        Tensor mask = s.Input("mask_logits", new Shape(4 * grid, 4 * grid, 1), logits.Floats);
        return s.OutMap("dense", PromptEncoder.Dense(s.Builder, mask, s.Weights, width)).Run()
            .Add("sparse", sparse, rows, width)
            .Add("image_pe", ChannelsFirst.FromEngine(Computed.Values(prompts.ImagePosition(s.Builder, grid)), width), width, grid, grid);
    }

    private static StageOutputs TwoWay(StageContext c)
    {
        var s = new StageGraph(c);
        (Tensor queries, Tensor keys) =
            TwoWayTransformer.Layer(s.Builder, s.Rows("queries"), s.Rows("keys"), s.Rows("query_pe"), s.Rows("key_pe"),
            s.Weights, c.Config.Grounding.MaskDecoderFfn, c.Golden.Params.Flag("first", false));
        return s.Out("queries", queries).Out("keys", keys).Run();
    }

    private static StageOutputs TwoWayWhole(StageContext c)
    {
        var s = new StageGraph(c);
        (Tensor queries, Tensor keys) =
            TwoWayTransformer.Record(s.Builder, s.Rows("src"), s.Rows("pe"), s.Rows("tokens"), s.Weights,
            c.Config.Grounding.MaskDecoderFfn);
        return s.Out("queries", queries).Out("keys", keys).Run();
    }

    private static StageOutputs DecoderAttention(StageContext c)
    {
        var s = new StageGraph(c);
        Tensor q = s.Rows("q");
        return s.Out("y", TwoWayTransformer.Attention(s.Builder, q, s.Rows("k"), s.Rows("v"), s.Weights, q.Shape.Last / 2)).Run();
    }

    private static StageOutputs MemoryAttentionLayer(StageContext c)
    {
        var s = new StageGraph(c);
        Tensor x = s.Rows("x"), memory = s.Rows("mem"), position = s.Rows("mem_pos");
        int grid = c.Golden.Params.Int("grid", 1, 1024), rows = memory.Shape[0], pointers = c.Golden.Params.Int("pointer_rows", 0, rows);
        GraphBuilder g = s.Builder;
        // Pointers come last and have no position.
        var all = new MemoryRows(memory, g.Add(g.SliceRows(memory, 0, rows - pointers), g.SliceRows(position, 0, rows - pointers)),
            pointers == 0 ? null : g.SliceRows(memory, rows - pointers, pointers));
        AxialCode code = AxialCode.Create(g, grid, x.Shape.Last);
        return s.Out("y", MemoryAttention.Layer(g, x, all, ObjectBatch.One, code, s.Weights, c.Config.Grounding.MemoryAttentionFfn)).Run();
    }

    private static StageOutputs MaskDownsampler(StageContext c)
    {
        var s = new StageGraph(c);
        return s.OutMap("y", MemoryEncoder.Downsample(s.Builder, s.Map("x"), s.Weights, c.Config.Grounding.DModel)).Run();
    }

    private static StageOutputs CxBlock(StageContext c)
    {
        var s = new StageGraph(c);
        return s.OutMap("y", MemoryEncoder.CxBlock(s.Builder, s.Map("x"), s.Weights)).Run();
    }
}

/// <summary>Prompts as golden files hold them.</summary>
internal static class PromptInputs
{
    /// <summary>in.points [k, 2] with in.labels [k]; none when the file has none.</summary>
    public static PointPrompt[] Points(StageContext c)
    {
        if (!c.Golden.HasInput("points")) return [];
        GoldenTensor points = c.In("points");
        int count = points.DimsOf(2)[0];
        points.Expect(count, 2);
        long[] labels = c.In("labels").Expect(count).Integers;
        if (count > FramePrompt.MaxSparse - 2) throw c.Golden.Bad($"has {count} points");
        var prompts = new PointPrompt[count];
        for (int i = 0; i < count; i++)
        {
            if (labels[i] is < -1 or > 3) throw c.Golden.Bad($"has the point label {labels[i]}");
            prompts[i] = new PointPrompt(points.Floats[2 * i], points.Floats[2 * i + 1], (PointLabel)labels[i]);
        }
        return prompts;
    }
}
