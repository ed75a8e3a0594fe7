using System.CommandLine;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;
using Spectre.Console;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va bench</c>: how fast a model's stages run, and what share of the machine they use.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var model = new Option<string?>("--model") { Description = "Checkpoint folder.", HelpName = "DIR" };
        var preset = new Option<string?>("--preset") { Description = "Sizes of a released model with computed weights, e.g. sa2va-1b.", HelpName = "NAME" };
        var stages = new Option<string[]>("--stages") { Description = $"Stages to measure: {string.Join(", ", ModelBenchmark.StageNames)}.", AllowMultipleArgumentsPerToken = true };
        var runs = new Option<int>("--runs") { Description = "Timed runs of each stage.", DefaultValueFactory = _ => 5 };
        var threads = new Option<int>("--threads") { Description = "Threads; 0 for one per logical processor." };
        var simd = new Option<int?>("--simd") { Description = "Vector width: 128, 256 or 512 bits." };
        var json = new Option<bool>("--json") { Description = "One JSON object per line instead of a table." };
        var markdown = new Option<FileInfo?>("--markdown") { Description = "Also writes the table to this file.", HelpName = "FILE" };
        var command = new Command("bench", "Measures each stage: time, GFLOP/s, GB/s, and the share of what this machine can do at most.")
        {
            model, preset, stages, runs, threads, simd, json, markdown,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(model) is null == result.GetValue(preset) is null) result.AddError("Give either --model DIR or --preset NAME.");
            if (result.GetValue(runs) is < 1 or > 1000) result.AddError("--runs takes 1 to 1000.");
            if (result.GetValue(simd) is { } bits && bits is not (128 or 256 or 512)) result.AddError("--simd takes 128, 256 or 512.");
            foreach (string name in result.GetValue(stages) ?? [])
                if (!ModelBenchmark.StageNames.Contains(name)) result.AddError($"There is no stage '{name}'; there are {string.Join(", ", ModelBenchmark.StageNames)}.");
        });
        command.SetAction((result, cancellation) =>
        {
            string[]? chosen = result.GetValue(stages) is { Length: > 0 } names ? names : null;
            var options = new BenchmarkOptions
            {
                Threads = result.GetValue(threads), Simd = (SimdLevel?)result.GetValue(simd), Runs = result.GetValue(runs), Stages = chosen,
            };
            var progress = new ToStandardError();
            BenchmarkReport report = result.GetValue(model) is { } folder
                ? ModelBenchmark.RunFolder(folder, options, progress, cancellation)
                : ModelBenchmark.RunPreset(result.GetValue(preset)!, options, progress, cancellation);
            if (result.GetValue(json))
                foreach (string line in BenchmarkText.JsonLines(report)) Console.Out.WriteLine(line);
            else
                Print(report);
            if (result.GetValue(markdown) is { } file) Write(file, BenchmarkText.Markdown(report));
            return Task.FromResult(0);
        });
        return command;
    }

    private static void Print(BenchmarkReport report)
    {
        foreach (string line in BenchmarkText.Heading(report)) AnsiConsole.WriteLine(line);
        var table = new Table { Border = TableBorder.Rounded };
        for (int i = 0; i < BenchmarkText.Headings.Count; i++)
        {
            var column = new TableColumn(Markup.Escape(BenchmarkText.Headings[i]));
            table.AddColumn(i < 2 ? column : column.RightAligned());
        }
        foreach (StageMeasurement stage in report.Stages) table.AddRow([.. BenchmarkText.Cells(stage, report.Ceilings).Select(Markup.Escape)]);
        AnsiConsole.Write(table);
    }

    private static void Write(FileInfo file, string text)
    {
        try
        {
            File.WriteAllText(file.FullName, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MediaException($"'{file}' cannot be written: {e.Message}", e);
        }
    }

    private sealed class ToStandardError : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine($"measuring {value} …");
    }
}
