using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>Positions on three axes.</summary>
public sealed class TokenPositionsTests
{
    [Fact]
    public void A_picture_has_rows_and_columns_and_text_goes_on_behind_its_longer_side()
    {
        // Four tokens of text, a picture of 2×3, two tokens of text.
        TokenPositions p = TokenPositions.Of([7, 7, 7, 7, -1, -2, -3, -4, -5, -6, 8, 8], [new TokenGrid(2, 3)]);
        Assert.Equal([0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 7, 8], p.Time);
        Assert.Equal([0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 7, 8], p.Row);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8], p.Column);
        Assert.Equal(-3, p.Shift);
    }

    [Fact]
    public void Pictures_may_follow_each_other_and_end_the_prompt()
    {
        TokenPositions p = TokenPositions.Of([1, -1, -2, -3, -4, -5], [new TokenGrid(2, 1), new TokenGrid(1, 3)]);
        Assert.Equal([0, 1, 1, 3, 3, 3], p.Time);
        Assert.Equal([0, 1, 2, 3, 3, 3], p.Row);
        Assert.Equal([0, 1, 1, 3, 4, 5], p.Column);
        Assert.Equal(0, p.Shift);
    }

    [Fact]
    public void Text_alone_counts_its_tokens()
    {
        TokenPositions p = TokenPositions.Of([5, 5, 5], []);
        Assert.Equal([0, 1, 2], p.Time);
        Assert.Equal(0, p.Shift);
    }
}
