using System.Buffers.Binary;
using System.Text.Json;

namespace Sa2VA.Tests.Sessions;

/// <summary>A copy of the bundled checkpoint with some weights changed; deleted at the end.</summary>
internal sealed class SpoiltModel : IDisposable
{
    /// <summary>The largest finite bfloat16.</summary>
    public const ushort Largest = 0x7F7F;

    public const ushort NaN = 0x7FC0;

    private readonly ScratchFolder _folder = new();

    /// <summary>Changes the values of one BF16 tensor, given as bits, with the index of each.</summary>
    public SpoiltModel(string tensor, Func<int, ushort, ushort> change)
    {
        foreach (string file in Directory.GetFiles(Shapes.Folder)) File.Copy(file, Path.Combine(Folder, Path.GetFileName(file)));
        string path = Path.Combine(Folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        int header = checked((int)BinaryPrimitives.ReadInt64LittleEndian(bytes));
        using JsonDocument json = JsonDocument.Parse(bytes.AsMemory(8, header));
        JsonElement entry = json.RootElement.GetProperty(tensor);
        Assert.Equal("BF16", entry.GetProperty("dtype").GetString());
        int[] ends = [.. entry.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt32())];
        Span<byte> values = bytes.AsSpan(8 + header + ends[0], ends[1] - ends[0]);
        for (int i = 0; i < values.Length / 2; i++)
        {
            Span<byte> value = values.Slice(2 * i, 2);
            BinaryPrimitives.WriteUInt16LittleEndian(value, change(i, BinaryPrimitives.ReadUInt16LittleEndian(value)));
        }
        File.WriteAllBytes(path, bytes);
    }

    public string Folder => _folder.Path;

    /// <summary>All values as large as they can be, with their signs: finite, but what is computed with them is not.</summary>
    public static SpoiltModel Overflowing(string tensor) => new(tensor, (_, v) => (ushort)((v & 0x8000) | Largest));

    public void Dispose() => _folder.Dispose();
}
