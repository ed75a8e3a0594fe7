using System.Security.Cryptography;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;
using Sa2VA.Tests.Pictures;

namespace Sa2VA.Tests.Families;

/// <summary>Sizes after each resize, and the second resize to the byte.</summary>
public sealed class QwenPictureTests
{
    private static readonly QwenVisionConfig Qwen25 = new() { Kind = QwenVlKind.Qwen25, PatchSize = 14, WindowTokens = 4 };
    private static readonly QwenVisionConfig Qwen3 = new() { Kind = QwenVlKind.Qwen3, PatchSize = 16 };

    [Fact]
    public void Every_recorded_size_is_met()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("preprocess", "smart_resize.json")));
        int refused = 0, rows = 0;
        foreach (JsonElement row in recorded.RootElement.GetProperty("rows").EnumerateArray())
        {
            int?[] r = [.. row.EnumerateArray().Select(v => v.ValueKind == JsonValueKind.Null ? (int?)null : v.GetInt32())];
            (int width, int height) = (r[0]!.Value, r[1]!.Value);
            Check(Qwen25, r[2..4], r[4..7]);
            Check(Qwen3, r[2..4], r[7..10]);
            rows++;

            void Check(QwenVisionConfig config, int?[] first, int?[] last)
            {
                if (last[0] is null)
                {
                    Assert.Throws<MediaException>(() => QwenPicture.Sizes(width, height, config));
                    refused++;
                    return;
                }
                var sizes = QwenPicture.Sizes(width, height, config);
                Assert.Equal((first[0]!.Value, first[1]!.Value), sizes.First);
                Assert.Equal((last[0]!.Value, last[1]!.Value), sizes.Last);
                Assert.Equal(last[2], PatchGrid.Of(sizes.Last.Width, sizes.Last.Height, config).Tokens.Count);
                Assert.True(last[2] <= config.MaxTokens);
            }
        }
        Assert.True(rows >= 50 && refused > 0, $"{rows} rows, {refused} refused");
    }

    [Theory]
    // docs/model/qwen-vl.md#two-resizes: what one resize would give.
    [InlineData(640, 480, 756, 560, 736, 576)]
    [InlineData(640, 427, 784, 532, 800, 544)]
    [InlineData(1280, 720, 1288, 728, 1280, 704)]
    public void One_resize_gives_another_size(int width, int height, int w25, int h25, int w3, int h3)
    {
        Assert.Equal((w25, h25), QwenPicture.Sizes(width, height, Qwen25 with { SingleResize = true }).Last);
        Assert.Equal((w3, h3), QwenPicture.Sizes(width, height, Qwen3 with { SingleResize = true }).Last);
    }

    [Fact]
    public void Every_recorded_second_resize_is_exact()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("preprocess", "torch_bicubic.json")));
        int cases = 0;
        foreach (JsonElement item in recorded.RootElement.GetProperty("cases").EnumerateArray())
        {
            string name = item.GetProperty("in").GetString()!;
            // A bare clone lacks the largest pictures.
            if (!Fixtures.Exists("preprocess", name)) continue;
            int width = item.GetProperty("size")[0].GetInt32(), height = item.GetProperty("size")[1].GetInt32();
            RgbImage resized = TorchBicubic.Resize(TestPng.Rgb(Fixtures.Path("preprocess", name)), width, height);
            Assert.True(item.GetProperty("sha256").GetString() == Convert.ToHexStringLower(SHA256.HashData(resized.Pixels)),
                $"{name} → {width}×{height} differs.");
            cases++;
        }
        Assert.True(cases > 50, $"{cases} cases");
    }
}
