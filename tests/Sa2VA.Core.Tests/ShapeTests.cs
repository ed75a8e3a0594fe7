using Sa2VA.Core;

namespace Sa2VA.Tests;

public class ShapeTests
{
    [Fact]
    public void Counts_and_axes()
    {
        var s = new Shape(2, 3, 5);
        Assert.Equal((3, 30L, 5, 6L), (s.Rank, s.Count, s.Last, s.Rows));
        Assert.Equal((2, 3, 5), (s[0], s[1], s[2]));
        Assert.Equal((5, 3, 2), (s[-1], s[-2], s[-3]));
        Assert.Equal([2, 3, 5], s.ToArray());
        Assert.Equal(new Shape(2, 3, 7), s.WithLast(7));
        Assert.Equal("[2, 3, 5]", s.ToString());
        Assert.Equal((1, 7L, 1L), (new Shape(7).Rank, new Shape(7).Count, new Shape(7).Rows));
    }

    [Fact]
    public void Equality_is_of_extents()
    {
        Assert.True(new Shape(2, 3) == new Shape(2, 3));
        Assert.True(new Shape(2, 3) != new Shape(3, 2));
        Assert.True(new Shape(2, 3) != new Shape(2, 3, 1));
        Assert.Equal(new Shape(2, 3).GetHashCode(), new Shape(2, 3).GetHashCode());
        Assert.False(new Shape(2).Equals((object)2));
    }

    [Theory]
    [InlineData(new int[0], "1 to 5 extents, not 0")]
    [InlineData(new[] { 1, 1, 1, 1, 1, 1 }, "not 6")]
    [InlineData(new[] { 2, 0 }, "[2, 0]")]
    [InlineData(new[] { -1 }, "[-1]")]
    [InlineData(new[] { int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue }, "2^40")]
    [InlineData(new[] { 1 << 20, 1 << 20, 2 }, "2^40")]
    public void Wrong_extents_are_refused(int[] dims, string says) =>
        Assert.Contains(says, Assert.Throws<GraphException>(() => new Shape(dims)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(2)]
    [InlineData(-3)]
    [InlineData(int.MinValue)]
    public void Axes_that_do_not_exist_are_refused(int axis) =>
        Assert.Contains("[4, 5]", Assert.Throws<GraphException>(() => new Shape(4, 5)[axis]).Message, StringComparison.Ordinal);

    [Fact]
    public void The_largest_shape_is_allowed() => Assert.Equal(1L << 40, new Shape(1 << 20, 1 << 20).Count);

    [Fact]
    public void Element_sizes()
    {
        Assert.Equal([4, 2, 2, 4, 8, 1, 1],
            ((DType[])[DType.F32, DType.F16, DType.BF16, DType.I32, DType.I64, DType.U8, DType.Bool]).Select(t => t.Size()));
        Assert.Equal([DType.F32, DType.F16, DType.BF16], Enum.GetValues<DType>().Where(t => t.IsFloat()));
    }
}
