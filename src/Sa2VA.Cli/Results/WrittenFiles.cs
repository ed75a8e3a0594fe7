namespace Sa2VA.Cli.Results;

/// <summary>What was written, by kind.</summary>
internal sealed class WrittenFiles
{
    private readonly List<(string What, int Count)> _kinds = [];

    /// <summary>True if nothing was.</summary>
    public bool IsEmpty => _kinds.Count == 0;

    /// <summary>In words: "3 masks, 1 overlay and coco.json".</summary>
    public string Text
    {
        get
        {
            string[] kinds = [.. _kinds.Select(k => k.Count == 0 ? k.What : Plural.Of(k.Count, k.What))];
            return kinds.Length < 2 ? string.Concat(kinds) : $"{string.Join(", ", kinds[..^1])} and {kinds[^1]}";
        }
    }

    /// <summary>Counts files of a kind.</summary>
    /// <param name="what">What one of them is called.</param>
    /// <param name="count">How many; 0 for a file that is called by its name.</param>
    public void Count(string what, int count = 1)
    {
        int at = _kinds.FindIndex(k => k.What == what);
        if (at < 0) _kinds.Add((what, count));
        else _kinds[at] = (what, _kinds[at].Count + count);
    }

    /// <summary>Counts those of a part.</summary>
    public void Add(WrittenFiles part)
    {
        foreach ((string what, int count) in part._kinds) Count(what, count);
    }
}
