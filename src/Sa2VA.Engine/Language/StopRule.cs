using Sa2VA.Models;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Engine.Language;

/// <summary>
/// When an answer is over (docs/model/generation.md#stop-rules): the end id, or decoded text that ends with a stop word once line breaks
/// are removed. Stop words that are one added token are compared as ids.
/// </summary>
internal sealed class StopRule
{
    private readonly HashSet<int> _ids;
    private readonly string[] _words;
    private readonly int _longest;

    public StopRule(Tokenizer tokenizer, ChatTemplate template)
    {
        _ids = [tokenizer.EosId];
        var words = new List<string>();
        foreach (string word in template.StopWords)
        {
            if (tokenizer.TryGetId(word, out int id)) _ids.Add(id);
            else words.Add(word);
        }
        _words = [.. words];
        _longest = words.Count == 0 ? 0 : words.Max(w => w.Length);
        Words = template.StopWords;
    }

    /// <summary>All stop words, as text.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <summary>True if the id alone ends the answer.</summary>
    public bool IsStopId(int id) => _ids.Contains(id);

    /// <summary>Adds new text to the end that is kept, and tells whether it ends with a stop word.</summary>
    /// <param name="tail">End of the text so far, without line breaks; updated.</param>
    /// <param name="text">New text.</param>
    public bool EndsWithStopWord(ref string tail, string text)
    {
        if (_longest == 0 || text.Length == 0) return false;
        tail += text.Replace("\r", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal);
        if (tail.Length > _longest) tail = tail[^_longest..];
        foreach (string word in _words)
            if (tail.EndsWith(word, StringComparison.Ordinal)) return true;
        return false;
    }
}
