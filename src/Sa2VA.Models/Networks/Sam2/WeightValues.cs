using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Stored weights that are needed as numbers while a graph is recorded: position tables and prompt embeddings.</summary>
internal static class WeightValues
{
    /// <summary>All elements, row-major, widened to F32.</summary>
    public static unsafe float[] ReadValues(this Weight weight)
    {
        var values = new float[weight.Info.Shape.Count];
        using WeightData data = weight.Source.Open(weight.Name);
        switch (weight.Info.Type)
        {
            case DType.F32:
                new ReadOnlySpan<float>(data.Pointer, values.Length).CopyTo(values);
                break;
            case DType.F16:
                var halves = new ReadOnlySpan<Half>(data.Pointer, values.Length);
                for (int i = 0; i < values.Length; i++) values[i] = (float)halves[i];
                break;
            default:
                var upper = new ReadOnlySpan<BFloat16>(data.Pointer, values.Length);
                for (int i = 0; i < values.Length; i++) values[i] = upper[i].ToSingle();
                break;
        }
        return values;
    }
}
