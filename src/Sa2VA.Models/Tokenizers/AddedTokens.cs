using System.Buffers;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// The tokens that were added after training of the vocabulary (control marks, <c>[SEG]</c>, ...), and the search for them in text:
/// leftmost, then longest. The search takes at most text length × longest token steps.
/// </summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<int, string> _contents = [];
    private readonly Dictionary<(int Node, char Unit), int> children = [];
    private readonly List<int> _idAtNode = [None];
    private readonly SearchValues<char> _firstUnits;
    private const int None = -1;

    /// <summary>Builds the search over distinct, non-empty tokens with distinct ids.</summary>
    public AddedTokens(IReadOnlyDictionary<string, int> tokens)
    {
        _ids = new Dictionary<string, int>(tokens, StringComparer.Ordinal);
        foreach ((string content, int id) in tokens)
        {
            _contents.Add(id, content);
            int node = 0;
            foreach (char unit in content)
            {
                if (!children.TryGetValue((node, unit), out int child))
                {
                    children[(node, unit)] = child = _idAtNode.Count;
                    _idAtNode.Add(None);
                }

                node = child;
            }

            _idAtNode[node] = id;
        }

        _firstUnits = SearchValues.Create([.. tokens.Keys.Select(content => content[0]).Distinct()]);
    }

    /// <summary>The highest id, or -1 when there is no token.</summary>
    public int HighestId => _contents.Count == 0 ? -1 : _contents.Keys.Max();

    public bool TryGetId(string content, out int id) => _ids.TryGetValue(content, out id);

    public bool TryGetContent(int id, out string content) => _contents.TryGetValue(id, out content!);

    /// <summary>Finds the first token at or after <paramref name="from"/>; false when there is none.</summary>
    public bool Find(ReadOnlySpan<char> text, int from, out int start, out int length, out int id)
    {
        for (start = from; start < text.Length; start++)
        {
            int skip = text[start..].IndexOfAny(_firstUnits);
            if (skip < 0) break;
            start += skip;
            if (LongestAt(text[start..], out length, out id)) return true;
        }

        (start, length, id) = (text.Length, 0, None);
        return false;
    }

    private bool LongestAt(ReadOnlySpan<char> text, out int length, out int id)
    {
        (length, id) = (0, None);
        int node = 0;
        for (int i = 0; i < text.Length && children.TryGetValue((node, text[i]), out node); i++)
            if (_idAtNode[node] != None) (length, id) = (i + 1, _idAtNode[node]);
        return length > 0;
    }
}
