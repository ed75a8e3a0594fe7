namespace Sa2VA.Core;

/// <summary>
/// A map [H, W, C] copied from raster order into <see cref="ZOrder"/> or back, as its result says. No network records it; a pass that a
/// backend may ask for does (<see cref="GraphPasses.ZOrdered"/>).
/// </summary>
public sealed class Reorder : Op
{
    internal Reorder(Tensor x) => Inputs = [x];
}
