using System.Buffers.Binary;
using System.Diagnostics;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>A large picture takes the memory of its pixels once, whatever its format: native memory counts too.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class PictureMemoryTests
{
    private const int Width = 4096, Height = 5000;

    /// <summary>Strips, the file, and what the runtime takes or gives back meanwhile.</summary>
    private const long Slack = 19 << 20;

    private static readonly Dictionary<string, Func<byte[]>> Files = new()
    {
        ["png of one bit"] = () => TestImages.Png(Width, Height, 1, 0, new byte[Width / 8 * Height]),
        ["grey png"] = () => TestImages.Png(Width, Height, 8, 0, new byte[Width * Height]),
        ["palette png"] = () => TestImages.Png(Width, Height, 4, 3, new byte[Width / 2 * Height], [1, 2, 3]),
        ["interlaced png"] = () => TestImages.InterlacedGrey(Width, Height),
        ["png of 64 bits"] = () => TestImages.Png(Width, Height, 16, 6, new byte[Width * 8 * Height]),
        ["jpeg"] = Jpeg,
        ["jpeg on its side"] = () => TestImages.WithOrientation(Jpeg(), 6),
        ["compressed bmp"] = RleBmp,
    };

    public static TheoryData<string> Names => [.. Files.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_picture_is_held_once(string name)
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("large"), Files[name]());
        int pixels = 0;
        Assert.InRange(Peak(() => pixels = ImageFile.Load(folder.At("large")).Pixels.Length), 0, Width * Height * 3L + Slack);
        Assert.Equal(Width * Height * 3, pixels);
    }

    [Fact]
    public void Nothing_of_a_picture_s_size_is_taken_to_write_it()
    {
        using var folder = new ScratchFolder();
        var picture = new RgbImage(Width, Height, new byte[Width * Height * 3]);
        var mask = new Mask(Width, Height, new byte[Width * Height]);
        Assert.InRange(Peak(() => ImageFile.SavePng(folder.At("p"), picture)), 0, Slack);
        Assert.InRange(Peak(() => MaskFile.Save(folder.At("m"), mask)), 0, Slack);
        Assert.InRange(Peak(() => Overlay.SavePng(folder.At("o"), picture, [new(0, mask)])), 0, Slack);
    }

    /// <summary>How much the process grows meanwhile, looked at every millisecond.</summary>
    private static long Peak(Action action)
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        using Process process = Process.GetCurrentProcess();
        long before = process.WorkingSet64, peak = before;
        using var done = new ManualResetEventSlim();
        var watch = new Thread(() =>
        {
            while (!done.Wait(1))
            {
                process.Refresh();
                peak = Math.Max(peak, process.WorkingSet64);
            }
        });
        watch.Start();
        action();
        done.Set();
        watch.Join();
        return peak - before;
    }

    private static byte[] Jpeg()
    {
        using SKData file = ImageFile.Encode(new byte[Width * Height], Width, Height, SKColorType.Gray8,
            pixels => pixels.Encode(SKEncodedImageFormat.Jpeg, 80), "picture");
        return file.ToArray();
    }

    /// <summary>Runs of 255 pixels of one grey.</summary>
    private static byte[] RleBmp()
    {
        byte[] header = TestImages.RleBmp(TestImages.Gradient(1, 1))[..(54 + 1024)];
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(18), Width);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(22), Height);
        byte[] row = [.. Enumerable.Repeat<byte[]>([255, 7], Width / 255).SelectMany(r => r), Width % 255, 7, 0, 0];
        return [.. header, .. Enumerable.Repeat(row, Height).SelectMany(r => r), 0, 1];
    }
}
