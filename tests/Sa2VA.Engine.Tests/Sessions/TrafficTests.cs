using Sa2VA.Engine;
using Sa2VA.Engine.Language;

namespace Sa2VA.Tests.Sessions;

/// <summary>What crosses between host and device, counted: the referee of who waits for whom.</summary>
public sealed class TrafficTests
{
    private readonly WatchedDevice _device = new();
    private readonly List<string> _log = [];

    [Fact]
    public void A_token_costs_one_run_and_one_read_one_step_behind()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        using var conversation = new Conversation(model.LanguageModel, null);
        conversation.Prefill([.. Shapes.Case("text-what").PromptIds], 40, null, CancellationToken.None);
        for (int i = 0; i < 3; i++) conversation.Next(follow: true, CancellationToken.None);
        Watch();
        for (int i = 0; i < 20; i++) conversation.Next(follow: true, CancellationToken.None);
        // Nothing is written: the id feeds the next step on the device.
        Assert.Equal(Enumerable.Repeat((string[])["run decode", "read next token"], 20).SelectMany(s => s), _log);
    }

    [Theory]
    [InlineData("Please segment the red circle.", 1, 1)]
    [InlineData("Please segment the red circle, the blue star and the yellow triangle.", 1, 3)]
    [InlineData("Please segment the red circle and the blue star.", 8, 16)]
    [InlineData("Please segment the red circle, the blue star and the yellow triangle.", 6, 18)]
    public void A_frame_costs_a_run_for_sixteen_tracked_objects_and_one_read_behind_everything_else(string question, int times, int objects)
    {
        using Sa2VAModel model = Shapes.Load(_device);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2]);
        for (int i = 0; i < times; i++) session.Ask(question);
        Assert.Equal(objects, session.ObjectCount);
        session.Next(Shapes.Clip[0]);
        Watch();
        session.Next(Shapes.Clip[1]);
        Assert.Equal(["write picture", "run frame resize", "run image encoder",
            .. Enumerable.Repeat((string[])["run prompted frame", "run memory encoder"], objects).SelectMany(s => s),
            "run mask output", "read mask output"], _log);
        for (int f = 2; f < 12; f++)
        {
            _log.Clear();
            session.Next(Shapes.Clip[f]);
            Assert.Equal(["write picture", "run frame resize", "run image encoder",
                .. Enumerable.Repeat("run tracked frame", (objects + 15) / 16), "run mask output", "read mask output"], _log);
        }
    }

    [Fact]
    public void A_seg_state_stays_on_the_device_on_its_way_to_the_prompt()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        Watch();
        Answer answer = session.Ask("Please segment the red circle.");
        Assert.Single(answer.Objects);
        Assert.DoesNotContain("read last state", _log);
        Assert.DoesNotContain("write state", _log);
        int projected = _log.IndexOf("run seg projector"), prompted = _log.IndexOf("run prompted frame");
        Assert.Equal(["run seg projector", "copy seg to seg vector", "read seg vector"], _log[projected..(projected + 3)]);
        Assert.Equal("copy seg vector to sparse prompt", _log[..prompted].Last(e => e.StartsWith("copy", StringComparison.Ordinal)));
        // The step that consumed [SEG] was the latest one when its state was projected.
        Assert.Equal("run decode", _log[..projected].Last(e => e.StartsWith("run", StringComparison.Ordinal)));
        Assert.Equal(1, _log.Count(e => e.StartsWith("read mask", StringComparison.Ordinal)));
    }

    private void Watch()
    {
        _device.Before = graph => _log.Add($"run {graph}");
        _device.Writing = buffer => _log.Add($"write {buffer}");
        _device.Copying = (from, to) => _log.Add($"copy {from} to {to}");
        _device.Reading = buffer => _log.Add($"read {buffer}");
    }
}
