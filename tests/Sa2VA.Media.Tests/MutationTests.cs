using System.Buffers.Binary;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>
/// Damaged files of every format give a picture or a <see cref="MediaException"/>, never anything else, and no memory that their size does
/// not allow. Every round has its own seed: 10,000 rounds, or a million in a full run.
/// </summary>
public sealed class MutationTests
{
    private const int Width = 19, Height = 11;

    /// <summary>Managed bytes of a read besides its pixels: the file, its frames, an exception with its trace.</summary>
    private const long Slack = 200_000;

    private static readonly RgbImage Picture = TestImages.Noise(Width, Height, 8);

    private static readonly int[] Edges = [0, 1, -1, int.MaxValue, int.MinValue, 0xffff, 0x7fff, 0x10000];

    private static readonly int Rounds = FullRun.Times(10_000, 1_000_000);

    [Fact]
    public void Png() => Stills(TestImages.Png(Width, Height, 8, 2, Picture.Pixels.ToArray()), TestImages.InterlacedPng(Picture));

    [Fact]
    public void Baseline_jpeg() => Stills(TestImages.Encode(Picture, SKEncodedImageFormat.Jpeg), TestJpeg.ScanPerComponent(Picture).File);

    [Fact]
    public void Progressive_jpeg() =>
        Stills(TestJpeg.Progressive(Picture).File, TestImages.WithOrientation(TestJpeg.Progressive(Picture).File, 5));

    [Fact]
    public void Lossy_webp() => Stills(TestImages.Encode(Picture, SKEncodedImageFormat.Webp, 60));

    [Fact]
    public void Lossless_webp() => Stills(TestImages.Encode(Picture, SKEncodedImageFormat.Webp, 100));

    [Fact]
    public void Bmp() => Stills(TestImages.Bmp(Picture), TestImages.RleBmp(Picture));

    [Fact]
    public void Still_gif() => Stills(TestImages.Gif(Width, Height, (0, 0, Width, Height, 5, 0, 4)));

    [Fact]
    public void Animated_gif() =>
        Animations(TestImages.Gif(Width, Height, (0, 0, Width, Height, 5, 1, 4), (3, 3, 9, 5, 9, 3, 4), (1, 1, 8, 8, 20, 2, 4)));

    [Fact]
    public void Animated_webp() =>
        Animations(TestImages.AnimatedWebP(Width, Height, 3, 60), TestImages.AnimatedWebP(Width, Height, 3, null));

    [Fact]
    public void Label_png()
    {
        byte[] grey = [.. Picture.Pixels[..(Width * Height)]], nibbles = [.. Picture.Pixels[..((Width + 1) / 2 * Height)]];
        byte[] palette = [.. Enumerable.Range(0, 48).Select(i => (byte)(5 * i))];
        Run([TestImages.Png(Width, Height, 8, 0, grey), TestImages.Png(Width, Height, 4, 3, nibbles, palette)], file =>
        {
            (int width, int height, byte[] labels) = LabelPng.Read(file, "damaged");
            Assert.Equal(width * height, labels.Length);
            // Packed pixels are copied before they are unpacked.
            return 2L * labels.Length;
        }, () => 4096 * PngPixels.MaxDeflation);
    }

    [Fact]
    public void Run_lengths()
    {
        var mask = new Mask(Width, Height, [.. Enumerable.Range(0, Width * Height).Select(i => (byte)(Picture.Pixels[i] >> 7))]);
        Run([System.Text.Encoding.ASCII.GetBytes(CocoRle.Encode(mask))], file =>
        {
            Mask read = CocoRle.Decode(System.Text.Encoding.Latin1.GetString(file), Width, Height);
            Assert.Equal((Width, Height), (read.Width, read.Height));
            return read.Pixels.Length;
        });
    }

    [Fact]
    public void First_bytes_of_any_kind()
    {
        byte[] start = [.. "....ftypmp42 <svg {} II*\0 PK\u0003\u0004 version https://git-lfs BM"u8];
        for (int round = 0; round < Rounds; round++)
        {
            byte[] file = Mutate(start[(round % start.Length)..], new Random(round));
            Assert.StartsWith("damaged", ForeignFile.Refusal(file, "damaged"), StringComparison.Ordinal);
        }
    }

