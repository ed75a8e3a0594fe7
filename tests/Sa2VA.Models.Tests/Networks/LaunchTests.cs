using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>How many launches a run of Sa2VA-1B takes, as recorded and as the passes leave it: the table of docs/architecture.md.</summary>
public class LaunchTests
{
    [Theory]
    [InlineData("decode", 367, 198)]
    [InlineData("prefill", 367, 198)]
    [InlineData("vision tower", 177, 176)]
    [InlineData("image encoder", 352, 349)]
    [InlineData("tracked frame", 214, 198)]
    public void Passes_leave_so_many(string network, int recorded, int left)
    {
        Graph graph = StorageTests.Networks[network]();
        Assert.Equal((recorded, left), (graph.Ops.Count, GraphPasses.Apply(graph).Ops.Count));
    }
}
