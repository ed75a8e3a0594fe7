using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;

namespace Sa2VA.Tests.Sessions;

/// <summary>Which of a stream's objects an answer's objects are, where several could be meant.</summary>
public sealed class ReAskComparisonTests
{
    private static readonly AskedWords People = AskedWords.Of("Segment all people.", new AskOptions(), null);
    private static readonly AskedWords Dogs = AskedWords.Of("Segment all dogs.", new AskOptions(), null);

    [Fact]
    public void A_lost_object_is_what_had_its_place_in_the_answer_or_else_the_first_of_the_same_words()
    {
        NamedObject[] named = [new(0, false, People, 0), new(1, false, People, 1), new(2, false, Dogs, 0), new(5, false)];
        SeenMask lost = At(0, 0), shown = At(90, 5);
        ReAskComparison c = Compare(named, [lost, lost, lost, shown]);
        c.Add(New(People, place: 1), At(10, 5));
        c.Add(New(People, place: 7), At(20, 5));
        c.Add(New(People, place: 8), At(30, 5));
        c.Add(New(Dogs, place: 3), At(40, 5));
        Assert.Equal([1, 0, 2], c.FoundAgain.Select(f => f.Index));
        Assert.Equal(8, Assert.Single(c.Newcomers).Place);
        Assert.Empty(c.Known);
    }

    [Fact]
    public void What_covers_an_object_is_that_one_and_nothing_joins_twice()
    {
        NamedObject[] named = [new(0, false, People, 0), new(1, false, People, 1), new(2, false), new(3, false, Dogs, 0)];
        // The first is lost with a mask, the last has none yet.
        ReAskComparison c = Compare(named, [At(10, 8, present: 0.2f), At(30, 8), At(50, 8), null]);
        // More of the second one's than of the first's.
        c.Add(New(People, place: 0), At(31, 8));
        c.Add(New(People, place: 1), At(52, 7));
        c.Add(New(People, place: 2), At(11, 8));
        c.Add(New(People, place: 3), At(11, 7));
        c.Add(New(People, place: 4), At(70, 8));
        c.Add(New(People, place: 5), At(71, 8));
        c.Add(New(Dogs, place: 1), At(80, 8));
        Assert.Equal([1, 2], c.Known);
        Assert.Equal((0, 2), (Assert.Single(c.FoundAgain).Index, c.FoundAgain[0].Object.Place));
        Assert.Equal(4, Assert.Single(c.Newcomers).Place);
    }

    [Fact]
    public void Of_two_that_it_covers_it_is_the_one_that_it_covers_best()
    {
        ReAskComparison c = Compare([new(0, false, People, 0), new(1, false, People, 1)], [At(10, 8), At(12, 8)]);
        c.Add(New(People, place: 0), At(12, 7));
        Assert.Equal([1], c.Known);
    }

    [Fact]
    public void What_is_hardly_there_is_nothing()
    {
        ReAskComparison c = Compare([new(0, false, People, 0)], [At(0, 0)]);
        c.Add(New(People, place: 0), At(0, 0));
        c.Add(New(People, place: 0), At(10, 5, score: 0.49f));
        c.Add(New(People, place: 0), At(10, 5, present: 0.5f));
        Assert.Empty(c.FoundAgain);
        Assert.Empty(c.Newcomers);
    }

    [Fact]
    public void No_more_join_than_the_stream_follows()
    {
        var c = new ReAskComparison([new(0, false, Dogs, 0)], [At(0, 5)], new ReAskOptions(), mostObjects: 2);
        for (int i = 0; i < 3; i++) c.Add(New(People, i), At(20 + 10 * i, 5));
        Assert.Equal(0, Assert.Single(c.Newcomers).Place);
    }

    private static ReAskComparison Compare(NamedObject[] named, SeenMask?[] masks) => new(named, masks, new ReAskOptions(), 16);

    private static AnswerObject New(AskedWords words, int place) => new(place, null, []) { Words = words, Place = place };

    private static SeenMask At(int first, int count, float score = 0.9f, float present = 0.9f)
    {
        var inside = new bool[100];
        inside.AsSpan(first, count).Fill(true);
        return new SeenMask(inside, score, present);
    }
}
