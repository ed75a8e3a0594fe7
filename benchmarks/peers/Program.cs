using Sa2VA.Models;
using Sa2VA.Peers;

// benchmarks/peers/README.md
const int UsualRounds = 5;
string[] figures = ["products", "vision-tower", "image-encoder", "decode", "prefill"];
(int rounds, int[] threads, string? scratch) = (UsualRounds, [1], null);
var chosen = new List<string>();
for (int i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--rounds": rounds = Number(args[++i]); break;
        case "--threads": threads = [.. args[++i].Split(',').Select(Number)]; break;
        case "--scratch": scratch = args[++i]; break;
        default:
            if (!figures.Contains(args[i]))
            {
                Console.Error.WriteLine($"There is no figure '{args[i]}'; there are {string.Join(", ", figures)}.");
                return 2;
            }
            chosen.Add(args[i]);
            break;
    }
}
if (chosen.Count == 0) chosen.AddRange(figures);

// Models for the peers, up to 2 GB, which are written anew each time.
string folder = scratch ?? Path.Combine(Path.GetTempPath(), $"sa2va-peers-{Environment.ProcessId}");
Directory.CreateDirectory(folder);
try
{
    var versions = new Dictionary<string, string>();
    if (chosen.Any(c => c is not ("decode" or "prefill"))) versions["onnx_runtime"] = OnnxRun.Version;
    if (chosen.Contains("products"))
    {
        versions["libtorch"] = OneDnn.Version;
        versions["openblas"] = OpenBlas.Version;
    }
    if (chosen.Any(c => c is "decode" or "prefill")) versions["llama_cpp"] = LlamaCpp.Version;
    Results.Machine(args, versions);

    Sa2VAConfig config = SyntheticPresets.Get("sa2va-1b");
    var weights = new SyntheticWeights(config);
    if (chosen.Contains("products")) Products.Measure(rounds, threads, folder);
    if (chosen.Contains("vision-tower")) Stages.Vision(config, weights, rounds, threads, folder);
    if (chosen.Contains("image-encoder")) Stages.Encoder(config, weights, rounds, threads, folder);
    foreach (string stage in (string[])["decode", "prefill"])
        if (chosen.Contains(stage)) Languages.Measure(stage, config, weights, rounds, threads, folder);
}
finally
{
    if (scratch is null) Directory.Delete(folder, recursive: true);
}
return 0;

static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
