using System.Text.Json.Nodes;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>A copy of a checkpoint's tokenizer files that a test may change; removed at the end.</summary>
internal sealed class ScratchTokenizer : IDisposable
{
    private static readonly string[] Files =
        ["tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json", "special_tokens_map.json",
            "tokenizer.model"];

    private readonly ScratchFolder _folder = new();

    public ScratchTokenizer(string source)
    {
        foreach (string name in Files)
            if (File.Exists(System.IO.Path.Combine(source, name)))
                File.WriteAllBytes(this[name], File.ReadAllBytes(System.IO.Path.Combine(source, name)));
    }

    public string Path => _folder.Path;

    public string this[string name] => _folder.At(name);

    public void Delete(string name) => File.Delete(this[name]);

    public void Edit(string name, Action<JsonNode> change)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllBytes(this[name]))!;
        change(root);
        File.WriteAllText(this[name], root.ToJsonString());
    }

    public void Dispose() => _folder.Dispose();
}
