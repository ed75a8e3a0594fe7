using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Tests;

/// <summary>What can be said to a chat beside questions, through a pipe and as a person types it.</summary>
public class ChatCommandsTests
{
    private const string Circle = "Please segment the red circle.";

    [Fact]
    public void A_picture_comes_into_the_conversation_and_its_masks_are_saved()
    {
        using var folder = new ScratchFolder();
        CliRun run = Piped($"What can you do?\n/image {CliRun.Shapes}\n{Circle}\n/save {folder.At("out")}\n/save {folder.At("out")}\n");
        Assert.Equal(0, run.Code);
        Assert.Equal(["I can segment, describe and track coloured shapes.", "Sure, [SEG]."],
            run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Trim()));
        long area = MaskFile.Load(folder.At("out", "object-0.png")).Area;
        Assert.InRange(area, 10_600, 10_800);
        Assert.Contains($"object 0: {area} px, score 0.", run.Error, StringComparison.Ordinal);
        // What is there already stays.
        Assert.Equal(["out", "out/object-0-2.png", "out/object-0.png"], folder.Entries);
    }

    [Fact]
    public void Masks_are_written_as_they_come()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", Circle, "--prompt",
            "Please segment the blue star.", "--out", folder.At("out"));
        Assert.Equal(0, run.Code);
        Assert.Equal(["out", "out/object-0.png", "out/object-1.png"], folder.Entries);
        Assert.Contains(folder.At("out", "object-1.png"), run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_question_is_taken_back_and_a_new_conversation_begins()
    {
        CliRun run = Piped("Hello\nWhat can you do?\n/undo\nWhat can you do?\n/new\nHello\n/undo\nHello\n");
        Assert.Equal((0, ""), (run.Code, run.Error));
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal([lines[0], lines[1], lines[1], lines[0], lines[0]], lines);
    }

    [Fact]
    public void What_is_taken_back_takes_no_room()
    {
        // Three of these exceed what the model can read; the same one again is not computed again.
        string lines = string.Concat(Enumerable.Repeat(string.Join(' ', Enumerable.Repeat("a b c d e", 600)) + "\n/undo\n", 4));
        CliRun run = CliRun.With(null, new StringReader("Hello\n" + lines), "chat", "--model", CliRun.Toy, "--max-tokens", "1");
        Assert.Equal(0, run.Code);
    }

    [Theory]
    [InlineData("/undo", "nothing to take back")]
    [InlineData("Hello\nHello\n/undo\n/undo\n/undo\nHello", "nothing to take back")]
    [InlineData("Hello\n/new\n/undo", "nothing to take back")]
    [InlineData("/bogus", "There is no command /bogus; /help lists them.")]
    [InlineData("/image", "Write /image FILE.")]
    [InlineData("/image absent.png", "There is no image 'absent.png'; check the path given with /image.")]
    [InlineData("/video absent", "There is no video 'absent'; /video takes")]
    [InlineData("/image https://host/a.png", "/image takes a file: download the picture first.")]
    [InlineData("/save out", "There are no masks yet")]
    public void What_cannot_be_done_is_said(string lines, string part)
    {
        CliRun run = Piped(lines + "\n");
        Assert.Equal(2, run.Code);
        Assert.Contains(part, Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_pipe_nothing_is_done_behind_the_first_line_that_fails()
    {
        CliRun run = Piped("Hello\n/bogus\nHello\n");
        Assert.Equal(2, run.Code);
        Assert.Equal(Piped("Hello\n").Out, run.Out);
        CliRun help = CliRun.Of("chat", "--help");
        Assert.Contains("of a pipe the first line that fails ends it, with exit code 2", help.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void As_many_questions_as_were_asked_are_taken_back() =>
        Assert.Equal(0, Piped("Hello\nHello\n/undo\n/undo\n").Code);

    [Fact]
    public void Masks_of_a_picture_before_are_not_saved()
    {
        CliRun run = Piped($"/image {CliRun.Shapes}\n{Circle}\n/image {CliRun.Shapes}\n/save out\n");
        Assert.Equal(2, run.Code);
        Assert.Contains("There are no masks yet", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Masks_of_what_is_taken_back_are_not_saved()
    {
        using var folder = new ScratchFolder();
        string star = "Please segment the blue star.", trio = Path.Combine(Fixtures.Repository, "samples", "media", "trio.png");
        CliRun run = Piped($"/image {CliRun.Shapes}\n{Circle}\n{star}\n/undo\n/save {folder.At("one")}\n{star}\n/image {trio}\n"
            + $"{Circle}\n/undo\n/undo\n{star}\n/save {folder.At("two")}\n");
        Assert.Equal(0, run.Code);
        string[] saved = [.. folder.Entries.Where(e => e.EndsWith(".png", StringComparison.Ordinal))];
        Assert.Equal("one/object-0.png", saved[0]);
        Assert.StartsWith("two/object-", Assert.Single(saved[1..]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_conversation_goes_on_with_other_pictures_and_videos_until_it_begins_anew()
    {
        string trio = Path.Combine(Fixtures.Repository, "samples", "media", "trio.png");
        using var folder = new ScratchFolder();
        var input = new StringReader($"Hello\n/image {CliRun.Shapes}\n{Circle}\n/image {trio}\n{Circle}\n/video {CliRun.Clip}\nHello\n"
            + $"/new\n{Circle}\n/image {CliRun.Shapes}\n{Circle}\n/new\n/image {trio}\n{Circle}\n");
        CliRun run = CliRun.With(null, input, "chat", "--model", CliRun.Toy, "--out", folder.At("out"));
        Assert.Equal(0, run.Code);

        CancellationToken stop = TestContext.Current.CancellationToken;
        using var model = Sa2VAModel.Load(CliRun.Toy, new Cpu.CpuDevice(), cancellation: stop);
        var go = new AskOptions { FollowUp = true };
        using TextSession text = model.OpenText();
        List<Answer> expected = [text.Ask("Hello", cancellation: stop)];
        using ImageSession shapes = text.ForkWithImage(ImageFile.Load(CliRun.Shapes));
        expected.Add(shapes.Ask(Circle, go, stop));
        using ImageSession other = shapes.ForkWithImage(ImageFile.Load(trio));
        expected.Add(other.Ask(Circle, go, stop));
        using VideoSource clip = VideoSource.Open(CliRun.Clip);
        using VideoSession video = other.ForkWithVideo(FrameSelection.First.Indices(clip.FrameCount).Select(clip.Read), cancellation: stop);
        expected.AddRange([video.Ask("Hello", go, stop), video.Ask(Circle, cancellation: stop)]);
        using ImageSession back = video.ForkWithImage(ImageFile.Load(CliRun.Shapes));
        expected.Add(back.Ask(Circle, go, stop));
        using ImageSession anew = model.OpenImage(ImageFile.Load(trio));
        expected.Add(anew.Ask(Circle, cancellation: stop));
        // Each is read with all that was said before.
        Assert.Equal(expected.Take(4).Select(a => a.PromptIds.Count).Order().Distinct(), expected.Take(4).Select(a => a.PromptIds.Count));
        Assert.Equal(expected.Select(a => a.Text), run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        // Objects are numbered on in a conversation.
        Assert.Equal(expected.SelectMany(a => a.Objects).Where(o => o.Mask is not null)
                .Select(o => FormattableString.Invariant($"object {o.Id}: {o.Mask!.Area} px")),
            run.Error.Split('\n').Where(l => l.StartsWith("object", StringComparison.Ordinal)).Select(l => l.Split(',')[0]));
    }

    [Theory]
    [InlineData("/image a b.png")]
    [InlineData("/image \"a b.png\"")]
    [InlineData("/image 'a b.png'")]
    [InlineData("/image a\\ b.png")]
    [InlineData("/IMAGE 'it'\\''s.png'")]
    [InlineData("/image it's.png")]
    [InlineData("/image ~/a b.png")]
    public void A_path_may_be_written_as_for_a_shell(string line)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() && line.Contains('\\'), "a backslash parts folders there");
        using var folder = new ScratchFolder();
        foreach (string name in (string[])["a b.png", "it's.png"]) File.Copy(CliRun.Shapes, folder.At(name));
        int at = line.IndexOf(' ') + 1, quote = line[at] is '"' or '\'' ? 1 : 0;
        string typed = line[at..], path = typed.StartsWith("~/", StringComparison.Ordinal) ? typed
            : typed[..quote] + folder.Path + "/" + typed[quote..];
        Assert.Contains(TypedPath.Of(path, folder.Path), (string[])[folder.At("a b.png"), folder.At("it's.png")]);
        if (typed[0] == '~') return;
        CliRun run = Piped($"{line[..at]}{path}\n/Save {folder.At("none")}\n");
        Assert.Equal(2, run.Code);
        Assert.StartsWith("sa2va: There are no masks yet", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_path_of_a_shell_is_taken_as_it_is()
    {
        Assert.Equal("it's not there", TypedPath.Of("it's not there", "/home"));
        Assert.Equal("~name/x", TypedPath.Of("~name/x", "/home"));
        Assert.Equal("~/x", TypedPath.Of("'~/x'", "/home"));
    }

    [Theory]
    [InlineData("/?", "/image FILE")]
    [InlineData("/Help", "/image FILE")]
    [InlineData("/exit\n/bogus", "")]
    [InlineData(" /QUIT \n/bogus", "")]
    public void Commands_go_by_their_usual_names_too(string lines, string told)
    {
        CliRun run = Piped(lines + "\n");
        Assert.Equal((0, ""), (run.Code, run.Out));
        Assert.StartsWith(told, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_is_no_command() => Assert.Equal(0, Piped("/etc/hosts is what?\n").Code);

    [Fact]
    public void Ctrl_C_stops_the_answer_and_no_more()
    {
        Terminal? terminal = null;
        int pieces = 0;
        using var output = new Watched(() =>
        {
            if (++pieces == 2) Assert.True(terminal!.Interrupt!());
        });
        using var error = new StringWriter();
        var input = new StringReader("What can you do?\n/bogus\n/help\nHello\n/quit\nnever\n");
        terminal = new Terminal(input, output, error, CancellationToken.None, inputIsTerminal: true);
        Assert.Equal(0, Program.Run(["chat", "--model", CliRun.Toy], terminal));
        Assert.Contains("Stopped", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("There is no command /bogus", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("/video PATH", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("coloured shapes.", output.ToString(), StringComparison.Ordinal);
        Assert.Equal("Hello! I can segment shapes in images and videos.",
            output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1].Trim());
        Assert.Null(terminal.Interrupt);
    }

    private static CliRun Piped(string lines) => CliRun.With(null, new StringReader(lines), "chat", "--model", CliRun.Toy);

    private sealed class Watched(Action onPiece) : StringWriter
    {
        public override void Write(string? value)
        {
            base.Write(value);
            onPiece();
        }
    }
}
