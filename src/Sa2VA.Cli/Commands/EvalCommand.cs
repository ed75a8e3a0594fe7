using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Evaluation;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va eval</c>: the measures of the reference's evaluation on datasets in their public formats.</summary>
internal static class EvalCommand
{
    private static readonly string[] Tasks = ["refcoco", "gcg", "ref-vos"];

    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags(tracks: true);
        // What is missing or wrong is told here, not in the library's words.
        var task = new Argument<string?>("task")
        {
            Description = "refcoco (referring images), gcg (grounded captions) or ref-vos (referring videos).",
            Arity = ArgumentArity.ZeroOrOne, HelpName = string.Join('|', Tasks),
        };
        var data = new TextOption("--data", "DIR", "Folder of the dataset, in the form that docs/eval.md describes.") { Required = true };
        var images = new TextOption("--images", "DIR", "Folder of its images; without it images in the dataset's folder.");
        var split = new TextOption("--split", "NAME", "Split of refcoco or gcg.") { DefaultValueFactory = _ => "val" };
        var output = new TextOption("--out", "DIR", "Folder for samples.jsonl and summary.json; a run that was stopped goes on there.")
        {
            Required = true,
        };
        var masks = new Flag("--masks", "Of ref-vos also write the masks that evaluation servers take.");
        ChoiceOption protocol = RecordedFlags.ProtocolOption("How words find the objects of ref-vos");
        var samples = new NumberOption("--max-samples", "Stop after N samples of this run.", 1, int.MaxValue);
        var device = new DeviceFlags();
        var command = new CliCommand("eval", "Measures a model on RefCOCO, grounded captions, or referring videos.",
            "sa2va eval refcoco --model Sa2VA-1B --data refcoco --images train2014 --split testA --out result",
            "sa2va eval ref-vos --model Sa2VA-1B --data mevis/valid_u --protocol consistent --out result")
        {
            Accepts = [.. model.All, data, images, split, output, protocol, masks, samples, .. device.All],
            Run = values =>
            {
                string folder = values.GetRequiredValue(data), results = values.GetRequiredValue(output);
                string kind = values.GetValue(task)
                    ?? throw new UsageException("Give what to evaluate, such as: sa2va eval refcoco; there are refcoco, gcg and ref-vos.");
                if (!Tasks.Contains(kind))
                    throw new UsageException($"There is no evaluation {Quoted.Of(kind)}; there are refcoco, gcg and ref-vos.");
                if (!Directory.Exists(folder)) throw new UsageException($"There is no folder {Quoted.Of(folder)}; check --data.");
                if (kind != "ref-vos" && values.GetValue(masks)) throw new UsageException("--masks belongs to ref-vos.");
                if (kind != "ref-vos" && ArgumentReader.Has(values, protocol)) throw new UsageException("--protocol belongs to ref-vos.");
                if (kind == "ref-vos" && (ArgumentReader.Has(values, images) || ArgumentReader.Has(values, split)))
                    throw new UsageException("--images and --split belong to refcoco or gcg; a split of ref-vos is a folder.");
                string part = values.GetRequiredValue(split);
                IEvaluation evaluation = kind switch
                {
                    "refcoco" => ReferringImages.Read(folder, values.GetValue(images), part),
                    "gcg" => GroundedCaptions.Read(folder, values.GetValue(images), part),
                    _ => ReferringVideos.Read(folder, values.GetValue(masks) ? results : null),
                };
                var notes = new HeldNotes(terminal);
                ModelChoice chosen = model.Of(values);
                using Sa2VAModel loaded = ModelLoader.Load(terminal, chosen, device.Of(values, notes, chosen));
                using var log = new EvalLog(results, Line(json =>
                {
                    json.WriteString("task", kind);
                    json.WriteString("data", folder);
                    json.WriteString("split", kind == "ref-vos" ? null : part);
                    json.WriteString("model", loaded.Name);
                    json.WriteString("dtype", loaded.Precision.Name());
                    json.WriteString("protocol", values.GetValue(protocol));
                }));
                notes.Tell();
                int most = values.GetValue(samples) is > 0 and int n ? n : int.MaxValue;
                evaluation.Run(new EvalRun(terminal, loaded, log, evaluation.Count, most)
                {
                    Protocol = RecordedFlags.ProtocolOf(values, protocol),
                });
                terminal.Progress.Clear();
                Tell(terminal, evaluation, log, results);
                return Task.FromResult(ExitCode.Success);
            },
        };
        command.Arguments.Add(task);
        return command;
    }

    private static void Tell(Terminal terminal, IEvaluation evaluation, EvalLog log, string folder)
    {
        terminal.WriteLine($"{Plural.Of(log.Samples.Count, "sample")} of {evaluation.Count.ToString(CultureInfo.InvariantCulture)}");
        if (log.Samples.Count == 0) return;
        IReadOnlyList<(string Name, double Value)> measures = evaluation.Summary([.. log.Samples.Values]);
        foreach ((string name, double value) in measures) terminal.WriteLine(FormattableString.Invariant($"{name,-5} {value:0.00}"));
        AtomicFile.Write(Path.Combine(folder, "summary.json"), Encoding.UTF8.GetBytes(Line(json =>
        {
            json.WriteNumber("samples", log.Samples.Count);
            json.WriteNumber("of", evaluation.Count);
            foreach ((string name, double value) in measures) json.WriteNumber(name, value);
        }) + "\n"));
    }

    private static string Line(Action<Utf8JsonWriter> fields)
    {
        using var line = new MemoryStream();
        using (var json = new Utf8JsonWriter(line, new JsonWriterOptions { Encoder = JsonLines.Encoder }))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(line.ToArray());
    }
}
