using System.Globalization;
using Sa2VA.Core;
using Sa2VA.GpuBench;

const string Usage = """
    Sa2VA.GpuBench [--device D] [--only WORDS] [--repetitions N] [--json FILE] [--ptx FOLDER]
      Times what the model of time has constants for, and prints both. Exit 0: all is measured that the device can; 1: something
      failed or computed what is wrong; 2: the command line or the device is no good.
      --device D         cuda (the default), cuda:N, or virtual:CARD, where modelled times must give the constants back
      --only WORDS       those whose name or constant has one of these words, separated by commas
      --repetitions N    of each (default 7; of a virtual device 1): the median counts
      --json FILE        writes them there too
      --ptx FOLDER       writes the kernels there, for an assembler to look at, and runs nothing
    """;

var options = new Dictionary<string, string> { ["--device"] = "cuda", ["--only"] = "", ["--repetitions"] = "" };
for (int n = 0; n < args.Length; n += 2)
{
    if (args[n] is "--help" or "-h")
    {
        Console.WriteLine(Usage);
        return 0;
    }
    if (args[n] is not ("--device" or "--only" or "--repetitions" or "--json" or "--ptx")) return Fail($"there is no option {args[n]}");
    if (n + 1 == args.Length) return Fail($"{args[n]} needs a value");
    options[args[n]] = args[n + 1];
}
string[] words = options["--only"].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
MicroBenchmark[] chosen = [.. Benchmarks.All.Where(b => words.Length == 0 || words.Any(w =>
    b.Term.Name.Contains(w, StringComparison.OrdinalIgnoreCase) || b.Term.Constant.Contains(w, StringComparison.OrdinalIgnoreCase)))];
if (chosen.Length == 0) return Fail($"no benchmark has {options["--only"]} in its name");
if (options.TryGetValue("--ptx", out string? folder))
{
    Directory.CreateDirectory(folder);
    foreach (LoopBenchmark loop in chosen.OfType<LoopBenchmark>())
        File.WriteAllText(Path.Combine(folder, loop.Kernel.Name + (loop.IsOfHopper ? ".sm_90a.ptx" : ".sm_80.ptx")), loop.Kernel.Ptx);
    return 0;
}
if (options["--repetitions"] is { Length: > 0 } given && (!int.TryParse(given, CultureInfo.InvariantCulture, out int asked) || asked < 1))
    return Fail($"--repetitions takes a number from 1 on, not '{given}'");
try
{
    using BenchDevice? device = BenchDevice.Open(options["--device"]);
    if (device is null) return Fail($"--device takes {BenchDevice.Names}, not '{options["--device"]}'");
    int repetitions = options["--repetitions"].Length > 0 ? int.Parse(options["--repetitions"], CultureInfo.InvariantCulture)
        : device.IsVirtual ? 1 : 7;
    Console.WriteLine($"Device: {device.Description}\n\n{Report.Head}");
    var results = new List<Measurement>();
    foreach (MicroBenchmark benchmark in chosen)
    {
        results.Add(benchmark.Run(device, repetitions));
        Console.WriteLine(Report.Row(results[^1]));
        // After each, so that what is known is there if the device goes.
        if (options.TryGetValue("--json", out string? file)) Report.Write(file, device, results);
    }
    Console.WriteLine($"\n{results.Count(r => r.Measured is not null)} of {results.Count} measured"
        + $"{(results.Count(r => r.IsWrong) is > 0 and var wrong ? $", {wrong} failed" : "")}.");
    return results.Exists(r => r.IsWrong) ? 1 : 0;
}
catch (DeviceException e)
{
    return Fail(e.Message);
}

static int Fail(string why)
{
    Console.Error.WriteLine($"Sa2VA.GpuBench: {why}");
    return 2;
}
