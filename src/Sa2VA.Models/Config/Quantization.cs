using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Checkpoints that others quantised, whose tensors are not the weights: refused by the method's name.</summary>
internal static class Quantization
{
    private static readonly string[] Fields = ["quantization_config", "compression_config", "quantization"];

    /// <param name="fields">An object of config.json.</param>
    /// <param name="known">A field that is no other's; null for none.</param>
    /// <exception cref="CheckpointException">The object describes quantised weights.</exception>
    public static void Refuse(ConfigFields fields, string? known = null)
    {
        foreach (string name in Fields)
        {
            if (name == known || !fields.Has(name)) continue;
            string? method = fields.Object(name) is { } q ? q.Text("quant_method") : null;
            throw fields.Bad(name,
                $"says that the weights are quantised{(method is null ? "" : $" ({method})")}, which is not supported; get the "
                    + "checkpoint in bfloat16 (`sa2va quantize` makes 8 or 4 bits of it)");
        }
    }
}
