using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>What happens to pixels before the networks, and to mask logits behind them.</summary>
internal static class PreprocessStages
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("op.pil_bicubic", Bicubic);
        stages.Add("net.preprocess_grounding", Grounding);
        stages.Add("net.tiling", Tiling);
        stages.Add("net.video_frame", VideoFrame);
        stages.Add("net.mask_postprocess", MaskPostprocess);
    }

    private static StageOutputs Bicubic(StageContext c)
    {
        RgbImage x = Image(c.In("x")), y = PillowBicubic.Resize(x, c.Size("width"), c.Size("height"));
        GraphBuilder g = c.Graph();
        Tensor picture = g.Input("x", DType.U8, new Shape(x.Height, x.Width, 3));
        Tensor resized = g.Output("y", g.PillowResize(picture, y.Height, y.Width));
        using var run = new GraphRun(c, g.Build());
        byte[] levels = run.Write(picture, x.Pixels).Execute().Bytes(resized);
        return new StageOutputs().Add("y", Levels(y), y.Height, y.Width, 3)
            .AddVariant("y", "as an op", Array.ConvertAll(levels, v => (long)v), y.Height, y.Width, 3);
    }

    private static StageOutputs Grounding(StageContext c)
    {
        int side = c.Size("image_size");
        RgbImage resized = PillowBicubic.Resize(Image(c.In("image_u8")), side, side);
        return new StageOutputs().Add("resized_u8", Levels(resized), side, side, 3)
            .Add("table_f32", Normalisation.GroundingF32, 3, 256)
            .Add("table_image_bf16", Normalisation.GroundingImageBf16, 3, 256)
            .Add("table_video_bf16", Normalisation.GroundingVideoBf16, 3, 256);
    }

    private static StageOutputs Tiling(StageContext c)
    {
        RgbImage image = Image(c.In("image_u8"));
        int side = c.Size("tile");
        (int columns, int rows) = DynamicTiling.Grid(image.Width, image.Height, side);
        RgbImage[] tiles = DynamicTiling.Split(image, side);
        return new StageOutputs().Add("grid", [columns, rows], 2)
            .Add("tiles_u8", [.. tiles.SelectMany(Levels)], tiles.Length, side, side, 3)
            .Add("pixel_values", [.. tiles.SelectMany(t => PixelValues(c, t))], tiles.Length, 3, side, side);
    }

    private static StageOutputs VideoFrame(StageContext c)
    {
        int side = c.Size("tile");
        return new StageOutputs().Add("pixel_values", PixelValues(c, PillowBicubic.Resize(Image(c.In("image_u8")), side, side)), 3,
            side, side);
    }

    private static StageOutputs MaskPostprocess(StageContext c)
    {
        GoldenTensor low = c.In("low");
        int side = low.DimsOf(2)[0], height = c.Size("height"), width = c.Size("width");
        low.Expect(side, side);
        c.CheckCount(height, width);
        int imageSize = c.Golden.Params.Int("image_size", 1, 4096);
        var resampler = new MaskResampler(side, imageSize);
        var logits = new float[height * width];
        var mask = new byte[height * width];
        resampler.Logits(low.Floats, height, width, logits);
        GraphBuilder g = c.Graph();
        Tensor results = g.Input("results", DType.F32, new Shape(1, side * side));
        Tensor packed = g.Output("packed", g.PackMasks(results, side, imageSize, height, width));
        using var run = new GraphRun(c, g.Build());
        long[] words = run.Write(results, low.Floats).Execute().Integers(packed);
        MaskBits.Expand(Array.ConvertAll(words[..^1], w => (int)w), width, height, mask);
        return new StageOutputs().Add("logits", logits, height, width).Add("mask", Array.ConvertAll(mask, v => (long)v), height, width);
    }

    internal static RgbImage Image(GoldenTensor pixels)
    {
        int[] d = pixels.DimsOf(3);
        return new RgbImage(d[1], d[0], pixels.Expect(d[0], d[1], 3).Bytes());
    }

    internal static long[] Levels(RgbImage image)
    {
        var levels = new long[image.Pixels.Length];
        for (int i = 0; i < levels.Length; i++) levels[i] = image.Pixels[i];
        return levels;
    }

    /// <summary>[3, t, t] by the backend's table look-up.</summary>
    private static float[] PixelValues(StageContext c, RgbImage tile)
    {
        GraphBuilder g = c.Graph();
        Tensor x = g.Input("tile", DType.U8, new Shape(tile.Height, tile.Width, 3));
        Tensor y = g.Output("pixels", g.Normalize(x, g.Constant("normalization", new Shape(3, 256), Normalisation.InternVl)));
        using var run = new GraphRun(c, g.Build());
        run.Write(x, tile.Pixels).Execute();
        return ChannelsFirst.FromEngine(run.Floats(y), 3);
    }
}
