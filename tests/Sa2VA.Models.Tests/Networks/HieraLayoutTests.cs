using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>The trunk's block list for every released size (docs/model/image-encoder.md#sizes).</summary>
public sealed class HieraLayoutTests
{
    [Theory]
    [InlineData(96, 1, new[] { 1, 2, 7, 2 }, new[] { 8, 4, 14, 7 }, new[] { 5, 7, 9 }, new[] { 0, 2, 9, 11 }, new[] { 1, 3, 10 }, 96)]
    [InlineData(96, 1, new[] { 1, 2, 11, 2 }, new[] { 8, 4, 14, 7 }, new[] { 7, 10, 13 }, new[] { 0, 2, 13, 15 }, new[] { 1, 3, 14 }, 96)]
    [InlineData(112, 2, new[] { 2, 3, 16, 3 }, new[] { 8, 4, 14, 7 }, new[] { 12, 16, 20 }, new[] { 1, 4, 20, 23 }, new[] { 2, 5, 21 }, 56)]
    [InlineData(144, 2, new[] { 2, 6, 36, 4 }, new[] { 8, 4, 16, 8 }, new[] { 23, 33, 43 }, new[] { 1, 7, 43, 47 }, new[] { 2, 8, 44 }, 72)]
    public void Stages_pools_windows_and_heads(int dim, int heads, int[] stages, int[] windows, int[] global, int[] ends, int[] pools,
        int headDim)
    {
        var layout = new HieraLayout(new GroundingConfig
        {
            EmbedDim = dim, NumHeads = heads, Stages = stages, WindowSpec = windows, GlobalAttBlocks = global,
        });

        Assert.Equal(ends, layout.StageEnds);
        Assert.Equal(pools, Indices(b => b.Pool));
        Assert.Equal(global, Indices(b => b.Window == 0));
        Assert.All(layout.Blocks, b => Assert.Equal(headDim, b.OutDim / b.Heads));
        Assert.All(pools, (i, stage) => Assert.Equal(windows[stage], layout.Blocks[i].Window));
        Assert.All(pools, (i, stage) => Assert.Equal(windows[stage + 1], layout.Blocks[i + 1].Window));
        Assert.Equal(dim * 8, layout.Blocks[^1].OutDim);

        IEnumerable<int> Indices(Func<HieraBlock, bool> match) =>
            Enumerable.Range(0, layout.Blocks.Count).Where(i => match(layout.Blocks[i]));
    }

    [Fact]
    public void A_pooling_block_cannot_attend_globally()
    {
        var config = new GroundingConfig { Stages = [1, 2, 3, 1], GlobalAttBlocks = [3] };
        Assert.Contains("block 3", Assert.Throws<CheckpointException>(() => new HieraLayout(config)).Message);
    }
}
