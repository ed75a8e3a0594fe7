using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Tracking;

/// <summary>
/// One click, or none, is ambiguous and chooses among three masks; a box or more clicks mean the one mask that they outline.
/// </summary>
public sealed class ObjectPromptTests
{
    private static readonly PointPrompt Click = new(100, 90, PointLabel.Positive), Other = new(150, 40, PointLabel.Negative);
    private static readonly PointPrompt[] Box = [new(40, 40, PointLabel.BoxTopLeft), new(120, 120, PointLabel.BoxBottomRight)];

    [Fact]
    public void Only_one_click_or_none_is_ambiguous()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using Checkpoint checkpoint = Checkpoint.Open(Sessions.Shapes.Folder);
        GroundingConfig config = Sa2VAConfig.Read(Sessions.Shapes.Folder).Grounding;
        using var model = new SegmentationModel(backend, checkpoint, config);
        float[] seg = TestValues.Random(1, config.DModel), mask = TestValues.Random(2, model.LowSide * model.LowSide, 50);

        Assert.True(new ObjectPrompt(model, seg).Multimask);
        Assert.True(new ObjectPrompt(model, [], [], mask).Multimask);
        Assert.True(new ObjectPrompt(model, [], [Click]).Multimask);
        Assert.True(new ObjectPrompt(model, seg, [Click], mask).Multimask);
        Assert.False(new ObjectPrompt(model, [], [Click, Other]).Multimask);
        Assert.False(new ObjectPrompt(model, [], Box).Multimask);
        Assert.False(new ObjectPrompt(model, [], Box, mask).Multimask);
        Assert.False(new ObjectPrompt(model, seg, [.. Box, Click]).Multimask);
        Assert.All(new ObjectPrompt(model, [], [], mask).MaskLogits!.Zip(mask), p => Assert.Equal(Math.Clamp(p.Second, -32, 32), p.First));
    }
}
