using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>Golden files that a test makes or changes, in a folder of its own that is removed afterwards.</summary>
internal sealed class TestGolden : IDisposable
{
    private readonly ScratchFolder _scratch = new();
    private readonly List<Stored> _tensors = [];

    public Dictionary<string, string> Metadata { get; } =
        new() { ["format"] = GoldenFile.Format, ["model"] = "", ["prefix"] = "", ["params"] = "{}", ["note"] = "" };

    public string Folder => _scratch.Path;

    /// <summary>y = x·Wᵀ + b of two rows: 1·2 + 2·3 + 10 and so on.</summary>
    public static TestGolden Linear()
    {
        var golden = new TestGolden();
        golden.Metadata["stage"] = "op.linear";
        golden.Add("in.x", [2, 2], [1, 2, 3, 4]).Add("w.weight", [1, 2], [2, 3]).Add("w.bias", [1], [10]).Add("out.y", [2, 1], [18, 28]);
        return golden;
    }

    /// <summary>Takes over a golden file, tensor by tensor.</summary>
    public static TestGolden CopyOf(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        var golden = new TestGolden();
        foreach (JsonProperty p in json.RootElement.EnumerateObject())
        {
            if (p.Name == "__metadata__")
            {
                foreach (JsonProperty m in p.Value.EnumerateObject()) golden.Metadata[m.Name] = m.Value.GetString()!;
                continue;
            }
            int begin = p.Value.GetProperty("data_offsets")[0].GetInt32(), end = p.Value.GetProperty("data_offsets")[1].GetInt32();
            golden._tensors.Add(new Stored(p.Name, p.Value.GetProperty("dtype").GetString()!,
                [.. p.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32())],
                file[(8 + header + begin)..(8 + header + end)]));
        }
        return golden;
    }

    public TestGolden Add(string name, int[] dims, float[] values) =>
        Add(name, "F32", dims, MemoryMarshal.AsBytes<float>(values).ToArray());

    public TestGolden Add(string name, string type, int[] dims, byte[] bytes)
    {
        _tensors.Add(new Stored(name, type, dims, bytes));
        return this;
    }

    public TestGolden Remove(string name)
    {
        Assert.Equal(1, _tensors.RemoveAll(t => t.Name == name));
        return this;
    }

    public IReadOnlyList<string> Names => [.. _tensors.Select(t => t.Name)];

    /// <summary>Gives a tensor other extents: one, or one more than it had.</summary>
    public TestGolden Reshape(string name, bool flat) =>
        Replace(name, t => t with { Dims = flat ? [t.Dims.Aggregate(1, (a, b) => a * b)] : [1, .. t.Dims] });

    /// <summary>Reads a tensor's bytes as another type of the same size.</summary>
    public TestGolden Retype(string name) =>
        Replace(name, t => t with { Type = t.Type switch { "F32" => "I32", "I32" => "F32", "I64" => "F64", "U8" => "BOOL", _ => "I16" } });

    /// <summary>Changes one element: floats by a tenth of the tensor's largest magnitude and 0.001, integers by 1.</summary>
    public TestGolden Disturb(string name, int element = 0)
    {
        (string _, string type, int[] _, byte[] bytes) = _tensors.Single(t => t.Name == name);
        if (type == "F32")
        {
            Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
            float largest = 0;
            foreach (float v in values) largest = Math.Max(largest, Math.Abs(v));
            values[element] += 0.1f * largest + 1e-3f;
        }
        else bytes[element * (type == "I64" ? 8 : type == "I32" ? 4 : 1)] ^= 1;
        return this;
    }

    private TestGolden Replace(string name, Func<Stored, Stored> change)
    {
        int i = _tensors.FindIndex(t => t.Name == name);
        _tensors[i] = change(_tensors[i]);
        return this;
    }

    /// <summary>Makes a weight's first element 1, or −1 where it is 1.</summary>
    public TestGolden SetFirst(string name)
    {
        (string _, string type, int[] _, byte[] bytes) = _tensors.Single(t => t.Name == name);
        Assert.Contains(type, (string[])["F16", "BF16", "F32"]);
        byte[] one = type switch { "F16" => [0x00, 0x3c], "BF16" => [0x80, 0x3f], _ => [0, 0, 0x80, 0x3f] };
        if (bytes.AsSpan(0, one.Length).SequenceEqual(one)) bytes[one.Length - 1] ^= 0x80;
        else one.CopyTo(bytes, 0);
        return this;
    }

    public string Save(string name = "test.safetensors")
    {
        using var data = new MemoryStream();
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__");
            foreach ((string key, string value) in Metadata) writer.WriteString(key, value);
            writer.WriteEndObject();
            foreach ((string tensor, string type, int[] dims, byte[] bytes) in _tensors)
            {
                writer.WriteStartObject(tensor);
                writer.WriteString("dtype", type);
                writer.WriteStartArray("shape");
                foreach (int d in dims) writer.WriteNumberValue(d);
                writer.WriteEndArray();
                writer.WriteStartArray("data_offsets");
                writer.WriteNumberValue(data.Length);
                data.Write(bytes);
                writer.WriteNumberValue(data.Length);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, [.. length, .. json.ToArray(), .. data.ToArray()]);
        return path;
    }

    /// <summary>Saves and verifies.</summary>
    public StageResult Verify(string? modelFolder = null)
    {
        using var verifier = new Verifier(new VerifierOptions { ModelFolder = modelFolder });
        return verifier.Verify(Save(), TestContext.Current.CancellationToken);
    }

    public void Dispose() => _scratch.Dispose();

    private sealed record Stored(string Name, string Type, int[] Dims, byte[] Bytes);
}
