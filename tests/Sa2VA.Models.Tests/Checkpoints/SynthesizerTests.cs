using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

public sealed class SynthesizerTests : IDisposable
{
    private const int QwenVocabulary = 151679, InternLmVocabulary = 92558;
    private readonly ScratchFolder _folder = new();

    public static TheoryData<string> Presets => [.. SyntheticPresets.Names];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Presets))]
    public void The_config_of_every_preset_reads_back(string preset)
    {
        Sa2VAConfig config = SyntheticPresets.Get(preset);
        Assert.Equivalent(config, ReadBack(config), strict: true);
    }

    [Fact]
    public void Configs_off_the_defaults_read_back()
    {
        foreach (LanguageKind kind in Enum.GetValues<LanguageKind>())
        {
            Sa2VAConfig config = Small(kind, 300);
            Assert.Equivalent(config, ReadBack(config), strict: true);
        }
        string tiny = Fixtures.Model("sa2va-tiny-shapes");
        Assert.Equivalent(Sa2VAConfig.Read(tiny), ReadBack(Sa2VAConfig.Read(tiny)), strict: true);
    }

    [Fact]
    public void A_checkpoint_holds_every_tensor_by_the_formula()
    {
        Sa2VAConfig config = Small(LanguageKind.Qwen2, 300);
        var progress = new Reports();
        Write(config, _folder.Path, progress: progress);

        Sa2VAConfig read = Sa2VAConfig.Read(_folder.Path);
        Assert.Equivalent(config, read, strict: true);
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal([_folder.At("model.safetensors")], checkpoint.Files);
        AssertComplete(config, checkpoint);
        Assert.Equal(new SynthesisProgress(checkpoint.Bytes, checkpoint.Bytes), progress.Values[^1]);
        Assert.Equal(progress.Values.Select(v => v.Done).Order(), progress.Values.Select(v => v.Done));
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], Names(_folder.Path));
    }

    [Fact]
    public void A_large_checkpoint_is_split_into_shards()
    {
        Sa2VAConfig config = Small(LanguageKind.InternLm2, 300);
        const long ShardBytes = 100_000;
        var progress = new Reports();
        Write(config, _folder.Path, shardBytes: ShardBytes, progress: progress);

        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Assert.True(checkpoint.Files.Count > 2);
        AssertComplete(config, checkpoint);
        Assert.Equal(new SynthesisProgress(checkpoint.Bytes, checkpoint.Bytes), progress.Values[^1]);
        long largest = checkpoint.Names.Max(n => checkpoint.TryDescribe(n, out WeightInfo info) ? info.Bytes : 0);
        foreach (string file in checkpoint.Files)
        {
            using var shard = new SafetensorsFile(file);
            Assert.InRange(shard.Entries[^1].End, 1, Math.Max(ShardBytes, largest));
        }
        using JsonDocument index = JsonDocument.Parse(File.ReadAllBytes(_folder.At("model.safetensors.index.json")));
        Assert.Equal(checkpoint.Bytes, index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
        Assert.Equal(checkpoint.Names,
            index.RootElement.GetProperty("weight_map").EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_qwen_tokenizer_gets_the_fourteen_tokens()
    {
        string source = Fixtures.Path("tokenizers", "qwen2_5");
        Assert.SkipUnless(Directory.Exists(source), "Not among the fixtures that every clone carries.");
        Write(Small(LanguageKind.Qwen2, QwenVocabulary), _folder.Path, source);
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        AssertTokens(tokenizer, QwenVocabulary);
        Assert.True(tokenizer.TryGetId("<|im_end|>", out int end));
        Assert.Equal((151645, 151645, 151643), (end, tokenizer.EosId, tokenizer.PadId));
        Assert.Equal([151644, 872, 198, 151667, 151674, 151645], tokenizer.Encode("<|im_start|>user\n<IMG_CONTEXT>[SEG]<|im_end|>"));

        using JsonDocument added = JsonDocument.Parse(File.ReadAllBytes(_folder.At("added_tokens.json")));
        Assert.Equal(Enumerable.Range(151643, 36), added.RootElement.EnumerateObject().Select(p => p.Value.GetInt32()));
        Assert.Equal(["added_tokens.json", "config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json",
            "tokenizer.json", "tokenizer_config.json"],
            Names(_folder.Path));

        // What was written serves as a source again.
        using var second = new ScratchFolder();
        Write(Small(LanguageKind.Qwen2, QwenVocabulary), second.Path, _folder.Path);
        foreach (string name in Names(_folder.Path))
            Assert.True(File.ReadAllBytes(_folder.At(name)).AsSpan().SequenceEqual(File.ReadAllBytes(second.At(name))), name);
    }

    [Fact]
    public void An_internlm2_tokenizer_gets_the_fourteen_tokens()
    {
        Write(Small(LanguageKind.InternLm2, InternLmVocabulary), _folder.Path, Fixtures.Path("tokenizers", "internlm2"));
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        AssertTokens(tokenizer, InternLmVocabulary);
        Assert.True(tokenizer.TryGetId("<|im_end|>", out int end));
        Assert.Equal((92542, 2), (end, tokenizer.EosId));
        using JsonDocument added = JsonDocument.Parse(File.ReadAllBytes(_folder.At("added_tokens.json")));
        Assert.Equal(Enumerable.Range(92544, 14), added.RootElement.EnumerateObject().Select(p => p.Value.GetInt32()));
        Assert.False(File.Exists(_folder.At("tokenizer.json")));
    }

    [Fact]
    public void A_tokenizer_that_does_not_fit_is_refused_and_nothing_stays()
    {
        string target = _folder.At("new");
        string message = Assert.Throws<CheckpointException>(() =>
            Write(Small(LanguageKind.InternLm2, 50_000), target, Fixtures.Path("tokenizers", "internlm2"))).Message;
        Assert.Contains("<|plugin|>", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
        message = Assert.Throws<CheckpointException>(() => Write(Small(LanguageKind.Qwen2, 300), target, _folder.Path)).Message;
        Assert.Contains("tokenizer.json", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void A_folder_that_holds_something_is_left_alone()
    {
        File.WriteAllText(_folder.At("notes.txt"), "mine");
        Assert.Contains("not overwritten",
            Assert.Throws<CheckpointException>(() => Write(Small(LanguageKind.Qwen2, 300), _folder.Path)).Message,
            StringComparison.Ordinal);
        Assert.Contains("not overwritten",
            Assert.Throws<CheckpointException>(() => Write(Small(LanguageKind.Qwen2, 300), _folder.At("notes.txt"))).Message,
            StringComparison.Ordinal);
        Assert.Equal(["notes.txt"], Names(_folder.Path));
        Assert.Equal("mine", File.ReadAllText(_folder.At("notes.txt")));
    }

    [Fact]
    public void Cancelling_removes_what_was_written()
    {
        using var source = new CancellationTokenSource();
        var progress = new Reports { First = source.Cancel };
        string target = _folder.At("new");
        Assert.Throws<OperationCanceledException>(() =>
            Synthesizer.Write(Small(LanguageKind.Qwen2, 300), target, null, 100_000, progress, source.Token));
        Assert.Single(progress.Values);
        Assert.False(Directory.Exists(target));
        Assert.Throws<OperationCanceledException>(() =>
            Synthesizer.Write(Small(LanguageKind.Qwen2, 300), _folder.Path, null, 100_000, null, source.Token));
        Assert.Empty(Names(_folder.Path));
    }

    [Fact]
    public void An_unknown_preset_writes_nothing()
    {
        Assert.Throws<CheckpointException>(() =>
            Synthesizer.Write("sa2va-99b", _folder.Path, cancellation: TestContext.Current.CancellationToken));
        Assert.Empty(Names(_folder.Path));
    }

    private static void Write(Sa2VAConfig config, string folder, string? tokenizer = null, long shardBytes = 4_000_000_000,
        IProgress<SynthesisProgress>? progress = null) =>
        Synthesizer.Write(config, folder, tokenizer, shardBytes, progress, TestContext.Current.CancellationToken);

    private static unsafe void AssertComplete(Sa2VAConfig config, Checkpoint checkpoint)
    {
        TensorReport report = TensorReport.Of(config, checkpoint);
        Assert.Empty(report.Missing);
        Assert.Empty(report.Extra);
        Assert.Empty(report.Misshapen);
        foreach (WeightInfo info in new SyntheticWeights(config).Tensors)
        {
            using WeightData data = ((IWeightSource)checkpoint).Open(info.Name);
            Assert.Equal(info, data.Info);
            var expected = new BFloat16[info.Shape.Count];
            SyntheticWeights.Fill(info, 0, expected);
            Assert.True(new ReadOnlySpan<BFloat16>(data.Pointer, expected.Length).SequenceEqual(expected), info.Name);
        }
    }

    private static void AssertTokens(Tokenizer tokenizer, int vocabulary)
    {
        Assert.Equal(vocabulary, tokenizer.VocabularySize);
        string[] tokens = ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", "[SEG]", "<p>",
            "</p>", "<vp>", "</vp>"];
        for (int i = 0; i < tokens.Length; i++)
        {
            Assert.True(tokenizer.TryGetId(tokens[i], out int id), tokens[i]);
            Assert.Equal(vocabulary - 14 + i, id);
        }
    }

    private static Sa2VAConfig ReadBack(Sa2VAConfig config)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream)) SyntheticConfigFile.Write(json, config);
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        return Sa2VAConfig.Read(document.RootElement, "config.json");
    }

    private static IEnumerable<string> Names(string folder) =>
        Directory.EnumerateFileSystemEntries(folder).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal);

    // Small enough for a test with a whole vocabulary, and off every default.
    private static Sa2VAConfig Small(LanguageKind kind, int vocabulary) => new()
    {
        Family = ModelFamilies.InternVl,
        Vision = new InternVitConfig
        {
            HiddenSize = 12, Layers = 2, Heads = 3, IntermediateSize = 20, PatchSize = 7, ImageSize = 28, TileSize = 56,
                RmsNorm = kind == LanguageKind.Qwen3,
            Epsilon = 1e-5f, QkvBias = true, QkNormalization = false, SelectedLayers = 1,
            TransposedShuffle = kind == LanguageKind.InternLm2,
        },
        Language = new LanguageConfig
        {
            Kind = kind, HiddenSize = 8, Layers = 2, Heads = 2, KvHeads = 1, HeadDim = kind == LanguageKind.Qwen3 ? 6 : 4,
                IntermediateSize = 12,
            VocabularySize = vocabulary, Epsilon = 3e-6f, RopeTheta = 12345.678, MaxPositions = 77, Bias = kind == LanguageKind.Qwen2,
            TiedEmbeddings = kind == LanguageKind.Qwen3,
        },
        Grounding = new GroundingConfig
        {
            ImageSize = 64, EmbedDim = 8, NumHeads = 2, Stages = [1, 2, 1, 1], GlobalAttBlocks = [2], WindowPosEmbedBkgSpatialSize = [3, 5],
                WindowSpec = [4, 2, 2, 3],
            DModel = 32, MemDim = 8, MemoryAttentionLayers = 1, MemoryAttentionFfn = 24, MaskDecoderFfn = 28, IouHeadHidden = 16,
            FuserLayers = 1,
        },
        Template = "phi3_chat",
    };

    private sealed class Reports : IProgress<SynthesisProgress>
    {
        public List<SynthesisProgress> Values { get; } = [];

        public Action? First { get; init; }

        public void Report(SynthesisProgress value)
        {
            if (Values.Count == 0) First?.Invoke();
            Values.Add(value);
        }
    }
}
