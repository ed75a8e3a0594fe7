using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Files that are written appear whole or not at all.</summary>
public sealed class FileTests
{
    [Fact]
    public void A_file_appears_only_when_it_is_whole()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("a"), "old");
        using (var file = new AtomicFile(folder.At("a")))
        {
            file.Stream.Write("new"u8);
            Assert.Equal("old", File.ReadAllText(folder.At("a")));
            file.Commit();
            Assert.Equal("new", File.ReadAllText(folder.At("a")));
        }
        Assert.Equal(["a"], folder.Entries);
    }

    [Fact]
    public void A_failure_leaves_nothing_behind()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("a"), "old");
        using (var file = new AtomicFile(folder.At("a"))) file.Stream.Write(new byte[100_000]);
        Assert.Equal(["a"], folder.Entries);
        Assert.Equal("old", File.ReadAllText(folder.At("a")));
        Directory.CreateDirectory(folder.At("taken"));
        Assert.Contains("taken cannot be written: it is a folder; ",
            Assert.Throws<MediaException>(() => AtomicFile.Write(folder.At("taken"), [1])).Message, StringComparison.Ordinal);
        Assert.Equal(["a", "taken"], folder.Entries);
        string message = Assert.Throws<MediaException>(() => AtomicFile.Write(Path.Combine(folder.At("none"), "x"), [1])).Message;
        Assert.Contains("x cannot be written: the folder above it does not exist", message, StringComparison.Ordinal);
        Assert.DoesNotContain(".part", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pipe_is_not_replaced_and_a_link_leads_to_the_file()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "pipes are no files there");
        using var folder = new ScratchFolder();
        using (var mkfifo = Process.Start("mkfifo", [folder.At("pipe")])) mkfifo.WaitForExit();
        Assert.Contains("is a pipe or a device",
            Assert.Throws<MediaException>(() => AtomicFile.Write(folder.At("pipe"), [1])).Message, StringComparison.Ordinal);
        File.CreateSymbolicLink(folder.At("to-pipe"), "pipe");
        Assert.Throws<MediaException>(() => AtomicFile.Write(folder.At("to-pipe"), [1]));
        File.WriteAllBytes(folder.At("empty"), []);
        File.CreateSymbolicLink(folder.At("to-empty"), "empty");
        AtomicFile.Write(folder.At("to-empty"), [1, 2]);
        Assert.Equal([1, 2], File.ReadAllBytes(folder.At("empty")));
        Assert.Equal("empty", new FileInfo(folder.At("to-empty")).LinkTarget);
        Assert.Equal(["empty", "pipe", "to-empty", "to-pipe"], folder.Entries);
    }

    [Fact]
    public void A_mask_file_is_grey_with_two_levels()
    {
        using var folder = new ScratchFolder();
        var random = new Random(9);
        var mask = new Mask(67, 41, [.. Enumerable.Range(0, 67 * 41).Select(_ => (byte)random.Next(2))]);
        MaskFile.Save(folder.At("m.png"), mask);
        Assert.Equal(mask.Pixels.ToArray(), MaskFile.Load(folder.At("m.png")).Pixels.ToArray());
        Assert.Equal(new byte[] { 0, 255 }, ImageFile.LoadLabels(folder.At("m.png")).Labels.Distinct().Order());
        Assert.Equal(["m.png"], folder.Entries);
    }
}
