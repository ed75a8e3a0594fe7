using System.Security.Cryptography;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Pictures;

/// <summary>Every recorded resize, to the byte.</summary>
public sealed class PillowBicubicTests
{
    [Fact]
    public void Every_recorded_case_is_exact()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("preprocess", "pil_bicubic.json")));
        var resizer = new PillowBicubic();
        int cases = 0, missing = 0;
        foreach (JsonElement item in recorded.RootElement.GetProperty("cases").EnumerateArray())
        {
            string name = item.GetProperty("in").GetString()!;
            if (!Fixtures.Exists("preprocess", name))
            {
                missing++;
                continue;
            }
            RgbImage image = TestPng.Rgb(Fixtures.Path("preprocess", name));
            int width = item.GetProperty("size")[0].GetInt32(), height = item.GetProperty("size")[1].GetInt32();
            var pixels = new byte[width * height * 3];
            resizer.Resize(image.View, pixels, width, height);
            if (item.TryGetProperty("out", out JsonElement file))
            {
                RgbImage expected = TestPng.Rgb(Fixtures.Path("preprocess", file.GetString()!));
                Assert.True(expected.Pixels.SequenceEqual(pixels), $"{name} → {width}×{height}: pixels differ from {file}.");
            }
            else
            {
                JsonElement crop = item.GetProperty("crop");
                int left = crop.GetProperty("x").GetInt32(), top = crop.GetProperty("y").GetInt32(),
                    columns = crop.GetProperty("w").GetInt32();
                int i = 0;
                foreach (JsonElement value in crop.GetProperty("rgb").EnumerateArray())
                {
                    int y = top + i / (3 * columns), x = left * 3 + i % (3 * columns);
                    Assert.True(value.GetInt32() == pixels[y * width * 3 + x],
                        $"{name} → {width}×{height}: value ({x}, {y}) is {pixels[y * width * 3 + x]}, not {value}.");
                    i++;
                }
            }
            Assert.Equal(item.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(pixels)));
            cases++;
        }
        Assert.Equal(250, cases + missing);
        // A bare clone lacks the four largest pictures.
        Assert.InRange(missing, 0, Fixtures.IsComplete ? 0 : 50);
    }

    [Fact]
    public void A_stream_of_equal_frames_allocates_nothing()
    {
        var resizer = new PillowBicubic();
        byte[] frame = new byte[320 * 240 * 3], grounding = new byte[256 * 256 * 3], tile = new byte[112 * 112 * 3];
        Random.Shared.NextBytes(frame);
        void Next()
        {
            resizer.Resize(new ImageView(frame, 320, 240), grounding, 256, 256);
            resizer.Resize(new ImageView(frame, 320, 240), tile, 112, 112);
        }
        Next();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++) Next();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Many_sizes_do_not_disturb_one_another()
    {
        RgbImage image = TestPng.Rgb(Fixtures.Path("media", "odd-97x131.png"));
        var resizer = new PillowBicubic();
        for (int round = 0; round < 2; round++)
        {
            for (int side = 1; side < 60; side += 3)
            {
                var pixels = new byte[side * (side + 1) * 3];
                resizer.Resize(image.View, pixels, side, side + 1);
                Assert.Equal(PillowBicubic.Resize(image, side, side + 1).Pixels.ToArray(), pixels);
            }
        }
    }

    [Fact]
    public void The_size_must_fit()
    {
        var resizer = new PillowBicubic();
        Assert.Throws<MediaException>(() => resizer.Resize(new ImageView(new byte[12], 2, 2), new byte[4], 1, 1));
        Assert.Throws<MediaException>(() => resizer.Resize(new ImageView(new byte[12], 2, 2), [], 0, 1));
        Assert.Throws<MediaException>(() => resizer.Resize(default, new byte[3], 1, 1));
        Assert.Throws<MediaException>(() => PillowBicubic.Resize(new RgbImage(1, 1, new byte[3]), 60_000, 60_000));
    }
}
