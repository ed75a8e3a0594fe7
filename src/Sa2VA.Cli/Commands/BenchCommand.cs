using System.CommandLine;
using System.Globalization;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Devices;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va bench</c>: how fast a model's stages run, and what share of the machine they use.</summary>
internal static class BenchCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags(required: false);
        var preset = new TextOption("--preset", "NAME", "Sizes of a released model with computed weights, such as sa2va-1b.");
        var stages = new TextOption(
            "--stages", "LIST", $"Only these, separated by commas: {string.Join(", ", ModelBenchmark.StageNames)}. "
                + $"{string.Join(", ", ModelBenchmark.StageNames.Except(ModelBenchmark.UsualStageNames))} are measured only if named.");
        var runs = new NumberOption("--runs", "Timed runs of each stage.", 1, 1000, 5);
        var device = new DeviceFlags();
        var simd = new ChoiceOption("--simd", "Width of the CPU's vectors in bits.", "auto", "128", "256", "512");
        var json = new Flag(CommonOptions.Json, "One JSON object per line: the machine, then each stage.");
        var kernels = new Flag("--kernels", "Also time each kernel of a stage, one by one: what to optimise first.");
        var trace = new TextOption("--trace", "FILE", "Also write a Chrome trace of one run of each stage: a lane for each queue.");
        var markdown = new TextOption("--markdown", "FILE", "Also write the table to this file.");
        var compare = new TextOption("--compare", "FILE", "Also compare with this result of before, which --json or --markdown wrote.");
        return new CliCommand("bench",
            "Measures each stage of a model: time, GFLOP/s, GB/s, and the share of what this machine can do at most. "
                + "A virtual GPU's times are modelled.",
            "sa2va bench --preset sa2va-1b", "sa2va bench --preset sa2va-1b --device cuda --precision bf16",
            "sa2va bench --preset sa2va-1b --device cuda --stages decode,image-encoder --kernels --trace trace.json",
            "sa2va bench --preset sa2va-1b --device virtual:h100 --precision bf16 --stages prefill",
            "sa2va bench --model Sa2VA-4B --stages prefill,decode --json",
            "sa2va bench --preset sa2va-1b --stages decode --compare before.json")
        {
            Accepts = [.. model.All, preset, stages, runs, .. device.All, simd, kernels, trace, json, markdown, compare],
            Run = values =>
            {
                ModelChoice? chosen = model.TryOf(values);
                if ((chosen is null) == (values.GetValue(preset) is null))
                    throw new UsageException("Give either --model DIR|NAME or --preset NAME.");
                var modelled = ArgumentReader.Has(values, simd) ? null : device.Modelled(values, chosen);
                if (modelled is not null && (ArgumentReader.Has(values, runs) || ArgumentReader.Has(values, trace)))
                    throw new UsageException("--runs and --trace are for measured times; a virtual GPU's are modelled from one run.");
                DeviceChoice choice = modelled is { } card ? new DeviceChoice(card.Device, null) : Choose(values, device, chosen, simd);
                var options = new BenchmarkOptions
                {
                    Device = choice.Device, Modelled = modelled?.Times, Runs = values.GetValue(runs),
                    Stages = StageList(values.GetValue(stages), modelled is null),
                    Kernels = values.GetValue(kernels), Trace = values.GetValue(trace) is not null,
                    Measured = values.GetValue(json) ? new Reports<BenchmarkReport>(new ReportLines(terminal).Write) : null,
                };
                // A file that is no result and a place that cannot be written to are found out before minutes of measuring.
                BenchmarkRecord? before = values.GetValue(compare) is { } old ? BenchmarkRecord.Read(old) : null;
                using SummaryFile? file = values.GetValue(markdown) is { } path ? new SummaryFile(path) : null;
                using SummaryFile? traced = values.GetValue(trace) is { } to ? new SummaryFile(to, trace.Name) : null;
                BenchmarkReport report = Measure(terminal, chosen?.Folder(), values.GetValue(preset), options);
                IReadOnlyList<BenchmarkChange>? changes =
                    before is null ? null : BenchmarkComparison.Of(before, BenchmarkRecord.Of(report));
                if (!values.GetValue(json)) Print(terminal, report, before, changes);
                else foreach (string line in BenchmarkComparison.JsonLines(changes ?? [])) terminal.WriteLine(line);
                file?.Write(BenchmarkText.Markdown(report)
                    + (changes is null ? "" : $"\nBefore: {before!.Machine}.\n\n{BenchmarkComparison.Markdown(changes)}"));
                traced?.Write(ChromeTrace.Json(report));
                if (choice.Note is { } about) terminal.Note(Quoted.Line(about));
                foreach (string note in report.Notes) terminal.Note(Quoted.Line(note));
                return Task.FromResult(ExitCode.Success);
            },
        };
    }

    private static DeviceChoice Choose(ParseResult values, DeviceFlags device, ModelChoice? model, ChoiceOption simd)
    {
        bool isForCpu = ArgumentReader.Has(values, simd);
        DeviceChoice? choice = isForCpu && device.Kind(values) is DeviceKind.Cuda or DeviceKind.Virtual
            ? null : device.Choice(values, model);
        if (!isForCpu) return choice!;
        if (choice?.Device is not CpuDevice cpu)
            throw new UsageException("--simd is for the CPU; it does nothing on a GPU. --device cpu computes on the processor.");
        SimdLevel? width = values.GetValue(simd) is { } bits and not "auto"
            ? (SimdLevel)int.Parse(bits, CultureInfo.InvariantCulture) : null;
        return choice with { Device = new CpuDevice { Threads = cpu.Threads, Precision = cpu.Precision, Simd = width } };
    }

    private static BenchmarkReport Measure(Terminal terminal, string? folder, string? preset, BenchmarkOptions options)
    {
        IReadOnlyList<string> all = options.Modelled is null ? ModelBenchmark.UsualStageNames : ModelBenchmark.GraphStageNames;
        int done = 0, total = 1 + (options.Stages ?? all).Count;
        var progress = new Reports<string>(stage => terminal.Progress.Count($"Measuring {stage}", "stages", done++, total));
        return folder is not null
            ? ModelBenchmark.RunFolder(folder, options, progress, terminal.Cancellation)
            : ModelBenchmark.RunPreset(preset!, options, progress, terminal.Cancellation);
    }

    private static string[]? StageList(string? list, bool isMeasured)
    {
        if (list is null) return null;
        string[] names = list.Split(',', StringSplitOptions.TrimEntries);
        IReadOnlyList<string> known = isMeasured ? ModelBenchmark.StageNames : ModelBenchmark.GraphStageNames;
        foreach (string name in names)
        {
            if (known.Contains(name)) continue;
            throw new UsageException(ModelBenchmark.StageNames.Contains(name)
                ? $"--stages {name} is more than one graph and cannot be modelled; there are {string.Join(", ", known)}."
                : $"There is no stage {Quoted.Of(name)}; there are {string.Join(", ", known)}.");
        }
        return names.CountBy(n => n).FirstOrDefault(n => n.Value > 1) is { Value: > 1 } twice
            ? throw new UsageException($"--stages names {twice.Key} twice; name each stage once.")
            : names;
    }

    private static void Print(Terminal terminal, BenchmarkReport report, BenchmarkRecord? before, IReadOnlyList<BenchmarkChange>? changes)
    {
        foreach (string line in BenchmarkText.Heading(report)) terminal.WriteLine(line);
        TextTable.Print(terminal, BenchmarkText.Headings, 2, [.. report.Stages.Select(s => BenchmarkText.Cells(s, report.Ceilings))]);
        foreach (StageMeasurement stage in report.Stages)
        {
            if (stage.Kernels is null) continue;
            terminal.WriteLine(KernelText.Heading(stage));
            TextTable.Print(terminal, KernelText.Headings(stage), KernelText.Words,
                [.. stage.Kernels.Select(k => KernelText.Cells(k, stage, report.Ceilings))]);
        }
        foreach (string line in BenchmarkText.Remarks(report)) terminal.WriteLine(line);
        if (changes is null) return;
        // A file's words.
        terminal.WriteLine(Quoted.Line($"Before: {before!.Machine}. What is marked moved by more than both runs' spread."));
        TextTable.Print(terminal, BenchmarkComparison.Headings, BenchmarkComparison.Words,
            [.. changes.Select(c => BenchmarkComparison.Cells(c).Select(Quoted.Line).ToArray())]);
    }

    /// <summary>Writes each line as soon as it is known.</summary>
    private sealed class ReportLines(Terminal terminal)
    {
        private int _written;

        public void Write(BenchmarkReport report)
        {
            terminal.Progress.Clear();
            foreach (string line in BenchmarkText.JsonLines(report).Skip(_written))
            {
                terminal.WriteLine(line);
                _written++;
            }
        }
    }
}
