using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>The SAM 2 half's graphs as the engine runs them, one frame each.</summary>
internal static class SamNetworkStages
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("net.image_encoder", Encoder);
        stages.Add("net.mask_decoder", MaskDecoderOutputs);
        stages.Add("net.mask_as_output", MaskAsOutput);
        stages.Add("net.memory_encoder", EncodeMemory);
    }

    private static StageOutputs Encoder(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        int side = config.ImageSize, grid = side / 16, width = config.DModel;
        bool levels = c.Golden.HasInput("image_u8");
        var graph = new WholeEncoderGraph(c, c.Prefix, levels);
        using var run = new GraphRun(c, graph.Graph);
        if (levels) run.Write(graph.Image, c.In("image_u8").Expect(side, side, 3).Bytes());
        else run.Write(graph.Image, ChannelsFirst.ToEngine(c.In("image").Expect(1, 3, side, side).Floats, 3, side * side));
        run.Execute();

        var outputs = new StageOutputs();
        for (int i = 0; i < graph.Stages.Length; i++) AddMap(FormattableString.Invariant($"c{i + 1}"), graph.Stages[i]);
        AddMap("s0", graph.High.S0);
        AddMap("s1", graph.High.S1);
        float[] f = run.Floats(graph.F);
        return outputs.Add("f", f, grid * grid, width).Add("l2", ChannelsFirst.FromEngine(f, width), width, grid, grid)
            .Add("pos", Computed.Values(grid * grid * width, to => SinePosition.Fill(to, grid, grid, width)), grid * grid, width);

        void AddMap(string name, Tensor map) =>
            outputs.Add(name, ChannelsFirst.FromEngine(run.Floats(map), map.Shape.Last), map.Shape.Last, map.Shape[0], map.Shape[1]);
    }

    private static StageOutputs MaskDecoderOutputs(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        CheckImageSize(c);
        int width = config.DModel, side = config.ImageSize / 4;
        PromptEncoder prompts = PromptsOf(c);
        PointPrompt[] points = PromptInputs.Points(c);
        float[] seg = c.Golden.HasInput("seg") ? c.In("seg").Expect(width).Floats : [];
        int rows = PromptEncoder.SparseRows(points.Length, seg.Length > 0);
        var sparse = new float[rows * width];
        prompts.EncodeSparse(points, seg, sparse);
        float[]? dense = c.Golden.HasInput("mask_logits") ? DensePrompt(c) : null;

        // The recorded features know of their memory already, and all four candidates are recorded.
        GraphBuilder g = c.Graph();
        FrameInputs frame = FrameInputs.Declare(g, config);
        var prompt = new FramePrompt(g, config, dense is not null);
        DecodedMask mask = prompt.Decode(g, frame.F, frame.High, prompts, c.Scope(g), config, c.Golden.Params.Flag("multimask", true));
        Tensor candidates = g.Output("masks", mask.Masks);
        MaskOutputs decoded = MaskOutputs.Declare(g, mask);
        using var run = new GraphRun(c, g.Build());
        FrameMaps.Write(c, run, frame, "pix");
        run.Write(prompt.Sparse, sparse);
        if (prompt.Dense is not null) run.Write(prompt.Dense, dense!);
        prompt.SetSparse(run.Bound, rows);
        run.Execute();
        return new StageOutputs().Add("masks", run.Floats(candidates), 4, side, side).Add("ious", run.Floats(decoded.Ious), 4)
            .Add("object_logit", run.Floats(decoded.ObjectLogit), 1).Add("selected_index", [(long)run.Floats(decoded.Selected)[0]], 1)
            .Add("ptr", run.Floats(decoded.Pointer), width);
    }

    private static float[] DensePrompt(StageContext c)
    {
        GoldenTensor mask = c.In("mask_logits");
        int[] d = mask.DimsOf(2);
        var graph = new MaskPromptGraph(c.Weights, c.Prefix, c.Config.Grounding, d[0], d[1]);
        using var run = new GraphRun(c, graph.Graph);
        return run.Write(graph.Mask, mask.Floats).Execute().Floats(graph.Dense);
    }

    private static StageOutputs MaskAsOutput(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        CheckImageSize(c);
        int side = config.ImageSize;
        byte[] mask = c.In("mask").Expect(side, side).Bytes();
        float any = mask.AsSpan().IndexOfAnyExcept((byte)0) >= 0 ? 1 : 0;
        var graph = new MaskAsOutputGraph(c.Weights, c.Prefix, config, PromptsOf(c));
        using var run = new GraphRun(c, graph.Graph);
        FrameMaps.Write(c, run, graph.Frame, "f");
        run.Write(graph.Mask, Array.ConvertAll(mask, v => (float)v)).Write(graph.AnyInside, [any]).Execute();
        // The object's logit follows from the mask alone: ±10.
        return new StageOutputs().Add("low", run.Floats(graph.Low), side / 4, side / 4).Add("ptr", run.Floats(graph.Pointer), config.DModel)
            .Add("object_logit", [20 * any - 10], 1);
    }

    private static StageOutputs EncodeMemory(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        CheckImageSize(c);
        int grid = config.ImageSize / 16, tokens = grid * grid, memDim = config.MemDim;
        BankPools pools = BankPools.For(1, conditioningFrames: 1, unrounded: true);
        var graph = new MemoryEncoderGraph(c.Weights, c.Prefix, config, pools);
        using var run = new GraphRun(c, graph.Graph);
        run.Write(graph.F, c.In("f").Expect(tokens, config.DModel).Floats).Write(graph.Low, c.In("low").Expect(4 * grid, 4 * grid).Floats)
            .Set(graph.Bank.MemorySlots, [0]).Set(graph.Bank.PointerSlots, [0]).Execute();
        float[] position = Computed.Values(tokens * memDim, to => SinePosition.Fill(to, grid, grid, memDim));
        return new StageOutputs().Add("mem", run.Floats(graph.Bank.Unrounded!, 0, tokens * memDim), tokens, memDim)
            .Add("mem_pos", position, tokens, memDim);
    }

    private static PromptEncoder PromptsOf(StageContext c) => new(c.Scope(c.Graph()).At("sam_prompt_encoder"), c.Config.Grounding);

    private static void CheckImageSize(StageContext c)
    {
        if (c.Size("image_size") != c.Config.Grounding.ImageSize) throw c.Golden.Bad("has another image_size than its model");
    }
}

/// <summary>A frame's features as golden files hold them.</summary>
internal static class FrameMaps
{
    /// <summary>Fills a graph's frame inputs: tokens [G², D] from the named input, in.s0 and in.s1 from channels-first maps.</summary>
    public static void Write(StageContext c, GraphRun run, FrameInputs frame, string tokens)
    {
        run.Write(frame.F, c.In(tokens).Expect(frame.F.Shape.ToArray()).Floats);
        Map("s0", frame.High.S0);
        Map("s1", frame.High.S1);

        void Map(string name, Tensor tensor)
        {
            (Shape shape, float[] values) = ChannelsFirst.ToEngine(c.In(name));
            if (shape != tensor.Shape) throw c.Golden.Bad($"has '{name}' as {shape}, {tensor.Shape} is needed");
            run.Write(tensor, values);
        }
    }
}
