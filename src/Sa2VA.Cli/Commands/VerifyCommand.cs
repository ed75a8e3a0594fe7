using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Verifying;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va verify</c>: recorded computations and answers, computed again and compared.</summary>
internal static class VerifyCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var goldens = new TextListOption(
            "--goldens", "FILE|DIR", "Golden files (.safetensors), predict cases (.json), or folders of them.")
        {
            Required = true, AllowMultipleArgumentsPerToken = true,
        };
        var model = new ModelFlags(
            "Run files that name a checkpoint against this one; without it each file's own is looked up (models/NAME above the file).",
            required: false);
        var json = new Flag(CommonOptions.Json, "One JSON object per file instead of text.");
        var markdown = new TextOption("--markdown", "FILE", "Also write the summary tables to this file.");
        var device = new DeviceFlags();
        return new CliCommand("verify",
            "Computes again what the reference implementation recorded, and compares: "
            + "exit 0 if at least one file ran and none failed, 1 otherwise.",
            "sa2va verify --goldens tests/fixtures", "sa2va verify --model Sa2VA-1B --goldens recorded/predict --markdown fidelity.md")
        {
            Accepts = [goldens, .. model.All, json, markdown, .. device.All],
            Run = values =>
            {
                var notes = new HeldNotes(terminal);
                string? folder = model.TryOf(values)?.Folder();
                Device usual = device.Of(values, notes, model: null);
                return Task.FromResult(Run(terminal, notes, new Request
                {
                    Goldens = values.GetRequiredValue(goldens), Model = folder, Json = values.GetValue(json),
                    Markdown = values.GetValue(markdown),
                    Device = stored => device.In(values, notes, usual, stored),
                }));
            },
        };
    }

    private sealed record Request
    {
        public required IReadOnlyList<string> Goldens { get; init; }
        public string? Model { get; init; }
        public bool Json { get; init; }
        public string? Markdown { get; init; }

        /// <summary>Where to compute with weights that are stored for a precision, or for any.</summary>
        public required Func<Precision?, Device> Device { get; init; }
    }

    private static int Run(Terminal terminal, HeldNotes notes, Request request)
    {
        (string? model, string? markdown) = (request.Model, request.Markdown);
        (IReadOnlyList<string> goldens, IReadOnlyList<string> cases) = Expand(request.Goldens);
        int total = goldens.Count + cases.Count, done = 0;
        string places = string.Join(", ", request.Goldens.Select(Quoted.Of));
        if (total == 0) throw new UsageException($"There is neither a golden file nor a predict case in {places}.");
        // A place that cannot be written to is found out before hours of computing.
        using SummaryFile? file = markdown is null ? null : new SummaryFile(markdown);
        IVerifyOutput output = request.Json ? new VerifyJson(terminal) : new VerifyText(terminal);
        var summary = new VerifySummary();
        var options = new VerifierOptions
        {
            ModelFolder = model, OnNote = notes.Add, CreateBackend = stored => request.Device(stored).Open(),
        };
        using (var verifier = new Verifier(options))
            foreach (string path in goldens)
            {
                Show();
                StageResult result = verifier.Verify(path, terminal.Cancellation);
                summary.Add(result);
                output.Write(result);
                done++;
            }
        using (var predict = new PredictRuns(model, request.Device, notes, terminal.Cancellation))
            foreach (string path in cases)
            {
                Show();
                PredictRun result = predict.Run(path);
                summary.Add(result);
                output.Write(result);
                done++;
            }
        output.End(summary);
        notes.Tell();
        file?.Write(VerifyMarkdown.Of(summary));
        if (summary.Passed == 0 && summary.Failed == 0) terminal.Note("Nothing was verified: every file was skipped.");
        return summary.Failed == 0 && summary.Passed > 0 ? ExitCode.Success : ExitCode.Failed;

        void Show() => terminal.Progress.Count("Verifying", "files", done, total);
    }

    private static (IReadOnlyList<string> Goldens, IReadOnlyList<string> Cases) Expand(IReadOnlyList<string> paths)
    {
        List<string> goldens = [], cases = [];
        foreach (string path in paths)
        {
            if (File.Exists(path) && Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase)) cases.Add(path);
            else if (File.Exists(path)) goldens.Add(path);
            else if (Directory.Exists(path))
            {
                goldens.AddRange(Verifier.Expand([path]));
                cases.AddRange(Directory.EnumerateFiles(path, "*.json", SearchOption.AllDirectories)
                    .Order(StringComparer.Ordinal).Where(PredictCase.IsCase));
            }
            else
                throw new UsageException($"There is no file or folder {Quoted.Of(path)}; "
                    + "give golden files, predict cases, or folders of them with --goldens.");
        }
        return (goldens, cases);
    }
}
