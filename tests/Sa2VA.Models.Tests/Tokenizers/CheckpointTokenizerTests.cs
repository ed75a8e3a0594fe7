using System.Text.Json;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>The tokenizers of the small checkpoints against what the reference predicted with them.</summary>
public class CheckpointTokenizerTests
{
    private static readonly string[] Names =
        ["internvl-qwen2", "internvl-qwen2-phi3", "internvl-internlm2", "internvl-6b-vit", "sa2va-tiny-shapes", "qwen2_5-vl", "qwen3-vl"];

    public static TheoryData<string> Present =>
        [.. Names.Where(name => File.Exists(Path.Combine(Fixtures.Model(name), "tokenizer_config.json")))];

    [Theory]
    [MemberData(nameof(Present))]
    public void Recorded_predictions_are_the_spelling_of_the_recorded_ids(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model(name));
        int checkedCases = 0;
        foreach (JsonElement root in Predictions(name))
        {
            checkedCases++;
            int[] ids = Ids(root, "output_ids");
            Assert.Equal(root.GetProperty("prediction").GetString(), tokenizer.DecodeReference(ids).Trim());
            TokenStream stream = tokenizer.Stream();
            Assert.Equal(tokenizer.Decode(ids), string.Concat(ids.Select(stream.Append)) + stream.Flush());
        }

        Assert.True(checkedCases > 0, $"no predictions of {name}");
    }

    [Theory]
    [MemberData(nameof(Present))]
    public void Recorded_prompts_encode_to_the_recorded_ids(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model(name));
        foreach (JsonElement root in Predictions(name))
        {
            int[] ids = Ids(root, "prompt_ids");
            string text = tokenizer.Decode(ids.AsSpan(tokenizer.BosId == ids[0] ? 1 : 0));
            string asked = root.GetProperty("text").GetString()!.Split("<image>")[^1].Trim();
            Assert.Contains(NfcNormalizer.Normalize(asked), NfcNormalizer.Normalize(text), StringComparison.Ordinal);
            Assert.Equal(ids, tokenizer.Encode(text));
        }
    }

    [Theory]
    [MemberData(nameof(Present))]
    public void Marks_of_the_family_are_added_tokens(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model(name));
        foreach (string mark in (string[])["[SEG]", "<p>", "</p>", "<vp>", "</vp>", "<|im_end|>"])
        {
            Assert.True(tokenizer.TryGetId(mark, out int id), mark);
            Assert.True(tokenizer.IsAddedToken(id) && id < tokenizer.VocabularySize);
            Assert.Equal(mark, tokenizer.Decode([id]));
            Assert.Equal(id, tokenizer.Encode(mark)[^1]);
        }

        Assert.True(tokenizer.IsAddedToken(tokenizer.EosId) && tokenizer.IsAddedToken(tokenizer.PadId));
    }

    [Theory]
    [MemberData(nameof(Present))]
    public void Separate_vocabulary_and_merges_give_the_ids_of_tokenizer_json(string name)
    {
        if (!File.Exists(Path.Combine(Fixtures.Model(name), "vocab.json"))) return;
        using var folder = new ScratchTokenizer(Fixtures.Model(name));
        folder.Delete("tokenizer.json");
        Tokenizer expected = Tokenizer.Load(Fixtures.Model(name)), actual = Tokenizer.Load(folder.Path);
        Assert.Equal((expected.VocabularySize, expected.EosId, expected.PadId), (actual.VocabularySize, actual.EosId, actual.PadId));
        TokenizerFixtures.CheckLines("internlm2.jsonl", line =>
            TokenizerFixtures.Different(expected.Encode(line.Text("text")), actual.Encode(line.Text("text")), line.Text("text")));
    }

    private static IEnumerable<JsonElement> Predictions(string name) => Fixtures.Exists("predict", name)
        ? Directory.GetFiles(Fixtures.Path("predict", name), "*.json").Order()
        .Select(path => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement)
            .Where(root => root.TryGetProperty("output_ids", out _))
        : [];

    private static int[] Ids(JsonElement root, string member) => [.. root.GetProperty(member).EnumerateArray().Select(id => id.GetInt32())];
}
