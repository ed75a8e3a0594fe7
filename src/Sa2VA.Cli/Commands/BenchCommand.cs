using System.CommandLine;
using System.Globalization;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;
using Spectre.Console;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va bench</c>: how fast a model's stages run, and what share of the machine they use.</summary>
internal static class BenchCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new Option<string?>("--model") { Description = "Folder of a checkpoint.", HelpName = "DIR" };
        var preset = new Option<string?>("--preset") { Description = "Sizes of a released model with computed weights, such as sa2va-1b.", HelpName = "NAME" };
        var stages = new Option<string?>("--stages") { Description = $"Only these, separated by commas: {string.Join(", ", ModelBenchmark.StageNames)}.", HelpName = "LIST" };
        var runs = new Option<int>("--runs") { Description = "Timed runs of each stage, 1 to 1000.", HelpName = "N", DefaultValueFactory = _ => 5 };
        Option<int> threads = CommonOptions.Threads();
        var simd = new Option<string>("--simd") { Description = "Width of the vectors in bits.", DefaultValueFactory = _ => "auto" };
        simd.AcceptOnlyFromAmong("auto", "128", "256", "512");
        var json = new Option<bool>("--json") { Description = "One JSON object per line: the machine, then each stage." };
        var markdown = new Option<string?>("--markdown") { Description = "Also write the table to this file.", HelpName = "FILE" };
        var command = new CliCommand("bench", "Measures each stage of a model: time, GFLOP/s, GB/s, and the share of what this machine can do at most.",
            "sa2va bench --preset sa2va-1b", "sa2va bench --model Sa2VA-4B --stages prefill,decode --json")
        {
            model, preset, stages, runs, threads, simd, json, markdown,
        };
        command.SetAction(parsed =>
        {
            string? folder = parsed.GetValue(model), name = parsed.GetValue(preset), width = parsed.GetValue(simd), file = parsed.GetValue(markdown);
            if (folder is null == name is null) throw new UsageException("Give either --model DIR or --preset NAME.");
            var options = new BenchmarkOptions
            {
                Threads = parsed.GetValue(threads), Runs = parsed.GetValue(runs), Stages = StageList(parsed.GetValue(stages)),
                Simd = int.TryParse(width, NumberStyles.None, CultureInfo.InvariantCulture, out int bits) ? (SimdLevel)bits : null,
            };
            if (options.Runs is < 1 or > 1000) throw new UsageException($"--runs takes 1 to 1000, not {options.Runs}.");
            int done = 0;
            var progress = new Reports<string>(stage => terminal.Progress.Count($"Measuring {stage}", "stages", done++, 1 + (options.Stages ?? ModelBenchmark.StageNames).Count));
            BenchmarkReport report = folder is not null
                ? ModelBenchmark.RunFolder(folder, options, progress, terminal.Cancellation)
                : ModelBenchmark.RunPreset(name!, options, progress, terminal.Cancellation);
            if (parsed.GetValue(json))
                foreach (string line in BenchmarkText.JsonLines(report)) terminal.WriteLine(line);
            else
                Print(terminal, report);
            if (file is not null) Write(file, BenchmarkText.Markdown(report));
            return ExitCode.Success;
        });
        return command;
    }

    private static string[]? StageList(string? list)
    {
        if (list is null) return null;
        string[] names = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (string name in names)
            if (!ModelBenchmark.StageNames.Contains(name)) throw new UsageException($"There is no stage '{name}'; there are {string.Join(", ", ModelBenchmark.StageNames)}.");
        return names.Length > 0 ? names : throw new UsageException("--stages names no stage.");
    }

    private static void Print(Terminal terminal, BenchmarkReport report)
    {
        foreach (string line in BenchmarkText.Heading(report)) terminal.WriteLine(line);
        var table = new Table().Border(TableBorder.Simple);
        for (int i = 0; i < BenchmarkText.Headings.Count; i++)
        {
            var column = new TableColumn(new Text(BenchmarkText.Headings[i]));
            table.AddColumn(i < 2 ? column : column.RightAligned());
        }
        foreach (StageMeasurement stage in report.Stages) table.AddRow(BenchmarkText.Cells(stage, report.Ceilings).Select(c => new Text(c)));
        terminal.Styled.Write(table);
    }

    private static void Write(string file, string text)
    {
        try
        {
            File.WriteAllText(file, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new UsageException($"The table cannot be written to '{file}': {e.Message}", e);
        }
    }
}
