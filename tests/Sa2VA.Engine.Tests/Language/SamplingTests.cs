using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;
using Sa2VA.Verification;
using Sa2VA.Verification.Stages;

namespace Sa2VA.Tests.Language;

/// <summary>Answers whose tokens are drawn: as defined, by the seed alone, in any company.</summary>
public sealed class SamplingTests
{
    private const string Question = "What can you see in the picture? Tell me a story about it.";

    private static readonly AskOptions Warm = new() { Temperature = 12, Seed = 7, MaxNewTokens = 40 };

    public static TheoryData<string> Choices => [.. Named.Keys];

    private static Dictionary<string, AskOptions> Named { get; } = new()
    {
        ["temperature"] = Warm,
        ["likely"] = Warm with { TopK = 5, TopP = 0.9f },
        ["penalty"] = Warm with { Temperature = 0, RepetitionPenalty = 6 },
        ["reward"] = Warm with { RepetitionPenalty = 0.8f },
        ["all"] = Warm with { TopK = 30, TopP = 0.95f, RepetitionPenalty = 1.5f },
    };

    [Theory]
    [MemberData(nameof(Choices))]
    public void Each_token_is_the_one_that_the_definition_draws(string choice)
    {
        AskOptions options = Named[choice];
        using TextSession session = Shapes.Model.OpenText();
        Answer answer = session.Ask(Question, options);
        Assert.True(answer.TokenIds.Count >= 3);
        int[] ids = [.. answer.PromptIds, .. answer.TokenIds];
        float[][] logits = Logits(ids);
        var sampling = new TokenSampling(options, 0);
        for (int i = 0; i < answer.TokenIds.Count; i++)
        {
            int at = answer.PromptIds.Count + i;
            float[] row = logits[at - 1];
            // Once for each token that is there, however often.
            foreach (int id in ids[..at].Distinct())
                row[id] = row[id] < 0 ? row[id] * options.RepetitionPenalty : row[id] / options.RepetitionPenalty;
            Assert.Equal(SortedDraw.Of(row, sampling.Choice(i)), ids[at]);
        }
    }

    [Fact]
    public async Task The_seed_decides_alone_and_in_any_company()
    {
        AskOptions[] options = [.. Named.Values, Warm with { Seed = 8 }, Warm with { Seed = -9 }, new() { MaxNewTokens = 40 }];
        string[] alone = [.. options.Select(o => Ask(Shapes.Model, o).GetAwaiter().GetResult())];
        Assert.Equal(alone.Length, alone.Distinct().Count());
        for (int round = 0; round < 3; round++)
            Assert.Equal(alone, await Task.WhenAll(options.Select(o => Ask(Shapes.Model, o))));
    }

    [Fact]
    public async Task Without_a_seed_answers_differ()
    {
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Ask(Shapes.Model, Warm with { Seed = null })));
        Assert.True(answers.Distinct().Count() > 1);
    }

    [Fact]
    public void The_first_of_one_is_the_likeliest_at_any_temperature()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        string greedy = Shapes.Fingerprint(session.Ask("Please segment the red circle and the blue star."));
        foreach (AskOptions one in (AskOptions[])[Warm with { TopK = 1 }, Warm with { TopP = 0 }])
            Assert.Equal(greedy, Shapes.Fingerprint(session.Ask("Please segment the red circle and the blue star.", one)));
    }

    [Fact]
    public void Parts_of_a_picture_count_as_the_token_that_stands_for_them()
    {
        int[] held = new TokenSampling(new AskOptions { RepetitionPenalty = 2 }, contextId: 70).Held([3, -1, -9, 3, 31, 64], 3)!;
        Assert.Equal([1 << 3 | 1 << 31, 0, 1 << 0 | 1 << 6], held);
        Assert.Null(new TokenSampling(Warm, 70).Held([3], 3));
    }

    [Fact]
    public void Numbers_of_the_draw_are_spread_evenly()
    {
        var counts = new int[16];
        for (int seed = 0; seed < 100; seed++)
        {
            var sampling = new TokenSampling(Warm with { Seed = seed }, 0);
            for (int place = 0; place < 64; place++) counts[sampling.Choice(place).Draw >> 27]++;
        }
        // 400 each, a standard deviation of 19.
        Assert.All(counts, c => Assert.InRange(c, 320, 480));
    }

    [Fact]
    public async Task A_drawn_token_costs_one_run_and_one_read_as_well()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        foreach ((AskOptions options, int writes) in ((AskOptions, int)[])[(Warm, 0), (Named["all"], 1)])
        {
            await Ask(model, options);
            List<string> log = [];
            device.Before = name => Log("run " + name);
            device.Reading = name => Log("read " + name);
            device.Writing = name => Log("write " + name);
            await Ask(model, options);
            device.Before = device.Reading = device.Writing = null;
            Assert.Equal(writes, log.Count(e => e.StartsWith("write", StringComparison.Ordinal)));
            if (writes > 0) Assert.Equal("write held tokens", log[0]);
            int steps = log.Count(e => e == "run sampled decode");
            Assert.Equal([.. Enumerable.Repeat("write held tokens", writes), "run sampled prefill", "read next tokens",
                .. Enumerable.Repeat((string[])["run sampled decode", "read next tokens"], steps).SelectMany(s => s)], log);
            Assert.True(steps > 1);

            void Log(string entry)
            {
                lock (log) log.Add(entry);
            }
        }
    }

    [Fact]
    public void Choices_out_of_range_are_refused_where_they_are_set()
    {
        foreach (float wrong in (float[])[-0.1f, 100.1f, float.NaN, float.PositiveInfinity])
            Assert.Throws<ArgumentOutOfRangeException>(() => new AskOptions { Temperature = wrong });
        foreach (int wrong in (int[])[-1, int.MaxValue]) Assert.Throws<ArgumentOutOfRangeException>(() => new AskOptions { TopK = wrong });
        foreach (float wrong in (float[])[-0.1f, 1.1f, float.NaN])
            Assert.Throws<ArgumentOutOfRangeException>(() => new AskOptions { TopP = wrong });
        foreach (float wrong in (float[])[0, -1, 0.09f, 10.1f, float.NaN])
            Assert.Throws<ArgumentOutOfRangeException>(() => new AskOptions { RepetitionPenalty = wrong });
    }

    private static async Task<string> Ask(Sa2VAModel model, AskOptions options)
    {
        await using TextSession session = model.OpenText();
        return Shapes.Fingerprint(await session.AskAsync(Question, options));
    }

    /// <summary>The logits behind each of some tokens, computed as one prompt.</summary>
    private static float[][] Logits(int[] ids)
    {
        using Checkpoint weights = Checkpoint.Open(Shapes.Folder);
        using Core.IBackend backend = new CpuDevice().Open();
        var graph = new EveryRowGraph(weights, Shapes.Model.Config.Language, ids.Length, KvLayout.Alone(ids.Length));
        using var run = new GraphRun(backend, graph.Graph, TestContext.Current.CancellationToken);
        graph.Feed(run, 0, ids);
        return [.. run.Floats(graph.Logits).Chunk(graph.Logits.Shape.Last)];
    }
}
