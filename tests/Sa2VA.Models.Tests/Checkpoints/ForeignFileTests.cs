using System.IO.Compression;
using System.Text;
using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>What commonly stands in the place of a checkpoint, or of one of its files, is called by its name with what to do.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private static readonly string Source = Fixtures.Model("sa2va-tiny-shapes");

    private static readonly Dictionary<string, (byte[] Content, string Says)> Foreign = new()
    {
        ["lfs pointer"] = ([.. "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3958\n"u8], "git lfs pull"),
        ["html"] = ([.. "<!DOCTYPE html>\n<html><head><title>Sign in</title>"u8], "web page"),
        ["html after a blank line"] = ([.. "\r\n  <HTML>\n"u8], "web page"),
        ["xml"] = ([.. "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"u8], "web page"),
        ["empty"] = ([], "is empty"),
        ["zip"] = ([0x50, 0x4B, 3, 4, 20, 0, 0, 0, 8, 0], "zip archive"),
        ["gzip"] = ([0x1F, 0x8B, 8, 0, 0, 9, 9, 9, 9, 9], "gzip archive"),
        ["gguf"] = ([.. "GGUF"u8, 3, 0, 0, 0, 1, 0], "GGUF"),
        ["utf-16"] = ([0xFF, 0xFE, .. Encoding.Unicode.GetBytes("{\"a\": 1}")], "UTF-16"),
        ["zeros"] = (new byte[4096], "begins with zeros"),
    };

    private readonly ScratchFolder _folder = new();

    public static TheoryData<string, string> Places()
    {
        var data = new TheoryData<string, string>();
        foreach (string kind in Foreign.Keys)
            foreach (string file in (string[])["config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json",
                "tokenizer_config.json",
                "added_tokens.json", "special_tokens_map.json", "vocab.json", "merges.txt", "tokenizer.model"])
                data.Add(kind, file);
        return data;
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Places))]
    public void A_file_that_is_something_else(string kind, string file)
    {
        CopyCheckpoint();
        (byte[] content, string says) = Foreign[kind];
        if (file is "vocab.json" or "merges.txt") File.Delete(_folder.At("tokenizer.json"));
        if (file == "model.safetensors.index.json") File.Delete(_folder.At("model.safetensors"));
        if (file == "tokenizer.model")
            foreach (string other in (string[])["tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"])
                File.Delete(_folder.At(other));
        File.WriteAllBytes(_folder.At(file), content);
        Refused(_folder.Path, _folder.At(file), says);
    }

    [Theory]
    [InlineData("Entry not found")]
    [InlineData("Access to model ByteDance/Sa2VA-4B is restricted. You must be authenticated to access it.")]
    [InlineData("{\"error\":\"Invalid username or password.\"}")]
    public void Weights_that_are_a_message(string text)
    {
        CopyCheckpoint();
        File.WriteAllText(_folder.At("model.safetensors"), text);
        Refused(_folder.Path, text[..15], "download the file again");
    }

    [Fact]
    public void A_configuration_that_is_a_message()
    {
        CopyCheckpoint();
        File.WriteAllText(_folder.At("config.json"), """{"error":"Repository not found"}""");
        Refused(_folder.Path, "error message");
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("added_tokens.json")]
    [InlineData("special_tokens_map.json")]
    [InlineData("vocab.json")]
    [InlineData("merges.txt")]
    public void A_byte_order_mark_is_read_over(string file)
    {
        CopyCheckpoint();
        if (file is "vocab.json" or "merges.txt") File.Delete(_folder.At("tokenizer.json"));
        if (file.EndsWith("index.json", StringComparison.Ordinal))
        {
            File.Move(_folder.At("model.safetensors"), _folder.At("weights.safetensors"));
            File.WriteAllText(_folder.At(file), """{"weight_map":{"mlp1.0.bias":"weights.safetensors"}}""");
        }
        File.WriteAllBytes(_folder.At(file), [0xEF, 0xBB, 0xBF, .. File.ReadAllBytes(_folder.At(file))]);
        Load(_folder.Path);
    }

    [Theory]
    [InlineData("""{"a":1,"a":1}""", "field 'a' twice")]
    [InlineData("""{"b":{"a":1,"\u0061":2}}""", "field 'a' twice")]
    [InlineData("""{"a":NaN}""", "NaN and Infinity")]
    [InlineData("""{"a":Infinity}""", "NaN and Infinity")]
    [InlineData("{\"a\":1,\n}", "comma has nothing behind it (line 2")]
    [InlineData("{\n// note\n\"a\":1}", "comments")]
    [InlineData("{'a':1}", "double quotes")]
    [InlineData("{\"a\":[1,2", "breaks off")]
    [InlineData("{\"a\":", "breaks off")]
    [InlineData("{\"a\":True}", "'T' cannot stand at line 1")]
    public void Json_that_is_none_says_why_and_where(string json, string says)
    {
        CopyCheckpoint();
        foreach (string file in (string[])["added_tokens.json", "config.json"])
        {
            byte[] was = File.ReadAllBytes(_folder.At(file));
            File.WriteAllText(_folder.At(file), json);
            Refused(_folder.Path, _folder.At(file), says);
            File.WriteAllBytes(_folder.At(file), was);
        }
        File.WriteAllText(_folder.At("config.json"), string.Concat(Enumerable.Repeat("{\"a\":", 100)) + "1" + new string('}', 100));
        Refused(_folder.Path, "nests deeper");
    }

    [Theory]
    [InlineData(".aria2")]
    [InlineData(".part")]
    [InlineData(".incomplete")]
    [InlineData(".crdownload")]
    public void A_download_that_has_not_finished(string suffix)
    {
        CopyCheckpoint();
        if (suffix == ".aria2") File.WriteAllBytes(_folder.At("model.safetensors.aria2"), [1]);
        else File.Move(_folder.At("model.safetensors"), _folder.At("model.safetensors" + suffix));
        Refused(_folder.Path, "model.safetensors" + suffix, "has not finished");
    }

    [Fact]
    public void A_download_of_huggingface_hub_that_has_not_finished()
    {
        CopyCheckpoint();
        Directory.CreateDirectory(_folder.At(".cache/huggingface/download"));
        File.Move(_folder.At("model.safetensors"), _folder.At(".cache/huggingface/download/model.safetensors.0f3a.incomplete"));
        Refused(_folder.Path, "0f3a.incomplete", "has not finished");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(300)]
    [InlineData(100_000)]
    [InlineData(6_000_000)]
    public void Weights_that_break_off(int bytes)
    {
        CopyCheckpoint();
        using (FileStream file = File.OpenWrite(_folder.At("model.safetensors"))) file.SetLength(bytes);
        Refused(_folder.Path, _folder.At("model.safetensors"), bytes < 8 ? "too few" : "cut off");
    }

    [Theory]
    [InlineData("pytorch_model.bin", "convert them to safetensors")]
    [InlineData("model.gguf", "GGUF")]
    [InlineData("model.onnx", "ONNX")]
    [InlineData("tf_model.h5", "another framework")]
    [InlineData("flax_model.msgpack", "another framework")]
    [InlineData("model.zip", "unpack")]
    [InlineData("consolidated.safetensors", "neither model.safetensors")]
    [InlineData("model-00001-of-00002.safetensors", "without their model.safetensors.index.json")]
    public void Weights_of_another_kind(string file, string says)
    {
        CopyCheckpoint();
        File.Move(_folder.At("model.safetensors"), _folder.At(file));
        Refused(_folder.Path, file, says);
    }

    [Fact]
    public void Shards_that_are_missing_or_not_listed()
    {
        CopyCheckpoint();
        string index = _folder.At("model.safetensors.index.json");
        File.Move(_folder.At("model.safetensors"), _folder.At("model-00001-of-00003.safetensors"));
        File.WriteAllText(index,
            """{"weight_map":{"mlp1.0.bias":"model-00001-of-00003.safetensors","""
            + "\"a\":\"model-00002-of-00003.safetensors\",\"b\":\"model-00003-of-00003.safetensors\"}}");
        Refused(_folder.Path, "2 of the 3 files", "model-00002-of-00003.safetensors");
        File.WriteAllText(index,
            """{"weight_map":{"mlp1.0.bias":"model-00001-of-00003.safetensors","a":"model-00002-of-00003.safetensors"}}""");
        File.WriteAllBytes(_folder.At("model-00002-of-00003.safetensors.part"), [1]);
        Refused(_folder.Path, "model-00002-of-00003.safetensors.part", "has not finished");
        File.WriteAllText(index, """{"weight_map":{"mlp1.0.bias":"model-00001-of-00003.safetensors"}}""");
        File.Copy(_folder.At("model-00001-of-00003.safetensors"), _folder.At("model-00003-of-00003.safetensors"));
        Refused(_folder.Path, "does not list 'model-00003-of-00003.safetensors'", "different downloads");
    }

    [Fact]
    public void A_folder_one_level_too_high_or_too_low()
    {
        string inner = _folder.At("Sa2VA-1B");
        Copy(inner);
        Refused(_folder.Path, $"'{inner}' below it");
        Directory.CreateDirectory(Path.Combine(inner, "assets"));
        Refused(Path.Combine(inner, "assets"), $"'{inner}' above it");
        Copy(_folder.At("other"));
        Refused(_folder.Path, "several folders", inner, _folder.At("other"));
    }

    [Fact]
    public void The_cache_of_huggingface_hub()
    {
        string model = _folder.At("models--ByteDance--Sa2VA-1B"), revision = Path.Combine(model, "snapshots", "1f3ab0");
        Copy(revision);
        foreach (string given in (string[])[_folder.Path, model, Path.Combine(model, "snapshots")])
            Refused(given, $"'{revision}' below it");
        Load(revision);
        using (Checkpoint checkpoint = Checkpoint.Open(revision + "/")) Assert.Equal("Sa2VA-1B", checkpoint.Name);
        const string Complete = "Complete it: hf download ByteDance/Sa2VA-1B";
        File.WriteAllText(Path.Combine(revision, "model.safetensors.index.json"), """{"weight_map":{"a":"1.safetensors"}}""");
        File.Delete(Path.Combine(revision, "model.safetensors"));
        Refused(revision, "1.safetensors", Complete);
        File.WriteAllText(Path.Combine(revision, "model.safetensors.index.json"),
            """{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        Refused(revision, "2 of the 2 files", Complete);
        File.Delete(Path.Combine(revision, "config.json"));
        Refused(revision, "config.json", Complete);
    }

    [Theory]
    [InlineData("models--gpt/snapshots/1", "gpt")]
    [InlineData("models--a--b--c/snapshots/1", "b--c")]
    [InlineData("models--/snapshots/1", "1")]
    [InlineData("snapshots/1", "1")]
    [InlineData("models--a--b/1", "1")]
    public void The_name_of_a_checkpoint(string path, string name)
    {
        Copy(_folder.At(path));
        using Checkpoint checkpoint = Checkpoint.Open(_folder.At(path));
        Assert.Equal(name, checkpoint.Name);
    }

    [Fact]
    public void Something_that_is_no_folder()
    {
        CopyCheckpoint();
        Refused(_folder.At("model.safetensors"), "is a file", $"'{_folder.Path}'");
        Refused(_folder.At("config.json"), "is a file", $"'{_folder.Path}'");
        string archive = _folder.At("sa2va.zip");
        using (ZipArchive zip = ZipFile.Open(archive, ZipArchiveMode.Create)) zip.CreateEntry("config.json");
        Refused(archive, "is a file", "zip archive");
        Refused("ByteDance/Sa2VA-4B", "hf download ByteDance/Sa2VA-4B --local-dir Sa2VA-4B");
        Refused("https://huggingface.co/ByteDance/Sa2VA-4B/tree/main", "hf download ByteDance/Sa2VA-4B");
        Refused(_folder.At("none"), "There is no folder");
    }

    [Fact]
    public void A_folder_with_an_archive_alone()
    {
        File.WriteAllBytes(_folder.At("Sa2VA-1B.tar"), [1]);
        Refused(_folder.Path, "unpack", "Sa2VA-1B.tar");
    }

    [Fact]
    public void A_link_into_a_cache_that_was_emptied()
    {
        CopyCheckpoint();
        foreach (string file in (string[])["config.json", "model.safetensors", "tokenizer.json"])
        {
            byte[] was = File.ReadAllBytes(_folder.At(file));
            File.Delete(_folder.At(file));
            try
            {
                File.CreateSymbolicLink(_folder.At(file), _folder.At("blobs-gone"));
            }
            catch (IOException)
            {
                Assert.Skip("Links cannot be made here.");
            }
            if (file != "tokenizer.json") Refused(_folder.Path, file, "link to", "not there");
            File.Delete(_folder.At(file));
            File.WriteAllBytes(_folder.At(file), was);
        }
    }

    private void CopyCheckpoint() => Copy(_folder.Path);

    private static void Copy(string target)
    {
        Directory.CreateDirectory(target);
        foreach (string file in Directory.EnumerateFiles(Source)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }

    private static void Load(string folder)
    {
        Sa2VAConfig.Read(folder);
        Checkpoint.Open(folder).Dispose();
        Tokenizer.Load(folder);
    }

    private static void Refused(string folder, params string[] words)
    {
        string message = Assert.Throws<CheckpointException>(() => Load(folder)).Message;
        foreach (string word in words) Assert.Contains(word, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
