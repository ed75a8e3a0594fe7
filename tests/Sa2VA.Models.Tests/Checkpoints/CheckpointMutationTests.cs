using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Models.Tests.Tokenizers;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>
/// Ten thousand damaged copies of every part of a checkpoint, a million with <c>./test --full</c>: each is read whole or refused with one
/// line that names the file, in memory of the order of the file's size.
/// </summary>
public sealed class CheckpointMutationTests : IDisposable
{
    private static readonly byte[] Weights = SafetensorsBytes.File(
        "{\"__metadata__\":{\"format\":\"pt\",\"é\":\"\\u00fc\"},"
        + string.Join(',', SafetensorsBytes.Entry("a.weight", "BF16", "[4, 6]", 0, 48),
            SafetensorsBytes.Entry("a.bias", "F32", "[4]", 48, 64),
            SafetensorsBytes.Entry("b", "I64", "[]", 64, 72), SafetensorsBytes.Entry("c", "F8_E4M3", "[3,1]", 72, 75),
            SafetensorsBytes.Entry("d", "F16", "[1,0,2]", 75, 75), SafetensorsBytes.Entry("e", "U8", "[1,2,3,4]", 75, 99),
            SafetensorsBytes.Entry("f", "BOOL", "[1,1,1,1,2]", 99, 101)) + "}   ", 101);

    private readonly ScratchFolder _folder = new();

