using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>Quantised checkpoints that are not what they say: each is refused in words, before its numbers are believed.</summary>
public sealed class HostileCodesTests : IDisposable
{
    private const string Matrix = "language_model.model.layers.1.mlp.up_proj.weight", Codes = Matrix + ".int4", Scales = Matrix + ".scale";
    private readonly ScratchFolder _folder = new();
    private string? _original;

    public HostileCodesTests() => Quantizer.Write(Fixtures.Model("sa2va-tiny-shapes"), _folder.At("m"), Precision.Int4,
        cancellation: TestContext.Current.CancellationToken);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_entry_that_is_not_known_is_refused()
    {
        Assert.Equal(Precision.Int4, Sa2VAConfig.Read(_folder.At("m")).Quantization!.Precision);
        (string Field, string Value)[] changes =
        [
            ("quant_method", "\"other\""), ("quant_method", "null"), ("version", "2"), ("version", "0"), ("version", "1e99"),
            ("version", "null"), ("bits", "2"), ("bits", "6"), ("bits", "16"), ("bits", "\"4\""), ("bits", "null"), ("head_bits", "4"),
            ("head_bits", "null"), ("group_size", "64"), ("group_size", "-128"), ("group_size", "99999999999"), ("group_size", "null"),
            ("rule", "\"absmax\""), ("rule", "null"), ("zero_point", "true"),
        ];
        foreach ((string field, string value) in changes)
        {
            JsonObject config = Config();
            config["quantization"]![field] = JsonNode.Parse(value);
            string message = Assert.Throws<CheckpointException>(() => Write(config)).Message;
            Assert.True(message.Contains("quantization", StringComparison.Ordinal)
                && message.Contains(field == "quant_method" ? "quantised" : field, StringComparison.Ordinal), message);
        }
        foreach (string value in (string[])["true", "[]", "{}", "\"int4\""])
        {
            JsonObject config = Config();
            config["quantization"] = JsonNode.Parse(value);
            Assert.Throws<CheckpointException>(() => Write(config));
        }
    }

