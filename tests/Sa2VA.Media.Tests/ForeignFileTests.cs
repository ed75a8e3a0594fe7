using System.Text;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>
/// Files that are not read are called what they are, wherever they are given; a folder's files are read, refused by name, or left out with
/// a word.
/// </summary>
public sealed class ForeignFileTests
{
    private static readonly MediaOptions WithoutFfmpeg = new() { Ffmpeg = Path.Combine(Path.GetTempPath(), "no", "ffmpeg.exe") };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Foreign => new()
    {
        { "\0\0\0\u001cftypisom\0\0\u0002\0isomiso2mp41", "an MP4 video", "ffmpeg -i" },
        { "\0\0\0\u0014ftypqt  \0\0\0\0qt  ", "a QuickTime video", "ffmpeg -i" },
        { "\0\0\0\bwide\0\0\0\0mdat", "a QuickTime video", "ffmpeg -i" },
        { "RIFF\u0010\0\0\0AVI LIST", "an AVI video", "ffmpeg -i" },
        { "\u001aE\u00df\u00a3\u0001\0\0\0\0\0\0\u001fB\u0086webm", "a WebM video", "ffmpeg -i" },
        { "\u001aE\u00df\u00a3\u0001\0\0\0\0\0\0\u001fB\u0086matroska", "a Matroska video", "ffmpeg -i" },
        { "\0\0\u0001\u00ba\u0044\0\u0004", "an MPEG video", "ffmpeg -i" },
        { "G" + new string('\u00ff', 187) + "G" + new string('\u00ff', 187) + "G", "an MPEG transport stream", "ffmpeg -i" },
        { "FLV\u0001\u0005", "an FLV video", "ffmpeg -i" },
        { "0&\u00b2u\u008ef\u00cf\u0011\u00a6\u00d9", "a WMV or ASF video", "ffmpeg -i" },
        { "OggS\0\u0002", "an Ogg file", "ffmpeg -i" },
        { "II*\0\b\0\0\0", "a TIFF picture", "PNG" },
        { "MM\0*\0\0\0\b", "a TIFF picture", "PNG" },
        { "\0\0\0\u0018ftypheic\0\0\0\0mif1heic", "a HEIC picture", "PNG" },
        { "\0\0\0\u0018ftypmif1\0\0\0\0mif1heic", "a HEIC picture", "PNG" },
        { "\0\0\0\u001cftypavif\0\0\0\0avifmif1", "an AVIF picture", "PNG" },
        { "\0\0\0\u001cftypmif1\0\0\0\0mif1avif", "an AVIF picture", "PNG" },
        { "\u00ff\n\u00fa\u0010", "a JPEG XL picture", "PNG" },
        { "\0\0\0\fJXL \r\n\u0087\n", "a JPEG XL picture", "PNG" },
        { "\0\0\0\fjP  \r\n\u0087\n", "a JPEG 2000 picture", "PNG" },
        { "8BPS\0\u0001", "a Photoshop picture", "PNG" },
        { "\0\0\u0001\0\u0001\0  ", "an icon", "PNG" },
        { "%PDF-1.7\n", "a PDF document", "PNG" },
        { "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "an SVG drawing", "PNG" },
        { "P6\n4 4\n255\n", "a Netpbm picture", "PNG" },
        { "\n<!DOCTYPE html><html><title>404</title>", "an HTML page", "not a picture" },
        { "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "an XML file", "not a picture" },
        { "{\"error\": \"rate limit\"}", "a JSON or text file", "not a picture" },
        { "Plain words, however they are named.\r\n", "a text file", "not a picture" },
        { "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "a Git LFS pointer", "git lfs pull" },
        { "PK\u0003\u0004\u0014\0", "a ZIP archive", "unpack" },
        { "iVBORw0KGgoAAAANSUhEUgAA", "a PNG written as base64", "unpack" },
        { "", "is empty", "again" },
        { new string('\0', 700), "nothing but zeros", "again" },
        { "GIF8", "breaks off inside its header", "again" },
        { "RIFF\u0010\0", "breaks off inside its header", "again" },
    };

    [Theory]
    [InlineData("a photo.tif", "convert it to PNG: magick \"", "a photo.png\"")]
    [InlineData("x.PNG", "convert it to PNG: magick ", "x.converted.png")]
    public void A_picture_of_another_kind_is_refused_with_the_command_that_converts_it(string name, string begin, string end)
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At(name), "II*\0\b\0\0\0"u8);
        string message = Assert.Throws<MediaException>(() => ImageFile.Load(folder.At(name))).Message;
        Assert.Contains(begin, message, StringComparison.Ordinal);
        Assert.EndsWith(end, message, StringComparison.Ordinal);
        // What has no file has no command.
        Assert.EndsWith("convert it to PNG.", Assert.Throws<MediaException>(() =>
            ImageFile.Load("II*\0\b\0\0\0"u8, "Standard input")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Foreign))]
    public void Foreign_files_are_called_what_they_are(string content, string what, string remedy)
    {
        using var folder = new ScratchFolder();
        byte[] bytes = Encoding.Latin1.GetBytes(content);
        File.WriteAllBytes(folder.At("x.png"), bytes);
        Action[] reads =
            [() => ImageFile.Load(folder.At("x.png")), () => VideoSource.Open(folder.At("x.png"), WithoutFfmpeg),
                () => VideoSource.Open(folder.Path)];
        foreach (Action read in reads)
        {
            string message = Assert.Throws<MediaException>(read).Message;
            Assert.Contains("x.png", message, StringComparison.Ordinal);
            Assert.Contains(what, message, StringComparison.Ordinal);
            Assert.Contains(remedy, message, StringComparison.Ordinal);
        }
        Assert.Contains("x.png", Assert.Throws<MediaException>(() => MaskFile.Load(folder.At("x.png"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_still_picture_is_no_video()
    {
        using var folder = new ScratchFolder();
        RgbImage picture = TestImages.Gradient(8, 6);
        foreach (SKEncodedImageFormat format in new[] { SKEncodedImageFormat.Png, SKEncodedImageFormat.Jpeg })
        {
            File.WriteAllBytes(folder.At("a"), TestImages.Encode(picture, format));
            Assert.Contains("still picture", Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("a"))).Message,
                StringComparison.Ordinal);
        }
        File.WriteAllBytes(folder.At("a"), TestImages.Encode(picture, SKEncodedImageFormat.Webp));
        List<string> notes = [];
        using (VideoSource video = VideoSource.Open(folder.At("a"), new MediaOptions { OnNote = notes.Add }))
            Assert.Equal(("a#0", 1), (video.FrameName(0), video.FrameCount));
        Assert.Contains("single frame", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_an_animation_as_a_picture_is_told_that_one_frame_is_read()
    {
        byte[] png = TestImages.Png(2, 2, 8, 0, [1, 2, 3, 4]);
        byte[] apng = [.. png[..33], .. TestImages.Chunk("acTL", [0, 0, 0, 5, 0, 0, 0, 0]), .. png[33..]];
        byte[] gif = TestImages.Gif(4, 4, (0, 0, 4, 4, 1, 0, 0), (0, 0, 4, 4, 2, 0, 0)), webp = TestImages.AnimatedWebP(4, 4, 3, null);
        foreach ((byte[] file, int frames) in new[] { (apng, 5), (gif, 2), (webp, 3) })
        {
            List<string> notes = [];
            ImageFile.Load(file, "moving", new MediaOptions { OnNote = notes.Add });
            Assert.Contains($"moving is an animation of {frames} frames", Assert.Single(notes), StringComparison.Ordinal);
        }
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("a.png"), apng);
        Assert.Contains("ffmpeg -i", Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("a.png"), WithoutFfmpeg)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    public void Png_and_webp_are_turned_as_their_exif_says(byte orientation)
    {
        RgbImage picture = TestImages.Gradient(8, 6);
        byte[] png = TestImages.Encode(picture, SKEncodedImageFormat.Png),
            still = TestImages.Encode(picture, SKEncodedImageFormat.Webp, 100);
        byte[] exif = TestImages.Exif(orientation);
        png = [.. png[..33], .. TestImages.Chunk("eXIf", exif), .. png[33..]];
        byte[] webp =
            [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBPVP8X"u8, 10, 0, 0, 0, 8, 0, 0, 0, 7, 0, 0, 5, 0, 0, .. still[12..], .. "EXIF"u8,
                (byte)exif.Length, 0, 0, 0, .. exif];
        BitConverter.GetBytes(webp.Length - 8).CopyTo(webp, 4);
        foreach (byte[] file in new[] { png, webp })
        {
            List<string> notes = [];
            RgbImage seen = ImageFile.Load(file, "photo", new MediaOptions { Upright = true, OnNote = notes.Add });
            Assert.Equal(orientation == 6 ? (6, 8) : (8, 6), (seen.Width, seen.Height));
            Assert.Equal(orientation == 6 ? 1 : 0, notes.Count);
            if (orientation == 6) Assert.Equal(picture.Row(5)[..3].ToArray(), seen.Row(0)[..3].ToArray());
        }
    }

    [Fact]
    public async Task Jpegs_by_any_name_are_frames_and_the_content_decides()
    {
        using var folder = new ScratchFolder();
        string[] names = ["0.jpg", "1.jfif", "2.JPG", "3.jpe", "4.Pjpeg", "5.jpeg", "6.png", "7.dib", "8.apng", "9.tif", "10", "shot.0011"];
        for (int i = 0; i < names.Length; i++)
        {
            SKEncodedImageFormat format = i % 2 == 0 ? SKEncodedImageFormat.Png : SKEncodedImageFormat.Jpeg;
            File.WriteAllBytes(folder.At(names[i]), TestImages.Encode(TestImages.Gradient(16, 16, i % 6), format, 95));
        }
        using VideoSource video = VideoSource.Open(folder.Path);
        Assert.Equal(names, Enumerable.Range(0, video.FrameCount).Select(video.FrameName));
        int seen = 0;
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation))
            Assert.InRange(frame.Pixels[2], seen % 6 * 40 - 9, seen++ % 6 * 40 + 9);
    }

    [Theory]
    [InlineData("3.heic", "a .heic picture", "PNG")]
    [InlineData("3.HEIF", "a .HEIF picture", "PNG")]
    [InlineData("3.avif", "a .avif picture", "PNG")]
    [InlineData("3.jxl", "a .jxl picture", "PNG")]
    [InlineData("3.jp2", "a .jp2 picture", "PNG")]
    [InlineData("3.tiff", "a .tiff picture", "PNG")]
    [InlineData("3.CR2", "a .CR2 picture", "PNG")]
    [InlineData("3.svg", "a .svg picture", "PNG")]
    [InlineData("3.ppm", "a .ppm picture", "PNG")]
    [InlineData("clip.mp4", "a .mp4 video", "ffmpeg -i")]
    [InlineData("clip.MOV", "a .MOV video", "ffmpeg -i")]
    public void Other_pictures_and_videos_in_a_folder_are_refused_by_name(string name, string what, string remedy)
    {
        using var folder = new ScratchFolder();
        for (int i = 0; i < 3; i++) ImageFile.SavePng(folder.At($"{i}.png"), TestImages.Gradient(4, 4));
        File.WriteAllBytes(folder.At(name), [1, 2, 3]);
        string message = Assert.Throws<MediaException>(() => VideoSource.Open(folder.Path)).Message;
        Assert.Contains(name, message, StringComparison.Ordinal);
        Assert.Contains(what, message, StringComparison.Ordinal);
        Assert.Contains(remedy, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pictures_under_names_of_no_picture_are_not_left_out_in_silence()
    {
        using var folder = new ScratchFolder();
        ImageFile.SavePng(folder.At("0.png"), TestImages.Gradient(4, 4));
        File.Copy(folder.At("0.png"), folder.At("1.jpg_large"));
        Assert.Contains("1.jpg_large", Assert.Throws<MediaException>(() => VideoSource.Open(folder.Path)).Message,
            StringComparison.Ordinal);
        File.Delete(folder.At("1.jpg_large"));
        File.WriteAllBytes(folder.At("1"), Encoding.Latin1.GetBytes("\0\0\0\u0018ftypheic\0\0\0\0mif1heic"));
        Assert.Contains("HEIC", Assert.Throws<MediaException>(() => VideoSource.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_left_out_and_what_has_one_name_is_told()
    {
        using var folder = new ScratchFolder();
        for (int i = 0; i < 3; i++) ImageFile.SavePng(folder.At($"{i}.png"), TestImages.Gradient(4, 4));
        List<string> notes = [];
        using (VideoSource.Open(folder.Path, new MediaOptions { OnNote = notes.Add })) Assert.Empty(notes);
        string[] others = ["notes.txt", "Thumbs.db", ".DS_Store", "labels.json", "2.png.bak"];
        foreach (string name in others) File.WriteAllText(folder.At(name), "?");
        Directory.CreateDirectory(folder.At("more"));
        using (VideoSource video = VideoSource.Open(folder.Path, new MediaOptions { OnNote = notes.Add }))
            Assert.Equal(3, video.FrameCount);
        string note = Assert.Single(notes);
        foreach (string word in new[] { ".DS_Store", "2.png.bak", "Thumbs.db", "labels.json", "notes.txt", "and 1 more", "left out" })
            Assert.Contains(word, note, StringComparison.Ordinal);
        notes.Clear();
        Directory.Delete(folder.At("more"));
        foreach (string name in others) File.Delete(folder.At(name));
        File.Copy(folder.At("1.png"), folder.At("1.jpg"));
        using (VideoSource video = VideoSource.Open(folder.Path, new MediaOptions { OnNote = notes.Add }))
            Assert.Equal(4, video.FrameCount);
        Assert.Contains("1.jpg and 1.png", Assert.Single(notes), StringComparison.Ordinal);
    }
}
