using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>The plans of one network hold its position tables once.</summary>
public sealed class ConstantSharingTests
{
    [Fact]
    public void Another_cache_size_costs_its_rotary_tables_and_no_more()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Fixtures.Model("sa2va-tiny-shapes"));
        LanguageConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes")).Language;
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using var model = new LanguageModel(backend, checkpoint, config, imageRows: 64);
        long before = backend.Memory.Weights;
        RunKind kind = model.DecodeKind(3, 1025);
        Assert.Equal(new RunKind(4, false, 2048, Samples: false), kind);
        SpinWait.SpinUntil(() => model.Ready(kind) is not null);
        Assert.Equal(2L * kind.Capacity * (config.HeadDim / 2) * sizeof(float), backend.Memory.Weights - before);
        model.Dispose();
        Assert.Equal(0, backend.Memory.Weights);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    public void Rotary_tables_are_shared_by_models_of_one_base(double factor, int tables)
    {
        const int capacity = 64;
        using Checkpoint checkpoint = Checkpoint.Open(Fixtures.Model("sa2va-tiny-shapes"));
        LanguageConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes")).Language;
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using ExecutionPlan plan = Compile(config);
        long before = backend.Memory.Weights;
        using ExecutionPlan other = Compile(config with { RopeTheta = factor * config.RopeTheta });
        Assert.Equal(tables * 2L * capacity * (config.HeadDim / 2) * sizeof(float), backend.Memory.Weights - before);

        ExecutionPlan Compile(LanguageConfig of) =>
            backend.Compile(LanguageGraph.Decode(checkpoint, of, KvLayout.Alone(capacity), 1, 1).Graph,
                TestContext.Current.CancellationToken);
    }

    [Fact]
    public void All_segmentation_graphs_share_the_positions_of_the_map()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Fixtures.Model("sa2va-tiny-shapes"));
        GroundingConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes")).Grounding;
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using var model = new SegmentationModel(backend, checkpoint, config);
        long before = backend.Memory.Weights;
        model.PromptedFrame(new PromptKind(Multimask: false, Dense: true, Memory: false));
        // A dense prompt stands in the place of the "no mask" row, so the variant needs nothing that is not there.
        Assert.Equal(before, backend.Memory.Weights);
        model.Dispose();
        Assert.Equal(0, backend.Memory.Weights);
    }
}
