using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>What is stored in 16 bits of the networks of Sa2VA-1B, by <see cref="StoragePolicy"/>.</summary>
public class StorageTests
{
    private static readonly Sa2VAConfig Config = SyntheticPresets.Get("sa2va-1b");
    private static readonly SyntheticWeights Weights = new(Config);

    internal static readonly Dictionary<string, Func<Graph>> Networks = new()
    {
        ["vision tower"] = () => Config.Family.RecordVision(Weights, Config, DType.BF16).Graph,
        ["prefill"] = () => LanguageGraph.Prefill(Weights, Config.Language, KvLayout.Alone(512, DType.BF16), slots: 1, 512).Graph,
        ["decode"] = () => LanguageGraph.Decode(Weights, Config.Language, KvLayout.Alone(512, DType.BF16), slots: 1, sequences: 1).Graph,
        ["image encoder"] = () => new ImageEncoderGraph(Weights, "grounding_encoder.sam2_model", Config.Grounding).Graph,
        ["tracked frame"] = () => new TrackedFrameGraph(Weights, "grounding_encoder.sam2_model", Config.Grounding,
            new PromptEncoder(new GraphBuilder("prompts", Weights).At("grounding_encoder.sam2_model.sam_prompt_encoder"), Config.Grounding),
            BankPools.For(1, 5)).Graph,
    };

    /// <summary>How many results are BF16, by what makes them, and which linear layers are F32: those that end in a sum.</summary>
    [Theory]
    [InlineData("vision tower", "LayerNorm 49, FlashAttention 24, Linear 50, Normalize 1", "Linear 48")]
    [InlineData("prefill", "RmsNorm 48, RotaryAppend 24, FlashAttention 24, Linear 24, GatedLinear 24", "Linear 48")]
    [InlineData("decode", "RmsNorm 48, RotaryAppend 24, DecodeAttention 24, Linear 24, GatedLinear 24", "Linear 48")]
    public void Operands_are_narrow_and_streams_are_wide(string network, string narrow, string wide)
    {
        Graph graph = GraphPasses.Apply(Networks[network]());
        IReadOnlySet<Tensor> narrowed = StoragePolicy.Narrowed(graph, Precision.BFloat16);
        Assert.Equal(Parse(narrow), Counts(graph.Ops.Where(o => narrowed.Contains(o.Output))));
        Dictionary<string, int> others = Counts(graph.Ops.Where(o => !narrowed.Contains(o.Output) && o is Linear));
        Assert.Equal(Parse(wide), others);
        Assert.All(graph.Ops.OfType<Linear>().Where(l => !narrowed.Contains(l.Output)), l => Assert.NotNull(l.Residual));
    }

    [Theory]
    [InlineData("vision tower", 0.75)]
    [InlineData("prefill", 0.75)]
    [InlineData("image encoder", 0.8)]
    [InlineData("tracked frame", 0.8)]
    public void Intermediates_need_less_memory(string network, double most)
    {
        Graph graph = GraphPasses.Apply(Networks[network]());
        Graph placed = StoragePolicy.Apply(graph, Precision.BFloat16, new AllKernels());
        double share = MemoryPlan.Create(placed).ArenaBytes / (double)MemoryPlan.Create(graph).ArenaBytes;
        Assert.True(share <= most, $"{share:P1}");
    }

    [Fact]
    public void The_mask_decoder_stays_wide_but_for_its_maps()
    {
        Graph graph = GraphPasses.Apply(Networks["tracked frame"]());
        IReadOnlySet<Tensor> narrowed = StoragePolicy.Narrowed(graph, Precision.BFloat16);
        List<Op> decoder = [.. graph.Ops.Where(o => o.Name.Contains("sam_mask_decoder", StringComparison.Ordinal))];
        Assert.Contains(decoder, o => o.Name.Contains("transformer", StringComparison.Ordinal));
        Assert.Contains(decoder, o => o.Name.Contains("iou_prediction_head", StringComparison.Ordinal));
        Assert.All(decoder, o => Assert.DoesNotContain(o.Output, narrowed));
    }

    private static Dictionary<string, int> Counts(IEnumerable<Op> ops) =>
        ops.CountBy(o => o.GetType().Name).ToDictionary(c => c.Key, c => c.Value);

    private static Dictionary<string, int> Parse(string text) => text.Length == 0 ? []
        : text.Split(", ").Select(p => p.Split(' ')).ToDictionary(p => p[0], p => int.Parse(p[1], null));

    private sealed class AllKernels : INarrowKernels
    {
        public bool Reads(Op op, int input) => true;

        public bool Writes(Op op) => true;
    }
}
