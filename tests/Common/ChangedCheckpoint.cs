using System.Buffers.Binary;
using System.Text.Json;

namespace Sa2VA.Tests;

/// <summary>A copy of a checkpoint's folder with some weights changed; deleted at the end.</summary>
internal sealed class ChangedCheckpoint : IDisposable
{
    private readonly ScratchFolder _copy = new();

    /// <summary>Changes the values of one tensor.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="tensor">A tensor of 16 bits.</param>
    /// <param name="type">BF16 or F16: it must be of this type.</param>
    /// <param name="change">Gives a value's new bits, from its index and its bits.</param>
    public ChangedCheckpoint(string folder, string tensor, string type, Func<int, ushort, ushort> change)
    {
        bool found = false;
        foreach (string file in Directory.GetFiles(folder))
        {
            byte[] bytes = File.ReadAllBytes(file);
            if (Path.GetExtension(file) == ".safetensors") found |= Change(bytes, tensor, type, change);
            File.WriteAllBytes(Path.Combine(Folder, Path.GetFileName(file)), bytes);
        }
        Assert.True(found, $"'{folder}' has no {tensor} of {type}.");
    }

    public string Folder => _copy.Path;

    public void Dispose() => _copy.Dispose();

    private static bool Change(byte[] bytes, string tensor, string type, Func<int, ushort, ushort> change)
    {
        int header = checked((int)BinaryPrimitives.ReadInt64LittleEndian(bytes));
        using JsonDocument json = JsonDocument.Parse(bytes.AsMemory(8, header));
        if (!json.RootElement.TryGetProperty(tensor, out JsonElement entry) || entry.GetProperty("dtype").GetString() != type) return false;
        int[] ends = [.. entry.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt32())];
        Span<byte> values = bytes.AsSpan(8 + header + ends[0], ends[1] - ends[0]);
        for (int i = 0; i < values.Length / 2; i++)
        {
            Span<byte> value = values.Slice(2 * i, 2);
            BinaryPrimitives.WriteUInt16LittleEndian(value, change(i, BinaryPrimitives.ReadUInt16LittleEndian(value)));
        }
        return true;
    }
}
