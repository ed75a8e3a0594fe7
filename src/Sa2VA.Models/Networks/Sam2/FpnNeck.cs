using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The pyramid neck (docs/model/image-encoder.md#neck): 1×1 convolutions, numbered from the coarsest level, and one top-down step.
/// </summary>
internal static class FpnNeck
{
    /// <summary>
    /// Records levels 0…3 [.., .., D] from the trunk's stages, finest first. Only level 2 takes part of the level above it.
    /// </summary>
    public static Tensor[] Levels(GraphBuilder g, Tensor[] stages, WeightScope w, int width)
    {
        Tensor[] levels = new Tensor[4];
        levels[3] = g.Pointwise(stages[3], Lateral(w, 3), width);
        Tensor up = g.Resize(levels[3], stages[2].Shape[0], stages[2].Shape[1], ResizeMode.Nearest);
        levels[2] = g.Pointwise(stages[2], Lateral(w, 2), width, residual: up);
        levels[1] = g.Pointwise(stages[1], Lateral(w, 1), width);
        levels[0] = g.Pointwise(stages[0], Lateral(w, 0), width);
        return levels;
    }

    private static WeightScope Lateral(WeightScope w, int level) => w.At("convs").At(3 - level).At("conv");
}
