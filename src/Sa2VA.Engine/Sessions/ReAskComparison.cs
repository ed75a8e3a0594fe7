using Sa2VA.Engine.Tracking;

namespace Sa2VA.Engine;

/// <summary>
/// Which of a stream's objects the objects of answers are, all on one frame, one after the other. What covers an object is that object,
/// lost or not. Else it is one that the same words named and that is lost, best the one that had the same place in its answer. Else it is
/// new.
/// </summary>
/// <param name="named">The stream's objects.</param>
/// <param name="masks">Where each is; null for those that joined since the frame came.</param>
/// <param name="options">Choices.</param>
/// <param name="mostObjects">That the stream follows.</param>
internal sealed class ReAskComparison(IReadOnlyList<NamedObject> named, IReadOnlyList<SeenMask?> masks, ReAskOptions options,
    int mostObjects)
{
    private readonly SeenMask?[] _masks = [.. masks];
    private readonly List<(int Index, AnswerObject Object)> _foundAgain = [];
    private readonly List<AnswerObject> _newcomers = [];
    private readonly List<SeenMask> _newcomerMasks = [];
    private readonly SortedSet<int> _known = [];

    /// <summary>Places of objects that are where they are followed.</summary>
    public IEnumerable<int> Known => _known;

    /// <summary>Places of objects that were lost, and what they are now.</summary>
    public IReadOnlyList<(int Index, AnswerObject Object)> FoundAgain => _foundAgain;

    /// <summary>What none of the objects is.</summary>
    public IReadOnlyList<AnswerObject> Newcomers => _newcomers;

    /// <summary>Compares one more object.</summary>
    /// <param name="o">What an answer names.</param>
    /// <param name="seen">Where it is.</param>
    public void Add(AnswerObject o, SeenMask seen)
    {
        if (seen.IsEmpty || !seen.IsPresent || seen.Score < options.MinScore) return;
        int covered = Covered(seen);
        if (covered >= 0)
        {
            if (IsLost(covered)) FindAgain(covered, o, seen);
            else if (!_foundAgain.Exists(f => f.Index == covered)) _known.Add(covered);
        }
        else if (Lost(o) is >= 0 and int lost) FindAgain(lost, o, seen);
        else if (options.Newcomers && !IsExplained(o, seen) && named.Count + _newcomers.Count < mostObjects)
        {
            _newcomers.Add(o);
            _newcomerMasks.Add(seen);
        }
    }

    /// <summary>The object whose mask it covers best; of equal ones the first.</summary>
    private int Covered(SeenMask seen)
    {
        (int best, double most) = (-1, 0);
        for (int i = 0; i < _masks.Length; i++)
        {
            double overlap = _masks[i]?.Overlap(seen) ?? 0;
            if (overlap >= options.Overlap && overlap > most) (best, most) = (i, overlap);
        }
        return best;
    }

    private int Lost(AnswerObject o)
    {
        int lost = -1;
        for (int i = named.Count - 1; i >= 0; i--)
            if (IsLost(i) && Equals(named[i].Words, o.Words) && (lost < 0 || named[lost].Place != o.Place || named[i].Place == o.Place))
                lost = i;
        return lost;
    }

    private bool IsLost(int index) => _masks[index] is { IsPresent: false } or { IsEmpty: true };

    private void FindAgain(int index, AnswerObject o, SeenMask seen)
    {
        _foundAgain.Add((index, o));
        _masks[index] = seen;
    }

    /// <summary>True if it covers a new object, or its words named one that has no mask yet.</summary>
    private bool IsExplained(AnswerObject o, SeenMask seen) => _newcomerMasks.Exists(m => m.Overlap(seen) >= options.Overlap)
        || Enumerable.Range(0, named.Count).Any(i => _masks[i] is null && Equals(named[i].Words, o.Words));
}
