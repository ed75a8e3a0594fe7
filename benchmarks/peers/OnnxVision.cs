using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Peers;

/// <summary>The vision tower with its projector (docs/model/vision.md) as ONNX: pixels [1, 3, t, t] → tokens [n²/4, H].</summary>
internal static class OnnxVision
{
    private const float ProjectorEpsilon = 1e-5f;

    public static void Write(string file, IWeightSource weights, InternVitConfig config)
    {
        int c = config.HiddenSize, n = config.Grid;
        using var g = new OnnxGraph(file);
        var w = new OnnxLayers(g, weights, "vision_model");
        OnnxLayers embeddings = w.At("embeddings");
        string pixels = g.Input("pixels", 1, 3, config.TileSize, config.TileSize);
        string x = embeddings.Convolution(pixels, "patch_embedding", config.PatchSize, padding: 0);
        x = w.Transpose(w.Reshape(x, 1, c, n * n), 0, 2, 1);
        x = g.Node("Concat", [embeddings.Weight("class_embedding"), x], ("axis", 1));
        x = w.Add(x, embeddings.Weight("position_embedding"));
        for (int i = 0; i < config.SelectedLayers; i++) x = Layer(w.At($"encoder.layers.{i}"), x, config);

        x = g.Node("Slice", [x, g.Integers(1), g.Integers(n * n + 1), g.Integers(1)]);
        x = w.Transpose(w.Reshape(x, n / 2, 2, n / 2, 2, c), 0, 2, 1, 3, 4);
        var projector = new OnnxLayers(g, weights, "mlp1");
        x = projector.Norm(w.Reshape(x, n * n / 4, 4 * c), "0", ProjectorEpsilon);
        x = projector.Linear(w.Gelu(projector.Linear(x, "1")), "3");
        g.Output(x, n * n / 4, projector.Stored("3.bias").Shape[0]);
        g.Save();
    }

    private static string Layer(OnnxLayers w, string x, InternVitConfig config)
    {
        string[] qkv = w.Thirds(w.Linear(w.Norm(x, "norm1", config.Epsilon), "attn.qkv"), config.HiddenSize);
        string attended = w.Linear(w.Attention(qkv[0], qkv[1], qkv[2], config.Heads), "attn.proj");
        x = w.Add(x, w.Multiply(attended, w.Weight("ls1")));
        string hidden = w.Gelu(w.Linear(w.Norm(x, "norm2", config.Epsilon), "mlp.fc1"));
        return w.Add(x, w.Multiply(w.Linear(hidden, "mlp.fc2"), w.Weight("ls2")));
    }
}
