namespace Sa2VA.Models.Tokenizers;

/// <summary>The SentencePiece BPE of InternLM2.</summary>
public sealed class InternLm2Tokenizer : Tokenizer
{
    internal const string ModelFile = "tokenizer.model";

    private InternLm2Tokenizer(TokenizerSettings settings) : base(settings, 0) { }

    internal override bool ReplacesEachByte => true;

    internal static InternLm2Tokenizer Read(TokenizerFolder folder, IReadOnlyList<KeyValuePair<string, int>> additional) =>
        throw folder.Unsupported(ModelFile, "SentencePiece");

    internal override ReadOnlySpan<byte> TokenBytes(int id) => default;

    private protected override string Normalize(string text) => text;

    private protected override void EncodeOrdinary(ReadOnlySpan<char> text, List<int> ids) { }
}
