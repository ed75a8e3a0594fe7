using System.Buffers.Binary;
using System.Text;
using Sa2VA.Core;

namespace Sa2VA.Models.Tests;

/// <summary>Safetensors files made by hand, right or wrong, and what reading them gives.</summary>
internal static class SafetensorsBytes
{
    /// <summary>The bytes of a file: length field, header, data.</summary>
    public static byte[] File(string header, int dataLength) => File(Encoding.UTF8.GetBytes(header), dataLength);

    public static byte[] File(ReadOnlySpan<byte> header, int dataLength)
    {
        var bytes = new byte[8 + header.Length + dataLength];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes.AsSpan(8));
        for (int i = 0; i < dataLength; i++) bytes[8 + header.Length + i] = (byte)(i * 7);
        return bytes;
    }

    /// <summary>One tensor as a header lists it.</summary>
    public static string Entry(string name, string type, string shape, long begin, long end) =>
        FormattableString.Invariant($"\"{name}\":{{\"dtype\":\"{type}\",\"shape\":{shape},\"data_offsets\":[{begin},{end}]}}");

    /// <summary>Opens the file and reads every byte of every tensor; the error says why it cannot be used.</summary>
    public static unsafe long ReadAll(string path)
    {
        using var file = new SafetensorsFile(path);
        long sum = 0;
        foreach (SafetensorsEntry entry in file.Entries)
        {
            Assert.True(file.Contains(entry.Name));
            if (!file.TryDescribe(entry.Name, out WeightInfo info))
            {
                Assert.Contains(entry.TypeName, Assert.Throws<CheckpointException>(() => file.Open(entry.Name)).Message,
                    StringComparison.Ordinal);
                continue;
            }
            Assert.Equal(entry.End - entry.Begin, info.Bytes);
            using WeightData data = file.Open(entry.Name);
            foreach (byte b in new ReadOnlySpan<byte>(data.Pointer, checked((int)info.Bytes))) sum += b;
        }
        return sum;
    }
}
