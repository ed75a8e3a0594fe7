using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>Every damaged tokenizer file gives an error that names the file; none crashes, hangs or loads silently.</summary>
public class HostileTokenizerFileTests
{
    private static readonly Dictionary<string, (string File, Action<JsonNode> Change)> JsonDamage = new()
    {
        ["unigram"] = ("tokenizer.json", root => root["model"] = new JsonObject { ["type"] = "Unigram", ["vocab"] = new JsonArray() }),
        ["word piece"] = ("tokenizer.json", root => root["model"]!["type"] = "WordPiece"),
        ["no model"] = ("tokenizer.json", root => root["model"] = null),
        ["byte fallback"] = ("tokenizer.json", root => root["model"]!["byte_fallback"] = true),
        ["dropout"] = ("tokenizer.json", root => root["model"]!["dropout"] = 0.1),
        ["suffix"] = ("tokenizer.json", root => root["model"]!["end_of_word_suffix"] = "</w>"),
        ["other pattern"] = ("tokenizer.json", root => root["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = @"\w+"),
        ["no pre-tokenizer"] = ("tokenizer.json", root => root["pre_tokenizer"] = null),
        ["pre-tokenizer of another kind"] = ("tokenizer.json", root => root["pre_tokenizer"] = 3),
        ["other normalizer"] = ("tokenizer.json", root => root["normalizer"]!["type"] = "NFKC"),
        ["negative id"] = ("tokenizer.json", root => root["model"]!["vocab"]!["he"] = -1),
        ["huge id"] = ("tokenizer.json", root => root["model"]!["vocab"]!["he"] = 1_000_001),
        ["id beyond an integer"] = ("tokenizer.json", root => root["model"]!["vocab"]!["he"] = 99_999_999_999),
        ["fractional id"] = ("tokenizer.json", root => root["model"]!["vocab"]!["he"] = 1.5),
        ["text as id"] = ("tokenizer.json", root => root["model"]!["vocab"]!["he"] = "7"),
        ["id used twice"] = ("tokenizer.json", root => root["model"]!["vocab"]!["he"] = 7),
        ["missing byte"] = ("tokenizer.json", root => root["model"]!["vocab"]!.AsObject().Remove("\u0100")),
        ["vocabulary of another kind"] = ("tokenizer.json", root => root["model"]!["vocab"] = new JsonArray(1, 2)),
        ["no vocabulary"] = ("tokenizer.json", root => root["model"]!.AsObject().Remove("vocab")),
        ["merge of unknown"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add(new JsonArray("q", "\u4E2D"))),
        ["merge into unknown"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add("q #")),
        ["merge of three"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add(new JsonArray("q", "a", "b"))),
        ["merge of one"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add("h")),
        ["merge of nothing"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add("")),
        ["merge of number"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add(3)),
        ["merge twice"] = ("tokenizer.json", root => root["model"]!["merges"]!.AsArray().Add(root["model"]!["merges"]![0]!.DeepClone())),
        ["merges of another kind"] = ("tokenizer.json", root => root["model"]!["merges"] = "a b"),
        ["added without id"] = ("tokenizer.json", root => root["added_tokens"]![0]!.AsObject().Remove("id")),
        ["added without content"] = ("tokenizer.json", root => root["added_tokens"]![0]!.AsObject().Remove("content")),
        ["added takes an ordinary id"] =
            ("tokenizer.json", root => root["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 5, ["content"] = "<new>" })),
        ["added takes an ordinary name"] = ("added_tokens.json", root => root["he"] = 900),
        ["added strips"] = ("tokenizer.json", root => root["added_tokens"]![0]!["rstrip"] = true),
        ["added empty"] = ("added_tokens.json", root => root[""] = 900),
        ["added too long"] = ("added_tokens.json", root => root[new string('x', 5000)] = 900),
        ["added negative"] = ("added_tokens.json", root => root["<new>"] = -4),
        ["added huge"] = ("added_tokens.json", root => root["<new>"] = 2_000_000_000),
        ["added contradiction"] = ("added_tokens.json", root => root["[SEG]"] = 900),
        ["added twice by id"] = ("added_tokens.json", root => root["<new>"] = root["[SEG]"]!.DeepClone()),
        ["decoder id is text"] =
            ("tokenizer_config.json", root => root["added_tokens_decoder"]!["x"] = new JsonObject { ["content"] = "<new>" }),
        ["decoder id is huge"] =
        ("tokenizer_config.json", root => root["added_tokens_decoder"]!["99999999999"] = new JsonObject { ["content"] = "<new>" }),
        ["decoder without content"] = ("tokenizer_config.json", root => root["added_tokens_decoder"]!["900"] = new JsonObject()),
        ["unknown end"] = ("tokenizer_config.json", root => root["eos_token"] = "<|nothing|>"),
        ["end of another kind"] = ("tokenizer_config.json", root => root["eos_token"] = 3),
        ["class of another kind"] = ("tokenizer_config.json", root => root["tokenizer_class"] = 3),
        ["InternLM2 without its model"] = ("tokenizer_config.json", root => root["tokenizer_class"] = "InternLM2Tokenizer"),
    };

    private static readonly string Source = Fixtures.Model("sa2va-tiny-shapes");

    public static TheoryData<string> Damages => [.. JsonDamage.Keys];

    [Theory]
    [MemberData(nameof(Damages))]
    public void Damaged_json_is_refused_by_file(string damage)
    {
        using var folder = new ScratchTokenizer(Source);
        (string file, Action<JsonNode> change) = JsonDamage[damage];
        Tokenizer.Load(folder.Path);
        folder.Edit(file, change);
        var error = Assert.Throws<CheckpointException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains(folder.Path, error.Message, StringComparison.Ordinal);
        Assert.True(error.Message.Contains("ownload", StringComparison.Ordinal)
            || error.Message.Contains("not supported", StringComparison.Ordinal), error.Message);
    }

    [Theory]
    [InlineData("tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1,\"a\":2},\"merges\":[]}}")]
    [InlineData("tokenizer.json", "")]
    [InlineData("tokenizer.json", "[]")]
    [InlineData("tokenizer.json", "{\"model\":{\"type\":\"\\ud800\",\"merges\":[]}}")]
    [InlineData("added_tokens.json", "{\"\\udc00\":1}")]
    [InlineData("added_tokens.json", "{\"[SEG]\":")]
    [InlineData("tokenizer_config.json", "\"text\"")]
    [InlineData("special_tokens_map.json", "{\"additional_special_tokens\":4}")]
    public void Broken_json_is_refused_by_file(string file, string content)
    {
        using var folder = new ScratchTokenizer(Source);
        File.WriteAllText(folder[file], content);
        var error = Assert.Throws<CheckpointException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains(folder[file], error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("#version: 0.2\nh e\nonly\n", "number 3")]
    [InlineData("#version: 0.2\nh e\nh e\n", "twice")]
    [InlineData("#version: 0.2\nh e f\n", "number 2")]
    [InlineData("q #\n", "vocabulary lacks")]
    public void Broken_merge_lists_are_refused_by_line(string content, string says)
    {
        using var folder = new ScratchTokenizer(Source);
        folder.Delete("tokenizer.json");
        File.WriteAllText(folder["merges.txt"], content);
        var error = Assert.Throws<CheckpointException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        File.WriteAllBytes(folder["merges.txt"], [0xFF, 0xFE, 0x80]);
        Assert.Contains("UTF-8", Assert.Throws<CheckpointException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vocab.json")]
    [InlineData("merges.txt")]
    public void Missing_files_are_named(string file)
    {
        using var folder = new ScratchTokenizer(Source);
        folder.Delete("tokenizer.json");
        folder.Delete(file);
        Assert.Contains(folder[file], Assert.Throws<CheckpointException>(() => Tokenizer.Load(folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_tokenizer_or_without_existence_is_refused()
    {
        using var folder = new ScratchTokenizer(Path.Combine(Source, "nothing-here"));
        foreach (string path in (string[])[folder.Path, folder["nothing-here"]])
            Assert.Contains("has no tokenizer", Assert.Throws<CheckpointException>(() => Tokenizer.Load(path)).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Separate_files_of_another_family_are_refused()
    {
        using var folder = new ScratchTokenizer(Source);
        folder.Delete("tokenizer.json");
        Tokenizer.Load(folder.Path);
        folder.Edit("tokenizer_config.json", root => root["tokenizer_class"] = "GPT2Tokenizer");
        Assert.Contains("GPT2Tokenizer is not supported", Assert.Throws<CheckpointException>(() => Tokenizer.Load(folder.Path)).Message,
            StringComparison.Ordinal);
    }
}
