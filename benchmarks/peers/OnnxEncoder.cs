using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Peers;

/// <summary>
/// SAM 2's image encoder (docs/model/image-encoder.md) as ONNX: pixels [1, 3, S, S] → f, s0 and s1, channels last. Sides that windows do
/// not divide are refused: the released sizes have none.
/// </summary>
internal static class OnnxEncoder
{
    private const float Epsilon = 1e-6f;

    public static void Write(string file, IWeightSource weights, GroundingConfig config, string prefix)
    {
        using var g = new OnnxGraph(file);
        var w = new OnnxLayers(g, weights, prefix);
        OnnxLayers trunk = w.At("image_encoder.trunk"), neck = w.At("image_encoder.neck");
        int side = config.ImageSize / 4;
        string pixels = g.Input("pixels", 1, 3, config.ImageSize, config.ImageSize);
        string x = trunk.Convolution(pixels, "patch_embed.proj", stride: 4, padding: 3);
        x = trunk.Add(trunk.Transpose(x, 0, 2, 3, 1), Positions(trunk, side));
        var layout = new HieraLayout(config);
        List<string> stages = [];
        for (int i = 0; i < layout.Blocks.Count; i++)
        {
            x = Block(trunk.At($"blocks.{i}"), x, layout.Blocks[i], side);
            if (layout.Blocks[i].Pool) side /= 2;
            if (layout.StageEnds.Contains(i)) stages.Add(x);
        }

        string top = Lateral(neck, stages, 3);
        string up = g.Node("Resize", [top, "", "", g.Integers(1, 2 * side, 2 * side, config.DModel)],
            ("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor"));
        OnnxLayers decoder = w.At(MaskDecoder.Name);
        g.Output(w.Add(Lateral(neck, stages, 2), up), 1, 2 * side, 2 * side, config.DModel);
        g.Output(decoder.Linear(Lateral(neck, stages, 0), "conv_s0"), 1, 8 * side, 8 * side, config.DModel / 8);
        g.Output(decoder.Linear(Lateral(neck, stages, 1), "conv_s1"), 1, 4 * side, 4 * side, config.DModel / 4);
        g.Save();
    }

    private static string Lateral(OnnxLayers neck, List<string> stages, int level) => neck.Linear(stages[level], $"convs.{3 - level}.conv");

    private static string Positions(OnnxLayers trunk, int grid)
    {
        Weight coarse = trunk.Stored("pos_embed"), tile = trunk.Stored("pos_embed_window");
        int channels = coarse.Shape[1];
        var table = new float[grid * grid * channels];
        HieraPosition.Fill(table, coarse, tile, grid);
        return trunk.Graph.Weight(table, 1, grid, grid, channels);
    }

    private static string Block(OnnxLayers w, string x, HieraBlock block, int side)
    {
        string n = w.Norm(x, "norm1", Epsilon);
        int after = block.Pool ? side / 2 : side;
        string shortcut = block.Pool ? Pooled(w, w.Linear(n, "proj"), 1, side, block.OutDim) : x;
        string attended = block.Window == 0 ? Whole(w, n, block, side) : Windowed(w, n, block, side);
        x = w.Add(shortcut, w.Reshape(w.Linear(attended, "attn.proj"), 1, after, after, block.OutDim));
        string hidden = w.Gelu(w.Linear(w.Norm(x, "norm2", Epsilon), "mlp.layers.0"));
        return w.Add(x, w.Linear(hidden, "mlp.layers.1"));
    }

    private static string Whole(OnnxLayers w, string n, HieraBlock block, int side)
    {
        string[] qkv = w.Thirds(w.Linear(w.Reshape(n, 1, side * side, block.InDim), "attn.qkv"), block.OutDim);
        return w.Attention(qkv[0], qkv[1], qkv[2], block.Heads);
    }

    private static string Windowed(OnnxLayers w, string n, HieraBlock block, int side)
    {
        int size = block.Window, along = side / size, count = along * along;
        if (along * size != side) throw new NotSupportedException($"Windows of {size} do not divide a side of {side}.");
        n = w.Transpose(w.Reshape(n, along, size, along, size, block.InDim), 0, 2, 1, 3, 4);
        string[] qkv = w.Thirds(w.Linear(w.Reshape(n, count, size * size, block.InDim), "attn.qkv"), block.OutDim);
        int left = block.Pool ? size / 2 : size;
        string q = qkv[0];
        if (block.Pool)
        {
            q = Pooled(w, w.Reshape(q, count, size, size, block.OutDim), count, size, block.OutDim);
            q = w.Reshape(q, count, left * left, block.OutDim);
        }
        string attended = w.Attention(q, qkv[1], qkv[2], block.Heads);
        return w.Transpose(w.Reshape(attended, along, along, left, left, block.OutDim), 0, 2, 1, 3, 4);
    }

    /// <summary>The largest of each 2×2 of [batch, side, side, channels].</summary>
    private static string Pooled(OnnxLayers w, string x, int batch, int side, int channels)
    {
        x = w.Reshape(x, batch, side / 2, 2, side / 2, 2, channels);
        return w.Graph.Node("ReduceMax", [x, w.Graph.Integers(2, 4)], ("keepdims", 0));
    }
}
