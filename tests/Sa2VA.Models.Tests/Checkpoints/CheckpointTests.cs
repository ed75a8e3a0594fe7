using Sa2VA.Core;
using Sa2VA.Tests;
using static Sa2VA.Models.Tests.SafetensorsBytes;
using File = System.IO.File;

namespace Sa2VA.Models.Tests;

public sealed class CheckpointTests : IDisposable
{
    private const string Index = "model.safetensors.index.json";
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public unsafe void Shards_open_as_one_checkpoint()
    {
        Shard("s1.safetensors", "b", "a");
        Shard("s2.safetensors", "c");
        Text(Index, """{"metadata":{"total_size":3},"weight_map":{"a":"s1.safetensors","b":"s1.safetensors","c":"s2.safetensors"}}""");
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(["a", "b", "c"], checkpoint.Names);
        Assert.Equal(3, checkpoint.Bytes);
        Assert.Equal([_folder.At("s1.safetensors"), _folder.At("s2.safetensors")], checkpoint.Files);
        using WeightData a = ((IWeightSource)checkpoint).Open("a");
        Assert.Equal(7, *a.Pointer);
        Assert.False(checkpoint.TryDescribe("d", out _));
        Assert.Contains("'d'", Assert.Throws<CheckpointException>(() => ((IWeightSource)checkpoint).Open("d")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public unsafe void A_tensor_that_is_open_outlives_its_checkpoint()
    {
        Shard("model.safetensors", "b", "a");
        Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        WeightData a = ((IWeightSource)checkpoint).Open("a");
        checkpoint.Dispose();
        checkpoint.Dispose();
        Assert.Equal(7, *a.Pointer);
        Assert.Throws<ObjectDisposedException>(() => ((IWeightSource)checkpoint).Open("a"));
        a.Dispose();
        a.Dispose();
        Assert.Throws<ObjectDisposedException>(() => (nint)a.Pointer);
    }

    [Fact]
    public unsafe void A_qwen_vl_kind_without_its_wrappers_prefix_has_the_names_with_it()
    {
        Shard("model.safetensors", "lm_head.weight", "model.language_model.norm.weight", "model.visual.merger.ln_q.weight",
            "text_hidden_fcs.0.bias");
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(["model.lm_head.weight", "model.model.language_model.norm.weight", "model.model.visual.merger.ln_q.weight",
            "text_hidden_fcs.0.bias"], checkpoint.Names);
        Assert.True(checkpoint.TryDescribe("model.model.language_model.norm.weight", out WeightInfo info));
        Assert.Equal("model.model.language_model.norm.weight", info.Name);
        using WeightData norm = ((IWeightSource)checkpoint).Open("model.model.language_model.norm.weight");
        Assert.Equal(7, *norm.Pointer);
        Assert.False(checkpoint.Contains("lm_head.weight"));
    }

    [Fact]
    public void The_sharded_fixture_opens()
    {
        string folder = Fixtures.Model("internvl-qwen2");
        Assert.SkipUnless(Directory.Exists(folder), "Not among the fixtures that every clone carries.");
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        Assert.Equal(3, checkpoint.Files.Count);
    }

    [Fact]
    public unsafe void A_tensor_in_two_shards_is_read_from_the_one_that_the_index_names()
    {
        Shard("s1.safetensors", "a", "b");
        Shard("s2.safetensors", "b", "a");
        Text(Index, """{"weight_map":{"a":"s2.safetensors","b":"s1.safetensors"}}""");
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        using WeightData a = ((IWeightSource)checkpoint).Open("a");
        using WeightData b = ((IWeightSource)checkpoint).Open("b");
        Assert.Equal((7, 7), (*a.Pointer, *b.Pointer));
    }

    [Theory]
    [InlineData("../x.safetensors")]
    [InlineData("/x.safetensors")]
    [InlineData("sub/x.safetensors")]
    [InlineData("..\\\\x.safetensors")]
    [InlineData("C:x.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a\\u0000b")]
    public void A_shard_outside_the_folder(string shard)
    {
        Text(Index, $$$"""{"weight_map":{"a":"{{{shard}}}"}}""");
        Refused("same folder");
    }

    [Fact]
    public void A_shard_that_is_no_string()
    {
        Text(Index, """{"weight_map":{"a":1}}""");
        Refused("'a'");
    }

    [Fact]
    public void A_shard_that_is_missing()
    {
        Text(Index, """{"weight_map":{"a":"s1.safetensors"}}""");
        Refused("s1.safetensors");
    }

    [Fact]
    public void A_tensor_that_its_shard_does_not_hold()
    {
        Shard("s1.safetensors", "a");
        Text(Index, """{"weight_map":{"a":"s1.safetensors","b":"s1.safetensors"}}""");
        Refused("'b'");
    }

    [Fact]
    public void A_tensor_that_the_index_lists_twice()
    {
        Shard("s1.safetensors", "a");
        Shard("s2.safetensors", "a");
        Text(Index, """{"weight_map":{"a":"s1.safetensors","a":"s2.safetensors"}}""");
        Refused("lists the field 'a' twice");
    }

    [Theory]
    [InlineData("{}", "weight_map")]
    [InlineData("""{"weight_map":[]}""", "weight_map")]
    [InlineData("""{"weight_map":{}}""", "weight_map")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{", "not valid JSON")]
    [InlineData("", "is empty")]
    [InlineData("""{"weight_map":{"\ud800":"s1.safetensors"}}""", "surrogate")]
    [InlineData("""{"weight_map":{"a":"\uDC00"}}""", "surrogate")]
    public void An_index_that_is_none(string json, string why)
    {
        Text(Index, json);
        Refused(why);
    }

    [Theory]
    [InlineData(Index)]
    [InlineData("model.safetensors")]
    public void A_pipe_in_the_place_of_a_file(string name)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) return;
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [_folder.At(name)])) mkfifo.WaitForExit();
        Refused("pipe");
        // A shell's <(…) is a link of the system's to what has no path.
        if (!OperatingSystem.IsLinux()) return;
        File.Delete(_folder.At(name));
        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream();
        File.CreateSymbolicLink(_folder.At(name), $"/proc/self/fd/{pipe.SafePipeHandle.DangerousGetHandle()}");
        Refused("it is a pipe; a regular file is needed");
    }

    [Fact]
    public void An_index_in_another_encoding()
    {
        File.WriteAllBytes(_folder.At(Index), [.. "{\"a"u8, 0xE9, .. "\":1}"u8]);
        Refused("UTF-8");
    }

    [Fact]
    public void An_index_nested_without_end()
    {
        Text(Index, new string('[', 100_000));
        Refused("JSON");
    }

    [Fact]
    public void A_single_file_is_preferred_to_an_index()
    {
        Shard("model.safetensors", "a");
        Text(Index, "broken");
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(["a"], checkpoint.Names);
    }

    [Theory]
    [InlineData("language_model.model.layers.0.self_attn.q_proj.lora_A.default.weight")]
    [InlineData("base_model.model.mlp1.0.weight")]
    public void Lora_wrapped_names(string name)
    {
        Shard("model.safetensors", "a", name);
        Refused("merge_and_unload");
    }

    [Fact]
    public void An_adapter_alone()
    {
        Shard("adapter_model.safetensors", "a");
        Text("adapter_config.json", "{}");
        Refused("adapter");
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.pth")]
    [InlineData("model.pt")]
    public void Pickled_weights_alone(string name)
    {
        Text(name, "");
        Refused("safe_serialization");
    }

    [Fact]
    public void An_empty_folder() => Refused("model.safetensors");

    [Fact]
    public void A_missing_folder() => Assert.Contains("There is no folder",
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.At("none"))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_config_that_is_missing()
    {
        Assert.Contains("config.json", Assert.Throws<CheckpointException>(() => Sa2VAConfig.Read(_folder.Path)).Message,
            StringComparison.Ordinal);
        Assert.Contains("no folder", Assert.Throws<CheckpointException>(() => Sa2VAConfig.Read(_folder.At("none"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_checkpoint_leaves_no_file_open()
    {
        Shard("s1.safetensors", "a");
        Text(Index, """{"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}""");
        Refused("s2.safetensors");
        using var exclusive = new FileStream(_folder.At("s1.safetensors"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    // One byte per tensor: 0, 7, 14, …
    private void Shard(string name, params string[] tensors) => File.WriteAllBytes(_folder.At(name),
        SafetensorsBytes.File("{" + string.Join(',', tensors.Select((t, i) => Entry(t, "U8", "[1]", i, i + 1))) + "}", tensors.Length));

    private void Text(string name, string text) => File.WriteAllText(_folder.At(name), text);

    private void Refused(string why)
    {
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
        Assert.Contains(why, error.Message[error.Message.IndexOf(_folder.Path, StringComparison.Ordinal)..], StringComparison.Ordinal);
    }
}
