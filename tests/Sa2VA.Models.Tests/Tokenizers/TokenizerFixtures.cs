using System.Text.Json;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>The recorded sets: a base tokenizer folder, the tokens added to it, and lines of text, ids and decoded text.</summary>
internal static class TokenizerFixtures
{
    private static readonly Dictionary<string, Tokenizer> Loaded = [];

    /// <summary>The tokenizer of a case file, loaded once; null when this clone does not carry its base folder.</summary>
    public static Tokenizer? Find(string caseFile)
    {
        lock (Loaded)
        {
            if (Loaded.TryGetValue(caseFile, out Tokenizer? known)) return known;
            using JsonDocument sets = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("tokenizers", "sets.json")));
            JsonElement set = sets.RootElement.GetProperty("sets").EnumerateArray()
                .Single(s => s.GetProperty("file").GetString() == caseFile);
            string folder = set.GetProperty("tokenizer").GetString()!;
            if (!Fixtures.Exists("tokenizers", folder) || !Fixtures.Exists("tokenizers", caseFile)) return null;
            var added = set.GetProperty("added").EnumerateArray()
                .Select(t => KeyValuePair.Create(t.GetProperty("content").GetString()!, t.GetProperty("id").GetInt32())).ToList();
            return Loaded[caseFile] = Tokenizer.Load(Fixtures.Path("tokenizers", folder), added);
        }
    }

    public static Tokenizer Get(string caseFile)
    {
        Tokenizer? tokenizer = Find(caseFile);
        Assert.SkipWhen(tokenizer is null, "The base tokenizer is not part of this clone.");
        return tokenizer!;
    }

    public static IEnumerable<JsonElement> Lines(string file) =>
        File.ReadLines(Fixtures.Path("tokenizers", file)).Where(line => line.Length > 0)
            .Select(line => JsonDocument.Parse(line).RootElement);

    public static int[] Ids(this JsonElement line) => [.. line.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];

    public static string Text(this JsonElement line, string member) => line.GetProperty(member).GetString()!;

    /// <summary>Checks every line and reports all that differ, for one bad line says little about the cause.</summary>
    public static void CheckLines(string file, Func<JsonElement, string?> difference)
    {
        int lines = 0;
        var failures = new List<string>();
        foreach (JsonElement line in Lines(file))
        {
            lines++;
            if (difference(line) is string failure) failures.Add($"line {lines}: {failure}");
        }

        Assert.True(lines > 50, $"{file} has {lines} lines");
        Assert.True(failures.Count == 0, $"{failures.Count} of {lines} lines of {file} differ:\n{string.Join('\n', failures.Take(12))}");
    }

    public static string? Different(int[] expected, int[] actual, string text) => expected.AsSpan().SequenceEqual(actual)
        ? null : $"{Quote(text)}: expected [{string.Join(',', expected)}], got [{string.Join(',', actual)}]";

    public static string? Different(string expected, string actual) =>
        expected == actual ? null : $"expected {Quote(expected)}, got {Quote(actual)}";

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
