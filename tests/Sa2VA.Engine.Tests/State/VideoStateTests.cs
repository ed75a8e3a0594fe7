using System.Diagnostics;
using System.Reflection;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.State;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.State;

/// <summary>A video session that is saved and restored goes on with the bits that it would have had.</summary>
public sealed class VideoStateTests
{
    internal const int Seed = 20261126;
    private const int Frames = 40, Saves = 50;

    [Fact]
    public void Saved_and_restored_at_fifty_places_it_is_the_session_that_was_never_saved()
    {
        var script = new StateScript(Seed, Frames);
        var expected = new string[script.Count];
        using (VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5], StateScript.Options))
            for (int i = 0; i < script.Count; i++) expected[i] = script.Do(i, session);

        // The next session is one of another model that was loaded by itself, as in another process.
        using Sa2VAModel other = Shapes.Load();
        int[] places = [.. Enumerable.Range(0, script.Count)];
        new Random(Seed).Shuffle(places);
        HashSet<int> saved = [.. places.Take(Saves)];
        VideoSession restored = Shapes.Model.OpenVideo(Shapes.Clip[..5], StateScript.Options);
        try
        {
            for (int i = 0; i < script.Count; i++)
            {
                if (saved.Contains(i))
                {
                    using var state = new MemoryStream();
                    restored.Save(state);
                    restored.Dispose();
                    state.Position = 0;
                    restored = (restored.Model == other ? Shapes.Model : other).RestoreVideo(state);
                }
                Assert.True(expected[i] == script.Do(i, restored), $"step {i} of seed {Seed}");
            }
        }
        finally
        {
            restored.Dispose();
        }
    }

    [Fact]
    public void What_was_said_before_can_be_taken_back_afterwards()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        session.Ask("Please segment the red circle.");
        session.Ask("Please segment the blue star.", new AskOptions { FollowUp = true });
        using var state = new MemoryStream();
        session.Save(state);
        state.Position = 0;
        using VideoSession restored = Shapes.Model.RestoreVideo(state);
        string[] said = [.. ((VideoSession[])[session, restored]).Select(s =>
        {
            s.Undo();
            Answer answer = s.Ask("Please segment the green ring.", new AskOptions { FollowUp = true });
            return string.Join(' ', answer.PromptIds) + answer.Raw;
        })];
        Assert.Equal(said[0], said[1]);
        restored.Undo();
        restored.Undo();
        Assert.Throws<PromptException>(restored.Undo);
    }

    [Fact]
    public void The_process_that_goes_on_may_be_another_one()
    {
        using var folder = new ScratchFolder();
        string state = folder.At("state"), prints = folder.At("prints");
        var script = new StateScript(Seed, HandOver.Frames);
        string[] expected;
        using (VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5], StateScript.Options))
        {
            for (int i = 0; i < HandOver.First(script); i++) script.Do(i, session);
            using (FileStream file = File.Create(state)) session.Save(file);
            // Saving changes nothing.
            expected = HandOver.Rest(script, session);
        }
        string tests = typeof(VideoStateTests).Assembly.Location;
        var start = new ProcessStartInfo("dotnet", [tests, "-method", $"*{nameof(HandOver)}.{nameof(HandOver.Go_on)}", "-explicit", "only"])
        {
            RedirectStandardOutput = true,
            Environment = { [HandOver.State] = state, [HandOver.Prints] = prints },
        };
        using Process process = Process.Start(start)!;
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, said);
        Assert.Equal(expected, File.ReadAllLines(prints));
    }

    [Fact]
    public void It_keeps_all_options()
    {
        // One that is added must be saved too: whatever its type is, it shows here.
        var options = new VideoOptions { ReuseMasks = true, MaxObjects = 3, KeepFrames = 2, Logits = true };
        var plain = new VideoOptions();
        foreach (PropertyInfo p in typeof(VideoOptions).GetProperties().Where(p => p.Name != nameof(VideoOptions.Progress)))
            Assert.False(Equals(p.GetValue(options), p.GetValue(plain)), $"Give {p.Name} another value than its default here.");
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1], options);
        using VideoSession restored = Shapes.Model.RestoreVideo(States.Of(session));
        Assert.Equal(options, restored.Options);
    }

    [Fact]
    public void A_question_keeps_all_choices_that_its_answer_depends_on()
    {
        var options = new AskOptions
        {
            MaxNewTokens = 7, StopStrings = ["a", "ö"], AnswerPrefix = "Sure", Temperature = 0.5f, TopK = 3, TopP = 0.25f,
            RepetitionPenalty = 2, Seed = -9, SpecialTokens = SpecialTokenText.PlainText, Logits = true,
        };
        AskedWords first = AskedWords.Of("What is there?", new AskOptions(), null), words = AskedWords.Of("And €?", options, first);
        using var stream = new MemoryStream();
        using var writer = new StateWriter(stream, CancellationToken.None);
        var written = new WordsState();
        written.Add(words);
        written.Write(writer);
        written.WriteIndex(writer, words);
        stream.Position = 0;
        using var reader = new StateReader(stream, CancellationToken.None);
        AskedWords read = WordsState.Read(reader).ReadIndex(reader)!;
        Assert.Equal(("And €?", first), (read.Text, read.Before! with { Options = first.Options }));
        string[] others =
            [nameof(AskOptions.FollowUp), nameof(AskOptions.MinScore), nameof(AskOptions.Progress), nameof(AskOptions.Regions)];
        foreach (PropertyInfo p in typeof(AskOptions).GetProperties().Where(p => !others.Contains(p.Name)))
        {
            // One that is added must be saved too: whatever its type is, it shows here.
            Assert.False(Equals(p.GetValue(options), p.GetValue(first.Options)), $"Give {p.Name} another value than its default here.");
            Assert.Equivalent(p.GetValue(options), p.GetValue(read.Options));
        }
    }

    [Fact]
    public void Reused_masks_allocate_nothing_in_a_restored_session_either()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1], new VideoOptions { ReuseMasks = true });
        session.Ask("Please segment the red circle.");
        for (int t = 0; t < 3; t++) session.Next(Shapes.Clip[t]);
        using VideoSession restored = Shapes.Model.RestoreVideo(States.Of(session));
        Assert.Same(restored.Next(Shapes.Clip[3]).Objects[0], restored.Next(Shapes.Clip[4]).Objects[0]);
    }

    [Fact]
    public void A_stream_goes_on_behind_the_state()
    {
        using VideoSession session = Shapes.Model.OpenTracker();
        session.Next(Shapes.Clip[0]);
        session.Follow(new VisualPrompt(new Click(60, 40)), out _);
        using var stream = new MemoryStream();
        stream.WriteByte(7);
        session.Save(stream);
        long end = stream.Position;
        stream.WriteByte(8);
        stream.Position = 1;
        using VideoSession restored = Shapes.Model.RestoreVideo(stream);
        Assert.Equal((end, 8), (stream.Position, stream.ReadByte()));
        Assert.Equal((1, 1), (restored.Frames, restored.ObjectCount));
        Assert.Equal(Shapes.Fingerprint(session.Next(Shapes.Clip[1]).Objects[0]),
            Shapes.Fingerprint(restored.Next(Shapes.Clip[1]).Objects[0]));
    }

    [Fact]
    public void Its_memory_is_that_of_the_session_that_was_saved()
    {
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1]);
        session.Ask("Please segment the red circle.");
        for (int t = 0; t < 30; t++) session.Next(Shapes.Clip[t]);
        MemoryStream state = States.Of(session);
        (int Memories, int Pointers) taken = Taken();
        VideoSession restored = model.RestoreVideo(state);
        Assert.Equal((2 * taken.Memories, 2 * taken.Pointers), Taken());
        restored.Dispose();
        Assert.Equal(taken, Taken());

        (int, int) Taken() => (model.Segmentation.Banks.MemorySlots.Taken, model.Segmentation.Banks.PointerSlots.Taken);
    }
}

/// <summary>What another process does with a state; asked for by <see cref="VideoStateTests"/>.</summary>
public sealed class HandOver
{
    internal const int Frames = 20;
    internal const string State = "SA2VA_TEST_STATE", Prints = "SA2VA_TEST_PRINTS";

    internal static int First(StateScript script) => script.Count / 2;

    internal static string[] Rest(StateScript script, VideoSession session) =>
        [.. Enumerable.Range(First(script), script.Count - First(script)).Select(i => script.Do(i, session).ReplaceLineEndings(" "))];

    [Fact(Explicit = true)]
    public void Go_on()
    {
        using FileStream state = File.OpenRead(Environment.GetEnvironmentVariable(State)!);
        using VideoSession session = Shapes.Model.RestoreVideo(state);
        File.WriteAllLines(Environment.GetEnvironmentVariable(Prints)!, Rest(new StateScript(VideoStateTests.Seed, Frames), session));
    }
}
