using System.Text.Json;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>
/// Which elements of an output a golden file stores (docs/model/verification.md#sampled-outputs): all, every k-th of the flattened tensor,
/// or every k-th along each dimension.
/// </summary>
internal sealed class OutputSampling
{
    private const int MaxExtent = 1 << 30;

    private OutputSampling(int flatStride, int[]? steps, int[]? shape) => (FlatStride, Steps, Shape) = (flatStride, steps, shape);

    /// <summary>Step through the flattened tensor; 1 when all is stored.</summary>
    public int FlatStride { get; }

    /// <summary>Step of each dimension, or null.</summary>
    public int[]? Steps { get; }

    /// <summary>Extents of the whole tensor where they are recorded.</summary>
    public int[]? Shape { get; }

    /// <param name="fields">The file's params.</param>
    /// <param name="root">The same as parsed.</param>
    /// <param name="name">Tensor, such as <c>out.y</c>.</param>
    public static OutputSampling Read(ConfigFields fields, JsonElement root, string name)
    {
        int[]? shape = null;
        if (fields.Object("out_shape") is { } shapes)
        {
            IReadOnlyList<int> dims = shapes.Ints(name, 1, MaxExtent, 1, 4, []);
            if (dims.Count > 0) shape = [.. dims];
        }
        if (fields.Object("out_stride") is not { } strides) return new OutputSampling(1, null, shape);
        bool list = root.GetProperty("out_stride").TryGetProperty(name, out JsonElement stride) && stride.ValueKind == JsonValueKind.Array;
        return list
            ? new OutputSampling(1, [.. strides.Ints(name, 1, MaxExtent, 1, 4, [])], shape)
            : new OutputSampling(strides.Int(name, 1, MaxExtent, 1), null, shape);
    }

    /// <summary>Why a whole tensor of these extents does not give the stored one; null when it does.</summary>
    public string? Mismatch(int[] whole, IReadOnlyList<int> stored)
    {
        int[] expected = Shape ?? (Steps is null && FlatStride == 1 ? [.. stored] : whole);
        if (!whole.AsSpan().SequenceEqual(expected)) return $"shape [{string.Join(", ", whole)}], expected [{string.Join(", ", expected)}]";
        int[] sampled = SampledDims(whole);
        return sampled.SequenceEqual(stored) || (FlatStride == 1 && Steps is null && Count(sampled) == Count(stored) && stored.Count == 1)
            ? null
            : $"shape [{string.Join(", ", whole)}], whose stored part would be [{string.Join(", ", sampled)}] "
                + $"and is [{string.Join(", ", stored)}]";
    }

    /// <summary>The stored elements of a whole tensor.</summary>
    public T[] Sample<T>(T[] values, int[] dims)
    {
        if (Steps is null)
        {
            if (FlatStride == 1) return values;
            var picked = new T[(values.Length + FlatStride - 1) / FlatStride];
            for (int i = 0; i < picked.Length; i++) picked[i] = values[i * FlatStride];
            return picked;
        }
        int[] sampled = SampledDims(dims);
        var part = new T[Count(sampled)];
        for (int i = 0; i < part.Length; i++)
        {
            long index = 0, rest = i, scale = 1;
            for (int d = dims.Length - 1; d >= 0; d--)
            {
                index += rest % sampled[d] * Steps[d] * scale;
                rest /= sampled[d];
                scale *= dims[d];
            }
            part[i] = values[index];
        }
        return part;
    }

    private int[] SampledDims(int[] whole)
    {
        if (Steps is null) return FlatStride == 1 ? whole : [(int)((Count(whole) + FlatStride - 1) / FlatStride)];
        if (Steps.Length != whole.Length) return [];
        var dims = new int[whole.Length];
        for (int d = 0; d < dims.Length; d++) dims[d] = (whole[d] + Steps[d] - 1) / Steps[d];
        return dims;
    }

    private static long Count(IReadOnlyList<int> dims)
    {
        long count = 1;
        foreach (int d in dims) count *= d;
        return count;
    }
}
