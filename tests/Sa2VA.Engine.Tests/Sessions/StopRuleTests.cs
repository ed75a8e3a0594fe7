using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Stop words that are no token of the vocabulary are found in the text, however it comes in pieces.</summary>
public sealed class StopRuleTests
{
    private static readonly StopRule Rule =
        new(Shapes.Model.Tokenizer, new ChatTemplate("", "", "", "", ["<stop here>", "end", "<|im_end|>"]));

    [Theory]
    [InlineData("<stop here>")]
    [InlineData("end")]
    [InlineData("<stop\n he\r\nre>")]
    [InlineData("\n<stop here>\n")]
    [InlineData("so much before that it no longer matters <stop here>")]
    public void A_word_ends_the_answer_however_it_comes_in_pieces(string text)
    {
        for (int piece = 1; piece <= text.Length; piece++)
        {
            string tail = "";
            bool ended = false;
            for (int i = 0; i < text.Length; i += piece)
            {
                ended |= Rule.EndsWithStopWord(ref tail, text.Substring(i, Math.Min(piece, text.Length - i)));
                Assert.True(tail.Length <= "<stop here>".Length);
            }
            // In one piece, what follows the word hides it: only an end counts.
            Assert.True(ended, $"in pieces of {piece}");
        }
    }

    [Theory]
    [InlineData("<stop here")]
    [InlineData("top here>")]
    [InlineData("<stophere>")]
    [InlineData("<Stop Here>")]
    [InlineData("en d")]
    [InlineData("")]
    public void Other_text_does_not(string text)
    {
        string tail = "";
        foreach (char c in text) Assert.False(Rule.EndsWithStopWord(ref tail, c.ToString()));
    }

    [Fact]
    public void Words_of_the_vocabulary_are_compared_as_ids()
    {
        Assert.True(Shapes.Model.Tokenizer.TryGetId("<|im_end|>", out int id));
        Assert.True(Rule.IsStopId(id));
        Assert.True(Rule.IsStopId(Shapes.Model.Tokenizer.EosId));
        Assert.False(Rule.IsStopId(Shapes.Model.SegId));
        string tail = "";
        Assert.False(Rule.EndsWithStopWord(ref tail, "<|im_end|>"));
    }
}
