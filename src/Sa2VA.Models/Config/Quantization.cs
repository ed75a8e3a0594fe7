using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Quantised checkpoints, whose tensors are not the weights: refused by the method's name.</summary>
internal static class Quantization
{
    private static readonly string[] Fields = ["quantization_config", "compression_config", "quantization"];

    /// <exception cref="CheckpointException">The object describes quantised weights.</exception>
    public static void Refuse(ConfigFields fields)
    {
        foreach (string name in Fields)
        {
            if (!fields.Has(name)) continue;
            string? method = fields.Object(name) is { } q ? q.Text("quant_method") : null;
            throw fields.Bad(name,
                $"says that the weights are quantised{(method is null ? "" : $" ({method})")}, which is not supported; get the "
                    + "checkpoint in bfloat16");
        }
    }
}
