using System.Text.Json;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

public class DescribeTests
{
    private static string Trio => Fixtures.Path("media", "trio-152x148.png");

    [Fact]
    public void Phrases_carry_the_number_of_their_mask()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("describe", "--model", CliRun.Toy, "--image", Trio, "--out", folder.At("out"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.StartsWith("A red ring [0], a white circle [1] and an orange triangle [2].", run.Out, StringComparison.Ordinal);
        for (int id = 0; id < 3; id++) Assert.True(MaskFile.Load(folder.At("out", "masks", $"object-{id}", "frame-00000.png")).Area > 0);
    }

    [Fact]
    public void Phrases_have_the_colour_of_their_mask_in_terminal_and_overlay()
    {
        using var folder = new ScratchFolder();
        using var output = new StringWriter();
        var terminal = new Terminal(TextReader.Null, output, TextWriter.Null, CancellationToken.None, outputIsTerminal: true, ansi: true);
        Assert.Equal(0, Program.Run(["describe", "--model", CliRun.Toy, "--image", Trio, "--out", folder.At("out")], terminal));
        RgbImage overlay = ImageFile.Load(folder.At("out", "overlays", "frame-00000.png"));
        string[] phrases = ["A red ring", "a white circle", "an orange triangle"];
        for (int id = 0; id < phrases.Length; id++)
        {
            (byte r, byte g, byte b) = Overlay.Colour(id);
            Assert.Contains($"\u001b[38;2;{r};{g};{b}m{phrases[id]}", output.ToString(), StringComparison.Ordinal);
            bool drawn = false;
            for (int i = 0; i < overlay.Pixels.Length; i += 3) drawn |= overlay.Pixels[i] == r && overlay.Pixels[i + 1] == g
                && overlay.Pixels[i + 2] == b;
            Assert.True(drawn);
        }
    }

    [Fact]
    public void Json_has_the_phrases()
    {
        CliRun run = CliRun.Of("describe", "--model", CliRun.Toy, "--image", Trio, "--json");
        Assert.Equal(["start", "answer", "frame", "end"], run.Json.Select(l => l.GetProperty("type").GetString()!));
        Assert.Equal(["A red ring", "a white circle", "an orange triangle"], run.Json[1].GetProperty("phrases").EnumerateArray()
            .Select((JsonElement p) => p.GetString()!));
        Assert.Equal("A red ring [SEG] , a white circle [SEG] and an orange triangle [SEG] .", run.Json[1].GetProperty("text").GetString());
    }

    [Fact]
    public void Another_wording_may_give_no_objects()
    {
        CliRun run = CliRun.Of("describe", "--model", CliRun.Toy, "--image", Trio, "--prompt", "Please describe the image.");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal("The image shows a red ring, a white circle and an orange triangle.", run.Out.Trim());
    }

    [Theory]
    [InlineData("<p> A man </p> [SEG] riding <p> a horse </p> [SEG] .", "A man [7] riding a horse [8].")]
    [InlineData("[SEG] no phrase , <p> lone </p> end", "no phrase , lone end")]
    public void Captions_are_tidied(string raw, string shown) =>
        Assert.Equal(shown, string.Concat(GroundedCaption.Pieces(GroundedText.Parse(raw, []), [7, 8]).Select(p => p.Text)));
}
