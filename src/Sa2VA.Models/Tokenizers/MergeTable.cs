namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// Byte-pair merging: of all neighbouring symbols that may merge, the pair with the lowest rank does, the leftmost of equals, until none
/// may. A queue of candidates keeps it at n log n, however long the word is.
/// </summary>
internal sealed class MergeTable
{
    private const int None = -1;

    private readonly Dictionary<(int Left, int Right), (int Rank, int Result)> merges = [];

    /// <summary>Allows a merge of two neighbours; false when the pair has one already.</summary>
    public bool TryAdd(int left, int right, int rank, int result) => merges.TryAdd((left, right), (rank, result));

    /// <summary>Appends the symbols that remain of <paramref name="word"/>.</summary>
    public void Merge(ReadOnlySpan<int> word, List<int> output)
    {
        if (word.Length < 2)
        {
            output.AddRange(word);
            return;
        }

        int[] symbols = word.ToArray(), next = new int[word.Length], previous = new int[word.Length];
        var candidates = new PriorityQueue<(int Left, int Right, int LeftSymbol, int RightSymbol, int Result), long>();
        for (int i = 0; i < word.Length; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < word.Length ? i + 1 : None;
        }

        for (int i = 0; i + 1 < word.Length; i++) Propose(i);
        while (candidates.TryDequeue(out var pair, out _))
        {
            // A merge nearby since the proposal has changed or removed one of the two.
            if (next[pair.Left] != pair.Right || symbols[pair.Left] != pair.LeftSymbol || symbols[pair.Right] != pair.RightSymbol) continue;
            symbols[pair.Left] = pair.Result;
            symbols[pair.Right] = int.MinValue;
            next[pair.Left] = next[pair.Right];
            if (next[pair.Left] != None) previous[next[pair.Left]] = pair.Left;
            if (previous[pair.Left] != None) Propose(previous[pair.Left]);
            Propose(pair.Left);
        }

        for (int i = 0; i != None; i = next[i]) output.Add(symbols[i]);

        void Propose(int left)
        {
            int right = next[left];
            if (right != None && merges.TryGetValue((symbols[left], symbols[right]), out var merge))
                candidates.Enqueue((left, right, symbols[left], symbols[right], merge.Result), (long)merge.Rank << 32 | (uint)left);
        }
    }
}
