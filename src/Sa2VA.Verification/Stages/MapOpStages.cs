using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>Single ops on maps: convolutions, pooling, resampling, position tables, windows.</summary>
internal static class MapOpStages
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("op.layer_norm_2d", c => Maps(c, (g, x) => g.LayerNorm(x, g.At(""), (float)c.Golden.Params.Number("eps", 0, 1))));
        stages.Add("op.conv2d", Convolution);
        stages.Add("op.conv_transpose2d",
            c => Maps(c, (g, x) => g.ConvTranspose2d(x, g.At(""), g.Weight("weight").Shape[1], bias: g.HasWeight("bias"))));
        stages.Add("op.max_pool2x2", c => Maps(c, (g, x) => g.MaxPool2d(x)));
        stages.Add("op.interpolate_bilinear",
            c => Resize(c, c.Golden.Params.Flag("antialias", false) ? ResizeMode.BilinearAntialias : ResizeMode.Bilinear));
        stages.Add("op.interpolate_bicubic", c => Resize(c, ResizeMode.Bicubic));
        stages.Add("op.interpolate_nearest2x", c => Maps(c, (g, x) => g.Resize(x, 2 * x.Shape[0], 2 * x.Shape[1], ResizeMode.Nearest)));
        stages.Add("op.interpolate_nearest", RegionCells);
        stages.Add("op.sine_position", SineTable);
        stages.Add("op.fourier_position", Fourier);
        stages.Add("op.pixel_shuffle", Shuffle);
        stages.Add("op.window_partition", Windows);
    }

    /// <summary>in.x [C, h, w] → out.y [C', h', w'].</summary>
    private static StageOutputs Maps(StageContext c, params Span<Func<GraphBuilder, Tensor, Tensor>> kernels)
    {
        (Shape shape, float[] values) = ChannelsFirst.ToEngine(c.In("x"));
        GraphBuilder g = c.Graph();
        Tensor x = g.Input("x", DType.F32, shape);
        var results = new Tensor[kernels.Length];
        for (int i = 0; i < results.Length; i++) results[i] = g.Output(FormattableString.Invariant($"y{i}"), kernels[i](g, x));
        using var run = new GraphRun(c, g.Build());
        run.Write(x, values).Execute();
        var outputs = new StageOutputs();
        for (int i = 0; i < results.Length; i++)
        {
            Shape s = results[i].Shape;
            float[] y = ChannelsFirst.FromEngine(run.Floats(results[i]), s.Last);
            if (i == 0) outputs.Add("y", y, s.Last, s[0], s[1]);
            else outputs.AddVariant("y", "linear", y, s.Last, s[0], s[1]);
        }
        return outputs;
    }

    private static StageOutputs Resize(StageContext c, ResizeMode mode)
    {
        int height = c.Size("height"), width = c.Size("width");
        c.CheckCount(height, width, c.In("x").DimsOf(3)[0]);
        return Maps(c, (g, x) => g.Resize(x, height, width, mode));
    }

    private static StageOutputs Convolution(StageContext c)
    {
        int kernel = c.Golden.Params.Int("kernel", 1, 64), stride = c.Golden.Params.Int("stride", 1, 64),
            padding = c.Golden.Params.Int("padding", 0, 64);
        int groups = c.Golden.Params.Int("groups", 1, 1 << 16, 1), channels = c.In("x").DimsOf(3)[0];
        if (groups > 1)
        {
            if (groups != channels || stride != 1 || padding != kernel / 2)
                throw c.Golden.Bad("asks for a grouped convolution that is not depthwise");
            return Maps(c, (g, x) => g.DepthwiseConv2d(x, g.At(""), kernel, g.HasWeight("bias")));
        }
        // The networks record 1×1 convolutions as linear layers: both kernels must agree.
        Tensor Direct(GraphBuilder g, Tensor x) =>
            g.Conv2d(x, g.At(""), g.Weight("weight").Shape[0], kernel, stride, padding, g.HasWeight("bias"));
        return kernel == 1 && stride == 1 && padding == 0
            ? Maps(c, Direct, (g, x) => g.Linear(x, g.Weight("weight"), g.HasWeight("bias") ? g.Weight("bias") : null))
            : Maps(c, Direct);
    }

    /// <summary>Masks [n, h, w] of 0 and 1 brought to the cells of the token grid; also by the resampling op.</summary>
    private static StageOutputs RegionCells(StageContext c)
    {
        GoldenTensor x = c.In("x");
        int[] d = x.DimsOf(3);
        int height = c.Size("height"), width = c.Size("width");
        c.CheckCount(height, width, d[0]);
        if (height != width) throw c.Golden.Bad("asks for cells that are no square grid");
        byte[] pixels = x.Bytes();
        int area = d[1] * d[2];
        var cells = new long[d[0] * height * width];
        for (int i = 0; i < d[0]; i++)
        {
            Mask mask = RegionGrid.Cells(new Mask(d[2], d[1], pixels.AsSpan(i * area, area).ToArray()), height);
            for (int p = 0; p < mask.Pixels.Length; p++) cells[i * height * width + p] = mask.Pixels[p];
        }

        GraphBuilder g = c.Graph();
        Tensor input = g.Input("x", DType.F32, new Shape(d[1], d[2], d[0]));
        Tensor y = g.Output("y", g.Resize(input, height, width, ResizeMode.Nearest));
        using var run = new GraphRun(c, g.Build());
        run.Write(input, ChannelsFirst.ToEngine(Array.ConvertAll(pixels, v => (float)v), d[0], area)).Execute();
        long[] resized = Array.ConvertAll(ChannelsFirst.FromEngine(run.Floats(y), d[0]), v => (long)v);
        return new StageOutputs().Add("y", cells, d[0], height, width).AddVariant("y", "resize", resized, d[0], height, width);
    }

    private static StageOutputs SineTable(StageContext c)
    {
        int channels = c.Size("channels"), height = c.Size("height"), width = c.Size("width");
        c.CheckCount(channels, height, width);
        if (channels % 2 != 0) throw c.Golden.Bad($"asks for a sine code of {channels} channels, which is odd");
        float[] code = Computed.Values(height * width * channels, to => SinePosition.Fill(to, height, width, channels));
        return new StageOutputs().Add("pe", ChannelsFirst.FromEngine(code, channels), channels, height, width);
    }

    private static StageOutputs Fourier(StageContext c)
    {
        GraphBuilder g = c.Graph();
        int channels = 2 * g.Weight("positional_encoding_gaussian_matrix").Shape.Last, height = c.Size("height"), width = c.Size("width");
        c.CheckCount(channels, height, width);
        var position = new FourierPosition(g.At(""), channels);
        GoldenTensor points = c.In("points");
        int count = points.DimsOf(2)[0];
        float side = c.Size("image_size");
        points.Expect(count, 2);
        var codes = new float[count * channels];
        for (int i = 0; i < count; i++)
            position.Encode((points.Floats[2 * i] + 0.5f) / side, (points.Floats[2 * i + 1] + 0.5f) / side,
                codes.AsSpan(i * channels, channels));
        float[] grid = Computed.Values(height * width * channels, to => position.Fill(to, height, width));
        return new StageOutputs().Add("pe", ChannelsFirst.FromEngine(grid, channels), channels, height, width)
            .Add("points", codes, count, channels);
    }

    private static StageOutputs Shuffle(StageContext c)
    {
        GoldenTensor input = c.In("x");
        bool transposed = c.Golden.Params.Text("version") switch
        {
            "v1" => true,
            "v2" => false,
            string other => throw c.Golden.Bad($"asks for pixel shuffle '{other}'"),
            null => throw c.Golden.Bad("names no pixel shuffle version"),
        };
        GraphBuilder g = c.Graph();
        Tensor x = g.Input("x", DType.F32, input.Shape);
        Tensor y = g.Output("y", g.PixelShuffle(x, transposed));
        using var run = new GraphRun(c, g.Build());
        run.Write(x, input.Floats).Execute();
        return new StageOutputs().Add("y", run.Floats(y), y.Shape.ToArray());
    }

    /// <summary>
    /// The engine never makes windows: its attention kernel walks them in place (block.hiera checks that). Here the index arithmetic of the
    /// definition drives <see cref="Gather"/>, whose negative indices are the zero padding.
    /// </summary>
    private static StageOutputs Windows(StageContext c)
    {
        GoldenTensor input = c.In("x");
        int[] d = input.DimsOf(3);
        (int height, int width, int channels) = (d[0], d[1], d[2]);
        int side = c.Golden.Params.Int("window", 1, 1024);
        int across = (width + side - 1) / side, windows = (height + side - 1) / side * across, area = side * side;
        c.CheckCount(windows, side, side, channels);
        var from = new int[windows * area];
        var back = new int[height * width];
        for (int i = 0; i < from.Length; i++)
        {
            int y = i / area / across * side + i % area / side, x = i / area % across * side + i % side;
            from[i] = y < height && x < width ? y * width + x : -1;
            if (from[i] >= 0) back[from[i]] = i;
        }

        GraphBuilder g = c.Graph();
        Tensor map = g.Input("x", DType.F32, new Shape(height * width, channels));
        Tensor fromIndex = g.Input("from", DType.I32, new Shape(from.Length)),
            backIndex = g.Input("back", DType.I32, new Shape(back.Length));
        Tensor parts = g.Gather(map, fromIndex);
        Tensor restored = g.Output("restored", g.Gather(parts, backIndex));
        Tensor partsOut = g.Output("windows", parts);
        using var run = new GraphRun(c, g.Build());
        run.Write(map, input.Floats).Write(fromIndex, from).Write(backIndex, back).Execute();
        return new StageOutputs().Add("windows", run.Floats(partsOut), windows, side, side, channels)
            .Add("back", run.Floats(restored), height, width, channels);
    }
}
