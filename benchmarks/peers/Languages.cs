using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Models;
using Sa2VA.Verification;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Peers;

/// <summary>The language model of Sa2VA-1B (Qwen2.5-0.5B with a head of its own) against llama.cpp: prompt and single tokens.</summary>
internal static class Languages
{
    private const int Prompt = 512, Context = 1024;

    private static readonly (string Name, Precision Precision)[] Ours =
        [("ours f32", Precision.Float32), ("ours bf16", Precision.BFloat16), ("ours int8", Precision.Int8), ("ours int4", Precision.Int4)];

    private static readonly GgufFile.Storage[] Theirs = [GgufFile.Storage.BF16, GgufFile.Storage.Q8, GgufFile.Storage.Q4];

    /// <param name="stage"><c>decode</c> or <c>prefill</c>.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="weights">Weights of ours.</param>
    /// <param name="rounds">Samples of each.</param>
    /// <param name="threads">Threads to measure with.</param>
    /// <param name="scratch">Where models go.</param>
    public static void Measure(string stage, Sa2VAConfig config, SyntheticWeights weights, int rounds, int[] threads, string scratch)
    {
        var read = new Dictionary<string, double>();
        var files = new List<(string Name, string File)>();
        foreach (GgufFile.Storage storage in Theirs)
        {
            string file = Path.Combine(scratch, $"{storage.Name}.gguf"), name = $"llama.cpp {storage.Name}";
            // Behind the matrices the keys and values of the context, of 16 bits each.
            LanguageConfig c = config.Language;
            read[name] = GgufFile.Write(file, c, storage) + 2L * sizeof(ushort) * Context * c.KvHeads * c.HeadDim * c.Layers;
            files.Add((name, file));
        }
        int[] tokens = [.. Enumerable.Range(0, Context).Select(i => (100 + i * 7919) % 50000)];
        foreach (int count in threads)
        {
            List<(string Name, LlamaCpp Model)> theirs = [.. files.Select(f => (f.Name, new LlamaCpp(f.File, count, 2 * Context)))];
            if (stage == "decode")
                Stage(stage, "1 token behind 1024", config, weights, rounds, count, read, [.. theirs.Select(t =>
                {
                    t.Model.Keep(0);
                    t.Model.Decode(tokens);
                    return new Contestant(t.Name, () => t.Model.Decode([tokens[1]]), () => t.Model.Keep(Context));
                })]);
            else
                Stage(stage, "512 tokens behind 0", config, weights, rounds, count, null, [.. theirs.Select(t =>
                    new Contestant(t.Name, () =>
                    {
                        t.Model.Keep(0);
                        t.Model.Decode(tokens[..Prompt]);
                    }))]);
            foreach ((_, LlamaCpp model) in theirs) model.Dispose();
        }
    }

    /// <param name="read">Bytes that a run of each contestant reads, where that is what limits; gets those of ours.</param>
    private static void Stage(string name, string work, Sa2VAConfig config, SyntheticWeights weights, int rounds, int threads,
        Dictionary<string, double>? read, Contestant[] theirs)
    {
        List<Contestant> contestants = [];
        List<IDisposable> owned = [];
        double flops = 0;
        foreach ((string who, Precision precision) in Ours)
        {
            var backend = new CpuBackend(new CpuOptions { Threads = threads, Precision = precision });
            BenchmarkStage stage = BenchmarkStages.All[name](weights, config, precision.BoundaryType());
            var run = new GraphRun(backend, stage.Graph, default);
            foreach (Tensor input in stage.Graph.Inputs) run.FillRandom(input);
            stage.Prepare(run);
            owned.AddRange([run, backend]);
            flops = stage.Graph.Flops(run.Bound.Scalars);
            if (read is not null) read[who] = GraphTraffic.Bytes(stage.Graph, run.Bound.Scalars, ModelBenchmark.HeldIn(backend));
            contestants.Add(new Contestant(who, () => run.Execute()));
        }
        contestants.AddRange(theirs);
        contestants.Add(Ceiling.Of(read is null ? Ceiling.Peak : Ceiling.Read, threads));
        Results.Case(name, work, threads, flops, read is null ? null : who => read[who], Contest.Hold(threads, rounds, contestants));
        foreach (IDisposable one in owned) one.Dispose();
    }
}
