using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>What a checkpoint holds against what its config.json implies.</summary>
public sealed class TensorReport
{
    private TensorReport(List<string> missing, List<string> extra, List<string> misshapen, List<string> contradicting) =>
        (Missing, Extra, Misshapen, Contradicting) = (missing, extra, misshapen, contradicting);

    /// <summary>Names that are not stored.</summary>
    public IReadOnlyList<string> Missing { get; }

    /// <summary>Names that are stored and not used.</summary>
    public IReadOnlyList<string> Extra { get; }

    /// <summary>Names with the stored type and shape and the shape that is needed.</summary>
    public IReadOnlyList<string> Misshapen { get; }

    /// <summary>
    /// Those of <see cref="Extra"/> that belong to a part which is used, such as a bias or a layer that the network has not by config.json:
    /// running without them would be another model.
    /// </summary>
    public IReadOnlyList<string> Contradicting { get; }

    /// <summary>What a user should know of it beside <see cref="Sa2VAConfig.Notes"/>.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>True when the engine can run the checkpoint.</summary>
    public bool IsUsable => Missing.Count == 0 && Misshapen.Count == 0 && Contradicting.Count == 0;

    /// <summary>Compares a checkpoint with its configuration.</summary>
    public static TensorReport Of(Sa2VAConfig config, Checkpoint checkpoint)
    {
        List<string> missing = [], misshapen = [];
        HashSet<string> known = new(StringComparer.Ordinal), names = new(checkpoint.Names, StringComparer.Ordinal);
        // A stored head is used whatever config.json says of ties; without one the embedding serves.
        string headName = LanguageStack.HeadName(config.Language);
        bool head = checkpoint.Contains(headName);
        IReadOnlyDictionary<string, QuantizedMatrix> matrices =
            config.Quantization is null ? new Dictionary<string, QuantizedMatrix>() : CheckpointTensors.Matrices(config, head);
        const string decoder = CheckpointTensors.GroundingPrefix + "." + MaskDecoder.Name + ".";
        foreach ((string name, Shape shape) in CheckpointTensors.Of(config, head))
        {
            bool isMatrix = matrices.TryGetValue(name, out QuantizedMatrix matrix);
            if (isMatrix) CheckCodes(name, shape, matrix.Bits(config.Quantization!.Precision));
            if (!isMatrix || matrix.IsTable) Check(name, shape);
            else if (names.Contains(name)) misshapen.Add($"{checkpoint.NameInFile(name)}: stored as numbers, besides or instead of codes");
            if (checkpoint.HasTracker && name.StartsWith(decoder, StringComparison.Ordinal))
                Check(MaskDecoder.TrackerPrefix + name[decoder.Length..], shape);
        }
        // Converters may leave buffers behind that follow from config.json.
        List<string> extra = [.. checkpoint.Names.Where(n => !known.Contains(n)
            && !n.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal))];
        HashSet<string> parts = [.. known.Select(Parent)];
        HashSet<string> stacks = [.. known.SelectMany(Ancestors).Where(a => char.IsAsciiDigit(a[^1]) && a.Contains('.')).Select(Parent)];
        List<string> contradicting = [.. extra.Where(n => parts.Contains(Parent(n)) || Ancestors(n).Any(stacks.Contains))];
        return new TensorReport(missing, extra, misshapen, contradicting)
        {
            Notes = head || config.Language.TiedEmbeddings ? []
                : [$"'{checkpoint.Folder}' has no tensor '{checkpoint.NameInFile(headName)}', and its config.json does not say that "
                    + $"embedding and head are one (tie_word_embeddings): the embedding serves as the head, as upstream does then."],
        };

        void Check(string name, Shape shape)
        {
            known.Add(name);
            string stored = checkpoint.NameInFile(name);
            if (!names.Contains(name) && checkpoint.Quantized.TryGetValue(name, out QuantizedTensor codes))
                misshapen.Add(FormattableString.Invariant($"{stored}: stored in {codes.Bits} bits, ")
                    + (config.Quantization is null ? "of which config.json says nothing" : $"needs {shape} as numbers"));
            else if (!checkpoint.Contains(name)) missing.Add(stored);
            else if (!checkpoint.TryDescribe(name, out WeightInfo info))
                misshapen.Add($"{stored}: stored in a type or rank that is not supported, needs {shape}");
            else if (!info.Type.IsFloat() || !Fits(info.Shape, shape, name))
                misshapen.Add($"{stored}: stored {info.Type} {info.Shape}, needs {shape}");
        }

        void CheckCodes(string name, Shape shape, int bits)
        {
            known.Add(QuantizedTensors.Codes(name, bits));
            known.Add(QuantizedTensors.Scales(name));
            string stored = checkpoint.NameInFile(name);
            if (!checkpoint.Quantized.TryGetValue(name, out QuantizedTensor codes)) missing.Add(QuantizedTensors.Codes(stored, bits));
            else if (codes.Bits != bits || !Fits(codes.Shape, shape, name))
                misshapen.Add(FormattableString.Invariant(
                    $"{stored}: stored {codes.Shape} in {codes.Bits} bits, needs {shape} in {bits} bits"));
        }

        static string Parent(string name) => name.LastIndexOf('.') is > 0 and var dot ? name[..dot] : "";

        static IEnumerable<string> Ancestors(string name)
        {
            for (string at = Parent(name); at.Length > 0; at = Parent(at)) yield return at;
        }
    }

    /// <summary>Throws one error that lists what is wrong.</summary>
    /// <param name="folder">Checkpoint, for the message.</param>
    public void ThrowUnlessUsable(string folder)
    {
        if (IsUsable) return;
        throw new CheckpointException($"The checkpoint in '{folder}' does not fit its config.json. "
            + Listed("Missing", Missing) + Listed("Of another shape", Misshapen)
            + Listed("Stored, but not in the network that it describes", Contradicting) + "`sa2va inspect` lists everything.");
    }

    // The stored embedding decides the vocabulary: config.json may be out of date (docs/model/checkpoint.md#configuration).
    private static bool Fits(Shape stored, Shape needed, string name) =>
        stored == needed || (IsVocabulary(name) && stored.Rank == 2 && stored.Last == needed.Last);

    private static bool IsVocabulary(string name) => name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)
        || name.EndsWith("tok_embeddings.weight", StringComparison.Ordinal)
        || name is "language_model.lm_head.weight" or "language_model.output.weight" or "model.lm_head.weight";

    private static string Listed(string what, IReadOnlyList<string> names)
    {
        const int Shown = 5;
        if (names.Count == 0) return "";
        string rest = names.Count > Shown ? $" and {names.Count - Shown} more" : "";
        return $"{what}: {string.Join("; ", names.Take(Shown))}{rest}. ";
    }
}
