using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A matrix that is stored in codes.</summary>
/// <param name="Bits">Bits of a code: 8 or 4.</param>
/// <param name="Shape">Outputs and inputs.</param>
internal readonly record struct QuantizedTensor(int Bits, Shape Shape);

/// <summary>
/// The matrices that a checkpoint stores in codes (docs/model/quantized.md): for a matrix <c>x</c> there are <c>x.int8</c> or
/// <c>x.int4</c>, and <c>x.scale</c>.
/// </summary>
internal static class QuantizedTensors
{
    private static readonly int[] AllBits = [8, 4];

    /// <summary>Name of a matrix's codes.</summary>
    public static string Codes(string matrix, int bits) => FormattableString.Invariant($"{matrix}.int{bits}");

    /// <summary>Name of its scales.</summary>
    public static string Scales(string matrix) => matrix + ".scale";

    /// <summary>Finds them among tensors; nothing is read.</summary>
    /// <param name="names">Names of all tensors.</param>
    /// <param name="weights">Tells their types and shapes.</param>
    /// <exception cref="CheckpointException">Codes have no scales, or do not fit them.</exception>
    public static Dictionary<string, QuantizedTensor> Of(IEnumerable<string> names, IWeightSource weights)
    {
        Dictionary<string, QuantizedTensor> found = new(StringComparer.Ordinal);
        foreach (string codes in names)
            foreach (int bits in AllBits)
            {
                if (!codes.EndsWith(Codes("", bits), StringComparison.Ordinal)) continue;
                string matrix = codes[..^Codes("", bits).Length];
                if (!weights.TryDescribe(Scales(matrix), out WeightInfo scales))
                    throw Bad(matrix, $"there is no '{Scales(matrix)}' of BF16");
                if (!weights.TryDescribe(codes, out WeightInfo info))
                    throw Bad(matrix, $"'{codes}' has a type or rank that codes have not");
                if (QuantizedData.Problem(bits, info, scales, out Shape shape) is { } problem) throw Bad(matrix, problem);
                if (!found.TryAdd(matrix, new QuantizedTensor(bits, shape))) throw Bad(matrix, "its codes are there in 8 and in 4 bits");
            }
        return found;
    }

    private static CheckpointException Bad(string matrix, string why) => new(
        $"The codes of '{matrix}' cannot be used: {why}. Get the checkpoint anew, or quantise the original one again.");
}