    public static TheoryData<string> Parts =>
    [
        "config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
            "merges.txt",
        "added_tokens.json", "special_tokens_map.json", "tokenizer.model",
    ];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Parts))]
    public void A_damaged_part_is_read_whole_or_refused_with_one_line(string part)
    {
        Action load = Prepare(part);
        load();
        string path = _folder.At(part);
        byte[] sound = File.ReadAllBytes(path);
        // A table of ids may be as large as the highest id that is allowed; strings are two bytes per character, and an entry of some fifty
        // characters becomes an object, lists and a slot of two tables.
        long most = part.EndsWith("safetensors", StringComparison.Ordinal) ? 96 << 10 : 48 << 20;
        int count = FullRun.Times(10_000, 1_000_000), read = 0, refused = 0;
        for (int seed = 0; seed < count; seed++)
        {
            byte[] damaged = part switch
            {
                "model.safetensors" => Mutation.Apply(sound, seed, 8, HeaderLength),
                "tokenizer.model" => Mutation.Apply(sound, seed, int.MaxValue, _ => 0),
                _ => Mutation.Apply(sound, seed, 0, file => file.Length),
            };
            // A file that is replaced, not overwritten: some file systems write the latter to the disk at once, ten times slower.
            File.Delete(path);
            File.WriteAllBytes(path, damaged);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                load();
                read++;
            }
            catch (CheckpointException e)
            {
                refused++;
                Assert.True(e.Message.Length > 20 && !e.Message.Any(char.IsControl)
                    && e.Message.Contains(_folder.Path, StringComparison.Ordinal), $"{seed}: {e.Message}");
            }
            catch (Exception e) when (e is not CheckpointException)
            {
                Assert.Fail($"{part}, damage {seed}: {e}");
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= most + 64L * damaged.Length,
                $"{part}, damage {seed}: {damaged.Length} bytes of file, {allocated} bytes allocated");
        }
        // The damage must lead to both ends often, or the test says little.
        Assert.InRange(read, count / 100, count - count / 100);
        Assert.Equal(count, read + refused);
    }

    private Action Prepare(string part)
    {
        switch (part)
        {
            case "config.json":
                File.Copy(Path.Combine(Fixtures.Repository, "samples", "models", "sa2va-tiny-shapes", part), _folder.At(part));
                return () => CheckpointTensors.Of(Sa2VAConfig.Read(_folder.Path));
            case "model.safetensors":
                File.WriteAllBytes(_folder.At(part), Weights);
                return () => SafetensorsBytes.ReadAll(_folder.At(part));
            case "model.safetensors.index.json":
                File.WriteAllBytes(_folder.At("model-00001-of-00002.safetensors"), Weights);
                File.WriteAllBytes(_folder.At("model-00002-of-00002.safetensors"),
                    SafetensorsBytes.File("{" + SafetensorsBytes.Entry("z", "U8", "[1]", 0, 1) + "}", 1));
                File.WriteAllText(_folder.At(part), """
                    {"metadata":{"total_size":102},"weight_map":{"a.weight":"model-00001-of-00002.safetensors",
                    "a.bias":"model-00001-of-00002.safetensors",
                    "z":"model-00002-of-00002.safetensors"}}
                    """);
                return () => Checkpoint.Open(_folder.Path).Dispose();
            case "tokenizer.model":
                var pieces = new PieceFile();
                pieces.Pieces.AddRange([("▁a", -1, 1), ("a", -2, 1), ("b", -3, 1), ("ab", -4, 1), ("▁", -5, 1), ("[TOOL]", 0, 4)]);
                pieces.Load(_folder.Path);
                return Tokenize;
            default:
                WriteByteLevelFiles(separate: part is "vocab.json" or "merges.txt");
                return Tokenize;
        }
    }

    private void Tokenize()
    {
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        int[] ids = tokenizer.Encode("he ab, see [SEG] é\n");
        tokenizer.Decode(ids);
        tokenizer.DecodeReference(ids);
    }

    /// <summary>A byte-level tokenizer of 256 bytes, three merges and two added tokens.</summary>
    private void WriteByteLevelFiles(bool separate)
    {
        var vocabulary = new JsonObject();
        for (int b = 0; b < 256; b++) vocabulary[ByteAlphabet.ToChar((byte)b).ToString()] = b;
        string[] merges = ["h e", "s e", "se e"];
        foreach (string merge in merges) vocabulary[merge.Replace(" ", "", StringComparison.Ordinal)] = vocabulary.Count;
        var added = new JsonArray();
        foreach (string name in (string[])["<|end|>", "[SEG]"])
            added.Add(new JsonObject { ["id"] = vocabulary.Count + added.Count, ["content"] = name, ["special"] = true });
        var names = new JsonObject(
            added.Select(a => KeyValuePair.Create(a!["content"]!.GetValue<string>(), (JsonNode?)a["id"]!.DeepClone())));
        if (separate)
        {
            Write("vocab.json", vocabulary);
            File.WriteAllText(_folder.At("merges.txt"), "#version: 0.2\n" + string.Join('\n', merges) + "\n");
        }
        else
        {
            Write("tokenizer.json", new JsonObject
            {
                ["added_tokens"] = added,
                ["normalizer"] = new JsonObject { ["type"] = "NFC" },
                ["pre_tokenizer"] = new JsonObject
                {
                    ["type"] = "Sequence",
                    ["pretokenizers"] = new JsonArray(
                        new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = Qwen2PreTokenizer.Pattern } },
                        new JsonObject { ["type"] = "ByteLevel" }),
                },
                ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)m)]) },
            });
        }
        Write("added_tokens.json", names);
        Write("tokenizer_config.json", new JsonObject
        {
            ["tokenizer_class"] = "Qwen2Tokenizer",
            ["eos_token"] = "<|end|>",
            ["pad_token"] = new JsonObject { ["content"] = "<|end|>", ["lstrip"] = false },
            ["added_tokens_decoder"] = new JsonObject { ["259"] = new JsonObject { ["content"] = "<|end|>", ["special"] = true } },
        });
        Write("special_tokens_map.json",
            new JsonObject { ["eos_token"] = "<|end|>", ["additional_special_tokens"] = new JsonArray("[SEG]") });

        void Write(string name, JsonNode root) =>
            File.WriteAllText(_folder.At(name), root.ToJsonString(new JsonSerializerOptions { WriteIndented = name != "vocab.json" }));
    }

    private static int HeaderLength(byte[] file) =>
        file.Length < 8 ? 0 : (int)Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(file), 0, file.Length - 8);
}
