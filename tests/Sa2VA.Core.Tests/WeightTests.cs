using Sa2VA.Core;

namespace Sa2VA.Tests;

public class WeightTests
{
    private readonly GraphBuilder _g;

    public WeightTests()
    {
        var weights = new TestWeights();
        weights.Add("block.w", DType.BF16, new Shape(4, 3), new float[12]);
        weights.Add("block.w2", DType.BF16, new Shape(2, 3), new float[6]);
        weights.Add("block.index", DType.I32, new Shape(4), []);
        _g = new GraphBuilder("net", weights);
    }

    [Fact]
    public void Rows_are_picked_in_any_order()
    {
        Weight w = _g.Weight("block.w").Reorder([3, 1, 1]);
        Assert.Equal(new Shape(3, 3), w.Shape);
        Assert.Equal([3, 1, 1], w.RowOrder!);
        Assert.Equal(new Shape(4, 3), w.Info.Shape);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(-1)]
    public void Rows_that_do_not_exist_are_refused(int row)
    {
        string message = Assert.Throws<GraphException>(() => _g.Weight("block.w").Reorder([0, row])).Message;
        Assert.Contains("'block.w'", message, StringComparison.Ordinal);
        Assert.Contains($"no row {row}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reordering_twice_or_to_nothing_is_refused()
    {
        Weight once = _g.Weight("block.w").Reorder([1]);
        Assert.Contains("'block.w'", Assert.Throws<GraphException>(() => once.Reorder([0])).Message, StringComparison.Ordinal);
        Assert.Throws<GraphException>(() => _g.Weight("block.w").Reorder([]));
    }

    [Fact]
    public void Regrouped_and_stacked_rows_are_put_in_another_order_and_are_then_another_weight()
    {
        Weight w = _g.Weight("block.w"), some = w.Reorder([3, 1, 0]), stacked = Weight.Stack([w, _g.Weight("block.w2")])!;
        Assert.Equal([1, 0, 3, 2], w.Permute([1, 0, 3, 2]).RowOrder!);
        Assert.Equal([0, 3, 1], some.Permute([2, 0, 1]).RowOrder!);
        Weight permuted = stacked.Permute([3, 2, 1, 0, 5, 4]);
        Assert.Equal((stacked.Name, stacked.Shape), (permuted.Name, permuted.Shape));
        Assert.Equal([[3, 2, 1, 0], [1, 0]], permuted.Parts.Select(p => p.RowOrder!));
        Weight[] all = [w, w.Permute([1, 0, 3, 2]), some, some.Permute([2, 0, 1]), stacked, permuted, stacked.Permute([0, 1, 2, 3, 5, 4])];
        Assert.Equal(all.Length, all.Select(one => new WeightKey(WeightLayout.RowMajor, one)).Distinct().Count());
        Assert.Equal(new WeightKey(WeightLayout.Vector, permuted), new WeightKey(WeightLayout.Vector, stacked.Permute([3, 2, 1, 0, 5, 4])));
        // From one stored weight to another no row can go.
        Assert.Throws<GraphException>(() => stacked.Permute([4, 1, 2, 3, 0, 5]));
    }

    [Fact]
    public void Missing_misshapen_and_integer_weights_are_refused_by_name()
    {
        Says(() => _g.Weight("block.missing"), "'block.missing'", "net");
        Says(() => _g.Weight("block.w", 3, 4), "'block.w'", "[4, 3]", "[3, 4]");
        Says(() => _g.Weight("block.index"), "'block.index'", "I32");
        Says(() => _g.At("block").Get("w", 4), "'block.w'", "[4]");
        Says(() => _g.At("block").At(7).Get("w"), "'block.7.w'");
    }

    [Fact]
    public void Scopes_spell_names()
    {
        Assert.Equal("block.w", _g.At("block").Get("w").Name);
        Assert.Equal("block.w", _g.At("").At("block").Get("w", 4, 3).Name);
        Assert.True(_g.At("block").Has("w"));
        Assert.False(_g.At("block").Has("bias"));
    }

    private static void Says(Action action, params string[] words)
    {
        string message = Assert.Throws<CheckpointException>(action).Message;
        Assert.All(words, w => Assert.Contains(w, message, StringComparison.Ordinal));
    }
}