    [Fact]
    public void An_entry_without_codes_and_codes_without_an_entry_are_refused()
    {
        JsonObject config = Config();
        config.Remove("quantization");
        Write(config);
        Assert.Contains("config.json says nothing", Unusable(), StringComparison.Ordinal);
        config = Config();
        config["quantization"]!["bits"] = 8;
        Write(config);
        Assert.Contains("in 4 bits, needs", Unusable(), StringComparison.Ordinal);
        string plain = Fixtures.Model("sa2va-tiny-shapes");
        File.Copy(Path.Combine(plain, "model.safetensors"), _folder.At("m", "model.safetensors"), overwrite: true);
        Assert.Contains("Missing", Unusable(), StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Headers() => new()
    {
        // Scales that are missing, of another type or number; codes of another type, rank or extent.
        { "rename scale", ".scale" },
        { "scale type F16", "F16" },
        { "scale shape 1", "BF16" },
        { "codes type I8", "type or rank" },
        { "codes shape flat", "U8" },
        { "codes shape deep", "U8" },
        { "codes shape swap", "BF16" },
        { "codes renamed int8", "BF16" },
        { "codes shape huge", "not a usable safetensors file" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void A_header_that_does_not_fit_is_refused_when_it_is_opened(string change, string part)
    {
        JsonObject header = ReadHeader();
        JsonObject codes = header[Codes]!.AsObject(), scales = header[Scales]!.AsObject();
        int rows = (int)codes["shape"]![0]!, bytes = (int)codes["shape"]![1]!;
        switch (change)
        {
            case "rename scale": Rename(header, Scales, Matrix + ".scales"); break;
            case "scale type F16": scales["dtype"] = "F16"; break;
            case "scale shape 1": scales["shape"] = new JsonArray((int)scales["shape"]![1]!, (int)scales["shape"]![0]!); break;
            case "codes type I8": codes["dtype"] = "I8"; break;
            case "codes shape flat": codes["shape"] = new JsonArray(rows * bytes); break;
            case "codes shape deep": codes["shape"] = new JsonArray(rows * bytes, 1, 1, 1, 1); break;
            case "codes shape swap": codes["shape"] = new JsonArray(bytes, rows); break;
            case "codes renamed int8": Rename(header, Codes, Matrix + ".int8"); break;
            default: codes["shape"] = new JsonArray(int.MaxValue, int.MaxValue); break;
        }
        WriteHeader(header);
        Assert.Contains(part, Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.At("m"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Codes_of_8_and_of_4_bits_are_refused()
    {
        string header = "{" + string.Join(',', SafetensorsBytes.Entry("w.scale", "BF16", "[2,1]", 0, 4),
            SafetensorsBytes.Entry("w.int8", "U8", "[2,4]", 4, 12), SafetensorsBytes.Entry("w.int4", "U8", "[2,2]", 12, 16)) + "}";
        File.WriteAllBytes(_folder.At("m", "model.safetensors"), SafetensorsBytes.File(header, 16));
        Assert.Contains("8 and in 4 bits", Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.At("m"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Codes_of_another_shape_or_of_what_is_no_matrix_are_refused()
    {
        JsonObject header = ReadHeader();
        JsonObject codes = header[Codes]!.AsObject(), scales = header[Scales]!.AsObject();
        // Half the rows of twice the inputs, whose scales do not fit; and of scales that do.
        codes["shape"] = new JsonArray((int)codes["shape"]![0]! / 2, (int)codes["shape"]![1]! * 2);
        WriteHeader(header);
        Assert.Contains("its scales", Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.At("m"))).Message,
            StringComparison.Ordinal);
        codes["shape"] = new JsonArray((int)scales["shape"]![0]! * 2, (int)codes["shape"]![1]! / 4);
        scales["shape"] = new JsonArray((int)scales["shape"]![0]! * 2, 1);
        WriteHeader(header);
        Assert.Contains("up_proj", Unusable(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x7F80)]
    [InlineData(0xFF80)]
    [InlineData(0x7FC1)]
    [InlineData(0x7F00)]
    public void A_scale_that_is_none_is_refused_when_it_is_read(int bits)
    {
        using var changed = new ChangedCheckpoint(_folder.At("m"), Scales, "BF16", (i, old) => i == 7 ? (ushort)bits : old);
        using Checkpoint checkpoint = Checkpoint.Open(changed.Folder);
        Weight weight = new GraphBuilder("g", checkpoint).Weight(Matrix);
        string message = Assert.Throws<CheckpointException>(() => QuantizedRows.Open(weight, 4)).Message;
        Assert.Contains(Matrix, message, StringComparison.Ordinal);
        Assert.Contains("row ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Codes_are_not_read_as_numbers_nor_in_other_bits()
    {
        using Checkpoint checkpoint = Checkpoint.Open(_folder.At("m"));
        Weight weight = new GraphBuilder("g", checkpoint).Weight(Matrix);
        Assert.Contains("leave out --precision", Assert.Throws<CheckpointException>(() => WeightValues.Open(weight)).Message,
            StringComparison.Ordinal);
        Assert.Contains("in 8 bits is needed", Assert.Throws<CheckpointException>(() => QuantizedRows.Open(weight, 8)).Message,
            StringComparison.Ordinal);
        using QuantizedRows rows = QuantizedRows.Open(weight, 4);
        using WeightData stands = WeightValues.Open(weight, 4);
        Assert.Equal(new WeightInfo(Matrix, DType.BF16, weight.Shape), stands.Info);
        checkpoint.Dispose();
        Assert.Throws<ObjectDisposedException>(() => QuantizedRows.Open(weight, 4));
    }

    private JsonObject Config() => JsonNode.Parse(File.ReadAllText(_original ??= Keep()))!.AsObject();

    private string Keep()
    {
        File.Copy(_folder.At("m", "config.json"), _folder.At("config.json"));
        return _folder.At("config.json");
    }

    private void Write(JsonObject config)
    {
        File.WriteAllText(_folder.At("m", "config.json"), config.ToJsonString());
        Sa2VAConfig.Read(_folder.At("m"));
    }

    private string Unusable()
    {
        using Checkpoint checkpoint = Checkpoint.Open(_folder.At("m"));
        TensorReport report = TensorReport.Of(Sa2VAConfig.Read(_folder.At("m")), checkpoint);
        return Assert.Throws<CheckpointException>(() => report.ThrowUnlessUsable("m")).Message;
    }

    private JsonObject ReadHeader()
    {
        byte[] file = File.ReadAllBytes(_folder.At("m", "model.safetensors"));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        return JsonNode.Parse(file.AsSpan(8, length))!.AsObject();
    }

    private void WriteHeader(JsonObject header)
    {
        string path = _folder.At("m", "model.safetensors");
        byte[] file = File.ReadAllBytes(path), text = System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)text.Length), .. text, .. file[(8 + length)..]]);
    }

    private static void Rename(JsonObject header, string from, string to)
    {
        JsonNode entry = header[from]!.DeepClone();
        header.Remove(from);
        header[to] = entry;
    }
}
