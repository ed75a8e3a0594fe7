using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>Values of computed constants, to compare them with what a golden file holds.</summary>
internal static class Computed
{
    /// <summary>The values that a function writes.</summary>
    public static float[] Values(int count, ConstantFill fill)
    {
        var values = new float[count];
        fill(values);
        return values;
    }

    /// <summary>The values of a computed constant, row-major.</summary>
    public static float[] Values(Tensor constant) => Values(checked((int)constant.Shape.Count), constant.Data!.Fill!);
}
