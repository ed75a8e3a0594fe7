using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>What who listens is told of questions and frames, under the names of OpenTelemetry's conventions.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class TelemetryTests
{
    [Fact]
    public async Task Questions_and_frames_are_measured()
    {
        using var listening = new Listening();
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2]);
        Answer answer = session.Ask("Please segment the red circle.", new AskOptions { Temperature = 0.5f, TopK = 1, Seed = 3 });
        IReadOnlyList<Answer> many = await session.AskManyAsync(["Hello.", "What is there?"]);
        session.Next(Shapes.Clip[0]);
        await foreach (FrameMasks _ in session.TrackAsync(Shapes.Clip[1..3].ToAsyncEnumerable()))
        {
        }
        Assert.Equal(2, listening.Of("gen_ai.client.operation.duration").Count);
        Assert.Equal(2, listening.Of("gen_ai.server.time_to_first_token").Count);
        double perToken = Assert.Single(listening.Of("gen_ai.server.time_per_output_token")).Value;
        Assert.InRange(perToken * (answer.TokenIds.Count - 1), 1e-9, listening.Of("gen_ai.client.operation.duration")[0].Value);
        Answer[] answers = [answer, .. many];
        Assert.Equal(answers.Select(a => (double)a.PromptIds.Count), Tokens("input"));
        Assert.Equal(answers.Select(a => (double)a.TokenIds.Count), Tokens("output"));
        Assert.Equal(3, listening.Of("sa2va.frame.duration").Count);
        Assert.All(listening.Of("sa2va.frame.objects"), m => Assert.Equal(session.ObjectCount, m.Value));
        Assert.All(listening.All, m => Assert.Equal("sa2va-tiny-shapes", m.Tags["gen_ai.request.model"]));

        Activity[] activities = [.. listening.Activities];
        Assert.Equal(["load model", "chat sa2va-tiny-shapes", "chat sa2va-tiny-shapes"], activities.Select(a => a.OperationName));
        Assert.Equal(("chat", "sa2va", 0.5f, 1, 3L, answer.PromptIds.Count, answer.TokenIds.Count), (Tag<string>("gen_ai.operation.name"),
            Tag<string>("gen_ai.provider.name"), Tag<float>("gen_ai.request.temperature"), Tag<int>("gen_ai.request.top_k"),
            Tag<long>("gen_ai.request.seed"), Tag<int>("gen_ai.usage.input_tokens"), Tag<int>("gen_ai.usage.output_tokens")));
        Assert.Equal(["stop"], Tag<string[]>("gen_ai.response.finish_reasons"));

        IEnumerable<double> Tokens(string type) => from m in listening.Of("gen_ai.client.token.usage")
                                                   where (string?)m.Tags["gen_ai.token.type"] == type
                                                   select m.Value;

        T Tag<T>(string name) => Assert.IsType<T>(activities[1].GetTagItem(name));
    }

    [Fact]
    public void What_fails_says_so()
    {
        using var listening = new Listening();
        using Sa2VAModel model = Shapes.Load(options: new ModelOptions { MaxTokens = 16 });
        using TextSession session = model.OpenText();
        Assert.Throws<DeviceMemoryException>(() => session.Ask("What can you do for me, and for all of the others today?"));
        Measured failed = Assert.Single(listening.Of("gen_ai.client.operation.duration"));
        Assert.Equal("Sa2VA.Core.DeviceMemoryException", failed.Tags["error.type"]);
        Assert.Empty(listening.Of("gen_ai.client.token.usage"));
        Activity activity = listening.Activities.Last();
        Assert.Equal((ActivityStatusCode.Error, "Sa2VA.Core.DeviceMemoryException"), (activity.Status, activity.GetTagItem("error.type")));
        Assert.Throws<CheckpointException>(() => Sa2VAModel.Load(Path.Combine(Path.GetTempPath(), "no-such-model"), new CpuDevice()));
        Assert.Equal(ActivityStatusCode.Error, listening.Activities.Last().Status);
    }

    private sealed record Measured(string Name, double Value, Dictionary<string, object?> Tags);

    private sealed class Listening : IDisposable
    {
        private readonly MeterListener _meters = new();
        private readonly ActivityListener _sources;

        public Listening()
        {
            _meters.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == Sa2VATelemetry.Name) listener.EnableMeasurementEvents(instrument);
            };
            _meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
            _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
            _meters.Start();
            _sources = new ActivityListener
            {
                ShouldListenTo = source => source.Name == Sa2VATelemetry.Name,
                Sample = (ref _) => ActivitySamplingResult.AllData,
                ActivityStopped = Activities.Enqueue,
            };
            ActivitySource.AddActivityListener(_sources);
        }

        public ConcurrentQueue<Measured> All { get; } = [];

        public ConcurrentQueue<Activity> Activities { get; } = [];

        public List<Measured> Of(string name) => [.. All.Where(m => m.Name == name)];

        public void Dispose()
        {
            _meters.Dispose();
            _sources.Dispose();
        }

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            All.Enqueue(new Measured(instrument.Name, value, new Dictionary<string, object?>(tags.ToArray())));
    }
}
