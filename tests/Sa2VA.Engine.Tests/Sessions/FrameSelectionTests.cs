using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

public sealed class FrameSelectionTests
{
    [Theory, InlineData(1, "0"), InlineData(4, "0,1,2,3"), InlineData(5, "0,1,2,3,4"), InlineData(48, "0,1,2,3,4")]
    public void First(int frames, string expected) => Assert.Equal(expected, Text(FrameSelection.First, frames));

    [Theory, InlineData(1, "0"), InlineData(4, "0,1,2,3"), InlineData(5, "0,1,2,3,4"), InlineData(48, "43,44,45,46,47")]
    public void Last(int frames, string expected) => Assert.Equal(expected, Text(FrameSelection.Last, frames));

    // ⌊i·n/(5 + 10⁻⁴)⌋ in double, as upstream's demo has it: just below the even fifths.
    [Theory, InlineData(1, "0"), InlineData(5, "0,1,2,3,4"), InlineData(6, "0,1,2,3,4"), InlineData(10, "0,1,3,5,7"),
        InlineData(48, "0,9,19,28,38"),
     InlineData(100, "0,19,39,59,79"), InlineData(int.MaxValue, "0,429488139,858976279,1288464418,1717952558")]
    public void Uniform(int frames, string expected) => Assert.Equal(expected, Text(FrameSelection.Uniform, frames));

    [Theory, InlineData("first"), InlineData("uniform"), InlineData("last"),
        InlineData("0"), InlineData("7,3,3"), InlineData("0,1,2,3,4,5,6,7,8,9,10,11,12")]
    public void Parses_what_it_prints(string text) => Assert.Equal(text, FrameSelection.Parse(text).ToString());

    [Fact]
    public void Explicit_frames_come_in_their_order() => Assert.Equal("7,0,3", Text(FrameSelection.Parse(" 7, 0 ,3"), 8));

    [Theory, InlineData(""), InlineData(","), InlineData("1,"), InlineData("1,,2"), InlineData("-1"), InlineData("1.5"),
        InlineData("First"), InlineData("99999999999"),
     InlineData("0x1"), InlineData("0,1,2,3,4,5,6,7,8,9,10,11,12,13"), InlineData("١")]
    public void RefusesWhatIsNoChoice(string text) =>
        Assert.NotEmpty(Assert.Throws<PromptException>(() => FrameSelection.Parse(text)).Message);

    [Fact]
    public void Refuses_frames_that_the_video_lacks()
    {
        Assert.Contains("frames 0 to 7", Assert.Throws<PromptException>(() => FrameSelection.Parse("3,8").Indices(8)).Message,
            StringComparison.Ordinal);
        Assert.Throws<PromptException>(() => FrameSelection.Explicit([-1]).Indices(8));
        Assert.Throws<PromptException>(() => FrameSelection.Explicit([]));
        Assert.Throws<MediaException>(() => FrameSelection.First.Indices(0));
        Assert.Throws<MediaException>(() => FrameSelection.Uniform.Indices(-3));
    }

    private static string Text(FrameSelection selection, int frames) =>
        string.Join(",", selection.Indices(frames).Select(i => i.ToString(CultureInfo.InvariantCulture)));
}
