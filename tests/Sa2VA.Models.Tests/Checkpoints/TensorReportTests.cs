using Sa2VA.Tests;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models.Tests;

public class TensorReportTests
{
    [Theory]
    [InlineData("internvl-qwen2")]
    [InlineData("internvl-qwen2-phi3")]
    [InlineData("internvl-internlm2")]
    [InlineData("internvl-6b-vit")]
    [InlineData("sa2va-tiny-shapes")]
    public void Every_tensor_of_a_checkpoint_is_expected(string name)
    {
        string folder = Fixtures.Model(name);
        Assert.SkipUnless(Directory.Exists(folder), "Not among the fixtures that every clone carries.");
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        TensorReport report = TensorReport.Of(Sa2VAConfig.Read(folder), checkpoint);
        Assert.Empty(report.Missing);
        Assert.Empty(report.Extra);
        Assert.Empty(report.Misshapen);
        report.ThrowUnlessUsable(folder);
    }

    [Fact]
    public void The_released_1b_has_the_recorded_tensors()
    {
        string file = Fixtures.Path("goldens", "synthetic", "sa2va-1b-tensors.json");
        Assert.SkipUnless(File.Exists(file), "Not among the fixtures that every clone carries.");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
        Dictionary<string, Shape> expected = CheckpointTensors.Of(SyntheticPresets.Get("sa2va-1b")).ToDictionary(t => t.Name, t => t.Shape);
        int count = 0;
        foreach (JsonProperty p in document.RootElement.EnumerateObject())
        {
            count++;
            Assert.True(expected.TryGetValue(p.Name, out Shape shape), p.Name);
            Assert.Equal(new Shape([.. p.Value.EnumerateArray().Select(d => d.GetInt32())]), shape);
        }
        Assert.Equal(1541, count);
        Assert.Equal(count, expected.Count);
    }

    [Fact]
    public void Missing_extra_and_misshapen_tensors_are_listed_by_name()
    {
        string folder = Fixtures.Model("sa2va-tiny-shapes");
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        Sa2VAConfig other = config with
        {
            Vision = config.Vision with { Layers = 4 },
            Language = config.Language with { IntermediateSize = 380, Layers = 2 },
        };
        TensorReport report = TensorReport.Of(other, checkpoint);
        Assert.Contains("vision_model.encoder.layers.3.ls1", report.Missing);
        Assert.Contains("language_model.model.layers.2.input_layernorm.weight", report.Extra);
        Assert.Contains(report.Misshapen,
            m => m.StartsWith("language_model.model.layers.0.mlp.up_proj.weight: stored BF16 [376, 144], needs [380, 144]",
            StringComparison.Ordinal));
        var error = Assert.Throws<CheckpointException>(() => report.ThrowUnlessUsable(folder));
        Assert.Contains("vision_model.encoder.layers.3", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_stored_head_is_used_and_a_missing_one_is_the_embedding(bool tied, bool stored)
    {
        foreach (LanguageKind kind in Enum.GetValues<LanguageKind>())
        {
            using var folder = new ScratchFolder();
            Sa2VAConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes"));
            config = config with { Language =
                config.Language with { Kind = kind, Bias = kind == LanguageKind.Qwen2, TiedEmbeddings = tied } };
            string embedding = kind == LanguageKind.InternLm2
                ? "language_model.model.tok_embeddings.weight"
                : "language_model.model.embed_tokens.weight";
            string head = kind == LanguageKind.InternLm2 ? "language_model.output.weight" : "language_model.lm_head.weight";
            WriteCheckpoint(folder, CheckpointTensors.Of(config, stored));
            using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
            Assert.Equal(stored, checkpoint.Contains(head));
            TensorReport report = TensorReport.Of(config, checkpoint);
            Assert.Empty(report.Extra);
            report.ThrowUnlessUsable(folder.Path);
            // That the embedding serves is told where config.json does not say so.
            Assert.Equal(tied || stored ? [] : [head], report.Notes.Select(n => n.Split('\'')[3]));
            LanguageGraph graph = LanguageGraph.Decode(checkpoint, config.Language, KvLayout.Alone(4), slots: 1, sequences: 1);
            List<string> read = [.. graph.Graph.Ops.SelectMany(o => o.Weights).Select(w => w.Name)];
            Assert.Equal(stored ? 1 : 0, read.Count(n => n == head));
            Assert.Equal(stored ? 1 : 2, read.Count(n => n == embedding));
        }
    }

    [Theory]
    [InlineData("vision_model.encoder.layers.1.attn.qkv.bias")]
    [InlineData("language_model.model.layers.0.self_attn.o_proj.bias")]
    [InlineData("language_model.model.layers.2.self_attn.q_norm.weight")]
    [InlineData("language_model.model.layers.3.input_layernorm.weight")]
    [InlineData("vision_model.encoder.layers.3.ls1")]
    [InlineData("text_hidden_fcs.4.weight")]
    [InlineData("grounding_encoder.sam2_model.image_encoder.neck.convs.4.conv.weight")]
    public void A_stored_part_that_the_network_has_not_is_refused(string name)
    {
        using var folder = new ScratchFolder();
        Sa2VAConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes"));
        config = config with { Vision = (InternVitConfig)config.Vision with { QkvBias = false } };
        WriteCheckpoint(folder, [.. CheckpointTensors.Of(config), (name, new Shape(8))]);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        TensorReport report = TensorReport.Of(config, checkpoint);
        Assert.Equal([name], report.Extra);
        Assert.Equal([name], report.Contradicting);
        Assert.Contains(name, Assert.Throws<CheckpointException>(() => report.ThrowUnlessUsable(folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("language_model.model.rotary_emb.inv_freq", false)]
    [InlineData("optimizer_step", true)]
    [InlineData("image_newline", true)]
    public void A_stored_part_of_no_network_is_left_alone(string name, bool listed)
    {
        using var folder = new ScratchFolder();
        Sa2VAConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes"));
        WriteCheckpoint(folder, [.. CheckpointTensors.Of(config), (name, new Shape(8))]);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        TensorReport report = TensorReport.Of(config, checkpoint);
        Assert.Equal(listed ? [name] : [], report.Extra);
        report.ThrowUnlessUsable(folder.Path);
    }

    [Fact]
    public void A_bias_that_config_asks_for_must_be_stored()
    {
        using var folder = new ScratchFolder();
        Sa2VAConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes"));
        const string Name = "language_model.model.layers.1.self_attn.k_proj.bias";
        WriteCheckpoint(folder, [.. CheckpointTensors.Of(config).Where(t => t.Name != Name)]);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal([Name], TensorReport.Of(config, checkpoint).Missing);
        void Record() => LanguageGraph.Decode(checkpoint, config.Language, KvLayout.Alone(4), 1, 1);
        Assert.Contains(Name, Assert.Throws<CheckpointException>(Record).Message,
            StringComparison.Ordinal);
    }

    private static void WriteCheckpoint(ScratchFolder folder, IReadOnlyList<(string Name, Shape Shape)> tensors) =>
        SafetensorsWriter.Write(folder.At("model.safetensors"), [.. tensors.Select(t => new WeightInfo(t.Name, DType.BF16, t.Shape))],
            (_, _, bytes) => bytes.Clear());
}