    private static void Stills(params byte[][] files)
    {
        long allowed = 0;
        Run(files, file =>
        {
            allowed = JpegEntropy.TableBytes;
            using EncodedImage image = EncodedImage.Open(file, "damaged", upright: true);
            long pixels = 3L * image.Width * image.Height;
            allowed += pixels;
            Assert.Equal(pixels, image.Picture().Pixels.Length);
            return allowed;
        }, () => allowed);
    }

    private static void Animations(params byte[][] files)
    {
        long allowed = 0;
        Run(files, file =>
        {
            allowed = 4 * EncodedImage.MaxAnimationPixels;
            using var video = new Animation(EncodedImage.Open(file, "damaged", upright: true), MediaOptions.Default);
            long pixels = (long)video.Width * video.Height;
            allowed = 4 * pixels;
            for (int i = 0; i < Math.Min(video.FrameCount, 6); i++)
            {
                allowed += 6 * pixels;
                video.Read(i);
            }
            return allowed;
        }, () => allowed);
    }

    /// <summary>Reads damaged files.</summary>
    /// <param name="files">Whole ones.</param>
    /// <param name="read">Reads one and returns how many bytes that may allocate.</param>
    /// <param name="refused">How many bytes a file may allocate that is refused in the end.</param>
    private static void Run(byte[][] files, Func<byte[], long> read, Func<long>? refused = null)
    {
        foreach (byte[] file in files) read(file);
        int good = 0;
        for (int round = 0; round < Rounds; round++)
        {
            var random = new Random(round);
            byte[] damaged = Mutate(files[round % files.Length], random);
            long before = GC.GetAllocatedBytesForCurrentThread(), allowed = 0;
            try
            {
                allowed = read(damaged);
                good++;
            }
            catch (MediaException e)
            {
                Assert.True(e.Message.Contains("damaged", StringComparison.Ordinal)
                    || e.Message.StartsWith("The run-length", StringComparison.Ordinal), e.Message);
                allowed = refused?.Invoke() ?? 0;
            }
            catch (Exception e)
            {
                Assert.Fail($"Round {round}: {e.GetType().Name} {e.Message}: {Convert.ToBase64String(damaged)}");
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= allowed + Slack, $"Round {round}: {allocated} bytes allocated: {Convert.ToBase64String(damaged)}");
        }
        Assert.InRange(good, 0, Rounds - 1);
    }

    /// <summary>One to four small changes, as they happen on disks, in transfers, and in the hands of the curious.</summary>
    private static byte[] Mutate(byte[] whole, Random random)
    {
        List<byte> file = [.. whole];
        for (int changes = random.Next(1, 5); changes > 0 && file.Count > 4; changes--)
        {
            int at = random.Next(4) == 0 ? random.Next(Math.Min(file.Count, 64)) : random.Next(file.Count);
            int length = Math.Min(random.Next(1, 9), file.Count - at);
            switch (random.Next(8))
            {
                case 0:
                    file[at] = (byte)random.Next(256);
                    break;
                case 1:
                    file[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    file[at] = (byte)(random.Next(2) == 0 ? 0 : 255);
                    break;
                case 3:
                    for (int i = 0; i < length; i++) file[at + i] = (byte)random.Next(256);
                    break;
                case 4:
                    file.RemoveRange(at, length);
                    break;
                case 5:
                    file.InsertRange(at, file.GetRange(at, length));
                    break;
                case 6:
                    file.RemoveRange(at, random.Next(3) == 0 ? file.Count - at : length);
                    break;
                default:
                    // Numbers at the edges, in either byte order.
                    int value = Edges[random.Next(Edges.Length)];
                    byte[] number = BitConverter.GetBytes(random.Next(2) == 0 ? value : BinaryPrimitives.ReverseEndianness(value));
                    for (int i = 0; i < Math.Min(number.Length, file.Count - at); i++) file[at + i] = number[i];
                    break;
            }
        }
        return [.. file];
    }
}
