using System.CommandLine;
using Sa2VA.Cli.Verifying;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Media;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va verify</c>: recorded computations and answers, computed again and compared.</summary>
internal static class VerifyCommand
{
    public static Command Create(Terminal terminal)
    {
        var goldens = new Option<string[]>("--goldens")
        {
            Description = "Golden files (.safetensors), predict cases (.json), or folders of them.", HelpName = "FILE|DIR", Required = true, AllowMultipleArgumentsPerToken = true,
        };
        var model = new Option<string?>("--model") { Description = "Run all files against this checkpoint; without it each file's own is looked up (models/NAME above the file).", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "One JSON object per file instead of text." };
        var markdown = new Option<string?>("--markdown") { Description = "Also write the summary tables to this file.", HelpName = "FILE" };
        Option<string> device = CommonOptions.Device();
        Option<int> threads = CommonOptions.Threads();
        var command = new CliCommand("verify", "Computes again what the reference implementation recorded, and compares: exit 0 if at least one file ran and none failed, 1 otherwise.",
            "sa2va verify --goldens tests/fixtures", "sa2va verify --model Sa2VA-1B --goldens recorded/predict --markdown fidelity.md")
        {
            goldens, model, json, markdown, device, threads,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(model) is { } folder && !Directory.Exists(folder)) throw new UsageException($"There is no folder '{folder}'; give the folder of a checkpoint with --model.");
            return Run(terminal, parsed.GetRequiredValue(goldens), parsed.GetValue(model), parsed.GetValue(json), parsed.GetValue(markdown), parsed.GetValue(threads));
        });
        return command;
    }

    private static int Run(Terminal terminal, string[] paths, string? model, bool json, string? markdown, int threads)
    {
        if (markdown is "") throw new UsageException("--markdown is empty; give a file.");
        (IReadOnlyList<string> goldens, IReadOnlyList<string> cases) = Expand(paths);
        int total = goldens.Count + cases.Count, done = 0;
        if (total == 0) throw new UsageException($"There is neither a golden file nor a predict case in {string.Join(", ", paths)}.");
        // A place that cannot be written to is found out before hours of computing.
        using AtomicFile? file = markdown is null ? null : new AtomicFile(markdown);
        IVerifyOutput output = json ? new VerifyJson(terminal) : new VerifyText(terminal);
        var summary = new VerifySummary();

        using (var verifier = new Verifier(new VerifierOptions { ModelFolder = model, CreateBackend = () => new CpuBackend(new CpuOptions { Threads = threads }) }))
            foreach (string path in goldens)
            {
                Show();
                StageResult result = verifier.Verify(path, terminal.Cancellation);
                summary.Add(result);
                output.Write(result);
                done++;
            }
        using (var predict = new PredictRuns(model, threads, terminal.Cancellation))
            foreach (string path in cases)
            {
                Show();
                PredictRun result = predict.Run(path);
                summary.Add(result);
                output.Write(result);
                done++;
            }
        output.End(summary);
        if (file is not null)
        {
            file.Stream.Write(System.Text.Encoding.UTF8.GetBytes(VerifyMarkdown.Of(summary)));
            file.Commit();
        }
        if (summary.Passed == 0 && summary.Failed == 0) terminal.Note("Nothing was verified: every file was skipped.");
        return summary.Failed == 0 && summary.Passed > 0 ? ExitCode.Success : ExitCode.Failed;

        void Show() => terminal.Progress.Count("Verifying", "files", done, total);
    }

    private static (IReadOnlyList<string> Goldens, IReadOnlyList<string> Cases) Expand(string[] paths)
    {
        List<string> goldens = [], cases = [];
        foreach (string path in paths)
        {
            if (File.Exists(path) && Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase)) cases.Add(path);
            else if (File.Exists(path)) goldens.Add(path);
            else if (Directory.Exists(path))
            {
                goldens.AddRange(Verifier.Expand([path]));
                cases.AddRange(Directory.EnumerateFiles(path, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Where(PredictCase.IsCase));
            }
            else throw new UsageException($"There is no file or folder '{path}'; give golden files, predict cases, or folders of them with --goldens.");
        }
        return (goldens, cases);
    }
}
