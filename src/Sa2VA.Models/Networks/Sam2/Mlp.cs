using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// SAM 2's three-layer perceptron with ReLU in between: hypernetworks, heads and the pointer's projection. It has a few rows and decides
/// which mask is chosen and whether there is one.
/// </summary>
internal static class Mlp
{
    private const int Layers = 3;

    /// <summary>Records <c>layers.0…2</c>.</summary>
    public static Tensor Record(GraphBuilder g, Tensor x, WeightScope w, int hidden, int outWidth)
    {
        using GraphBuilder.FloatScope _ = g.KeepFloat();
        for (int i = 0; i < Layers; i++)
        {
            bool end = i == Layers - 1;
            x = g.Linear(x, w.At("layers").At(i), end ? outWidth : hidden, end ? Activation.None : Activation.Relu);
        }
        return x;
    }
}
