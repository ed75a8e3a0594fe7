using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// What config.json says of weights that <see cref="Quantizer"/> stored in few bits (docs/model/quantized.md): the precision that reads
/// them.
/// </summary>
/// <param name="Precision"><see cref="Precision.Int8"/> or <see cref="Precision.Int4"/>.</param>
public sealed record StoredQuantization(Precision Precision)
{
    internal const string Field = "quantization";
    private const string Method = "sa2va", Rule = "signed-extreme";
    private const int Version = 1, HeadBits = 8;

    private static readonly string[] Known = ["quant_method", "version", "bits", "head_bits", "group_size", "rule"];

    /// <summary>Fails unless a device computes in the precision of the stored weights.</summary>
    /// <param name="precision">The device's.</param>
    /// <exception cref="CheckpointException">It does not; the message says what to do.</exception>
    public void Check(Precision precision)
    {
        if (precision == Precision) return;
        throw new CheckpointException($"The checkpoint stores the language model's weights in {Precision.Name()} and runs in that "
            + $"precision alone, not in {precision.Name()}: leave out --precision (Device.Precision = Precision.{Precision} in code), or "
            + "give the checkpoint that it was made from.");
    }

    /// <summary>Reads the root's entry; null where the weights are no codes.</summary>
    /// <exception cref="CheckpointException">They are by another method or rule, or of another version.</exception>
    internal static StoredQuantization? Read(ConfigFields root)
    {
        bool isOurs = root.Has(Field) && root.Object(Field)!.Value.Text("quant_method") == Method;
        Quantization.Refuse(root, isOurs ? Field : null);
        if (!isOurs) return null;
        ConfigFields q = root.Object(Field)!.Value;
        int version = q.Int("version", 1, int.MaxValue);
        if (version != Version)
            throw q.Bad("version", FormattableString.Invariant($"is {version}; this version of the engine reads {Version}: ")
                + "use a newer one, or quantise the original checkpoint again");
        foreach (string name in q.Names)
            if (!Known.Contains(name)) throw q.Bad(name, "is not known; quantise the original checkpoint again");
        int bits = q.Int("bits", 4, 8);
        Exactly("head_bits", HeadBits);
        Exactly("group_size", GroupQuantization.Group);
        if (q.Text("rule") is not Rule) throw q.Bad("rule", $"is not \"{Rule}\", the one that is known");
        return bits is 8 or 4 ? new StoredQuantization(bits == 8 ? Precision.Int8 : Precision.Int4)
            : throw q.Bad("bits", FormattableString.Invariant($"is {bits}, neither 8 nor 4"));

        void Exactly(string name, int value)
        {
            int found = q.Int(name, 1, int.MaxValue);
            if (found != value) throw q.Bad(name, FormattableString.Invariant($"is {found}; only {value} is known"));
        }
    }

    /// <summary>Writes the entry.</summary>
    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject(Field);
        json.WriteString("quant_method", Method);
        json.WriteNumber("version", Version);
        json.WriteNumber("bits", Precision.WeightBits());
        json.WriteNumber("head_bits", HeadBits);
        json.WriteNumber("group_size", GroupQuantization.Group);
        json.WriteString("rule", Rule);
        json.WriteEndObject();
    }
}
