using System.Buffers.Binary;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>The tables, bit for bit.</summary>
public sealed class NormalisationTests
{
    public static TheoryData<string> Names =>
        ["internvl.f32", "internvl.bf16", "sam2_image.f32", "sam2_video.f32", "sam2_image.bf16", "sam2_video.bf16",
            "qwen2_5.f32", "qwen3.f32"];

    [Theory, MemberData(nameof(Names))]
    public void Table_is_exact(string name)
    {
        float[] table = name switch
        {
            "internvl.f32" => Normalisation.InternVl,
            "internvl.bf16" => Normalisation.InternVlBf16,
            "qwen2_5.f32" => Normalisation.Qwen25,
            "qwen3.f32" => Normalisation.Qwen3,
            "sam2_image.bf16" => Normalisation.GroundingImageBf16,
            "sam2_video.bf16" => Normalisation.GroundingVideoBf16,
            _ => Normalisation.GroundingF32,
        };
        byte[] file = File.ReadAllBytes(Fixtures.Path("preprocess", "normalise.safetensors"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        JsonElement entry = json.RootElement.GetProperty(name);
        ReadOnlySpan<byte> data = file.AsSpan(8 + header + entry.GetProperty("data_offsets")[0].GetInt32());
        Assert.Equal(768, table.Length);
        for (int i = 0; i < table.Length; i++)
        {
            float expected = name.EndsWith("bf16", StringComparison.Ordinal)
                ? new BFloat16(BinaryPrimitives.ReadUInt16LittleEndian(data[(2 * i)..])).ToSingle()
                : BinaryPrimitives.ReadSingleLittleEndian(data[(4 * i)..]);
            Assert.True(BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(table[i]),
                $"{name}: channel {i / 256}, level {i % 256} is {table[i]:R}, not {expected:R}.");
        }
    }
}
