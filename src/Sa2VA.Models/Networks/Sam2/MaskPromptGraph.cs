using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A mask prompt's logits → dense prompt.</summary>
internal sealed class MaskPromptGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="height">Of the mask; resampled to 4G when it differs.</param>
    /// <param name="width">Of the mask.</param>
    public MaskPromptGraph(IWeightSource weights, string prefix, GroundingConfig config, int height, int width)
    {
        var g = new GraphBuilder("mask prompt", weights);
        int grid = config.ImageSize / 16, side = 4 * grid;
        Mask = g.Input("mask", DType.F32, new Shape(height, width, 1));
        Tensor mask = height == side && width == side ? Mask : g.Resize(Mask, side, side, ResizeMode.BilinearAntialias);
        Tensor dense = PromptEncoder.Dense(g, mask, g.At(prefix).At("sam_prompt_encoder"), config.DModel);
        Dense = g.Output("dense", g.Reshape(dense, new Shape(grid * grid, config.DModel)));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>Logits [height, width, 1].</summary>
    public Tensor Mask { get; }

    /// <summary>[G², D].</summary>
    public Tensor Dense { get; }
}
