using Sa2VA.Core;

namespace Sa2VA.Peers;

/// <summary>
/// Layers of the networks as ONNX nodes, with the weights of a checkpoint. Attention is ONNX Runtime's own operator, which has a flash
/// kernel for CPUs, and not the products and the softmax that an export has.
/// </summary>
internal sealed class OnnxLayers(OnnxGraph graph, IWeightSource weights, string prefix)
{
    private readonly GraphBuilder _names = new("ONNX", weights);

    public OnnxGraph Graph => graph;

    /// <summary>The layers below a name.</summary>
    public OnnxLayers At(string name) => new(graph, weights, $"{prefix}.{name}");

    /// <summary>A stored weight's values and shape.</summary>
    public Weight Stored(string name) => _names.Weight($"{prefix}.{name}");

    /// <summary>A weight as it is stored.</summary>
    public string Weight(string name)
    {
        Weight stored = Stored(name);
        return graph.Weight(stored.ReadValues(), stored.Shape.ToArray());
    }

    /// <summary>x·Wᵀ + b on the last axis; convolutions of 1×1 too, since channels come last here.</summary>
    public string Linear(string x, string name)
    {
        Weight stored = Stored($"{name}.weight");
        int outputs = stored.Shape[0], inputs = (int)(stored.Shape.Count / outputs);
        string w = graph.Weight(Numbers.Transposed(stored.ReadValues(), outputs, inputs), inputs, outputs);
        return Add(graph.Node("MatMul", [x, w]), Weight($"{name}.bias"));
    }

    public string Norm(string x, string name, float epsilon) => graph.Node("LayerNormalization",
        [x, Weight($"{name}.weight"), Weight($"{name}.bias")], ("axis", -1), ("epsilon", epsilon));

    public string Gelu(string x) => graph.Node("Gelu", [x], ("approximate", "none"));

    public string Add(string a, string b) => graph.Node("Add", [a, b]);

    public string Multiply(string a, string b) => graph.Node("Mul", [a, b]);

    public string Reshape(string x, params long[] shape) => graph.Node("Reshape", [x, graph.Integers(shape)]);

    public string Transpose(string x, params int[] axes) => graph.Node("Transpose", [x], ("perm", axes));

    /// <summary>The last axis in three.</summary>
    public string[] Thirds(string x, int each) => graph.Node("Split", [x, graph.Integers(each, each, each)], 3, "", ("axis", -1));

    /// <summary>Attention of [batch, tokens, channels].</summary>
    public string Attention(string q, string k, string v, int heads) =>
        graph.Node("MultiHeadAttention", [q, k, v], 1, OnnxGraph.Microsoft, ("num_heads", heads))[0];

    /// <summary>A convolution of a picture with channels first.</summary>
    public string Convolution(string x, string name, int stride, int padding) => graph.Node("Conv",
        [x, Weight($"{name}.weight"), Weight($"{name}.bias")], ("strides", new[] { stride, stride }),
        ("pads", new[] { padding, padding, padding, padding }));
}
