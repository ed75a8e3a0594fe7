using System.Globalization;
using Sa2VA.Cli.Arguments;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Engine;
using Sa2VA.Models;
using Spectre.Console;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va inspect</c>: what is in a checkpoint, what is missing, how much memory it needs.</summary>
internal static class InspectCommand
{
    private const int MostTokens = 1 << 24;

    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags();
        var tokens = new NumberOption("--tokens",
            "Tokens of the conversation to count memory for; without it 4096, or what the model supports.", 1, MostTokens);
        var device = new DeviceFlags();
        var scan = new Flag("--scan", "Read all weights and list the tensors with values that are not finite.");
        return new CliCommand("inspect",
            "Shows a checkpoint's family, dimensions and tensors, what is missing, and the memory that each stage needs.",
            "sa2va inspect --model Sa2VA-1B", "sa2va inspect --model Sa2VA-1B --device virtual:h100 --precision bf16",
            "sa2va inspect --model Sa2VA-1B --scan")
        {
            Accepts = [.. model.All, tokens, .. device.All, scan],
            Run = values => Task.FromResult(Run(terminal, model.Of(values).Folder(), device.Choice(values, model.Of(values)).Device,
                values.GetValue(tokens) is > 0 and int count ? count : null, values.GetValue(scan))),
        };
    }

    private static int Run(Terminal terminal, string folder, Device device, int? tokens, bool scan)
    {
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        if (tokens > config.Language.MaxPositions)
            throw new UsageException(FormattableString.Invariant(
                $"--tokens {tokens} is more than the {config.Language.MaxPositions} tokens that {Quoted.Of(folder)} supports."));
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        PrintDimensions(terminal, checkpoint.Name, config);
        PrintParts(terminal, checkpoint);
        PrintQuantization(terminal, config, checkpoint);
        TensorReport report = TensorReport.Of(config, checkpoint);
        PrintNames(terminal, "Missing", report.Missing);
        PrintNames(terminal, "Of another shape", report.Misshapen);
        PrintNames(terminal, "Extra (not used)", report.Extra);
        foreach (string note in config.Notes.Concat(report.Notes)) terminal.WriteLine("Note: " + note);
        if (report.Missing.Count + report.Misshapen.Count == 0) report.ThrowUnlessUsable(folder);
        if (!report.IsUsable)
            throw new CheckpointException($"{Quoted.Of(folder)} cannot be run: of its tensors "
                + $"{Plural.Of(report.Missing.Count, "is", "are")} missing and "
                + $"{Plural.Of(report.Misshapen.Count, "has", "have")} another shape than config.json implies. Download it again.");
        PrintMemory(terminal, device, MemoryEstimate.Of(device, config, checkpoint, tokens));
        if (scan) Scan(terminal, folder, checkpoint);
        return ExitCode.Success;
    }

    private static void PrintDimensions(Terminal terminal, string name, Sa2VAConfig config)
    {
        (VisionConfig v, LanguageConfig l, GroundingConfig g) = (config.Vision, config.Language, config.Grounding);
        terminal.WriteLine($"{name}: Sa2VA of the {config.Family.Title} family, template {config.Template}");
        Line($"  vision tower    width {v.HiddenSize}, ", $"{v.Describe()}");
        Line($"  language model  {l.Kind}, width {l.HiddenSize}, {l.Layers} layers, {l.Heads} query and {l.KvHeads} key heads of ",
            $"{l.HeadDim}, vocabulary {l.VocabularySize}, at most {l.MaxPositions} tokens");
        Line($"  segmentation    SAM 2 at {g.ImageSize}×{g.ImageSize}, Hiera width {g.EmbedDim}, {string.Join('+', g.Stages)} blocks, ",
            $"tokens of {g.DModel}, memories of {g.MemDim}, {g.MemoryAttentionLayers} memory layers");

        void Line(FormattableString first, FormattableString second) =>
            terminal.WriteLine(FormattableString.Invariant(first) + FormattableString.Invariant(second));
    }

    private static void PrintParts(Terminal terminal, Checkpoint checkpoint)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("part").AddColumn(new TableColumn("tensors").RightAligned())
            .AddColumn(new TableColumn("weights").RightAligned()).AddColumn(new TableColumn("bytes").RightAligned()).AddColumn("types");
        List<(string Part, WeightInfo? Info)> tensors =
            [.. checkpoint.Names.Select(n => (n.Split('.')[0], checkpoint.TryDescribe(n, out WeightInfo info) ? info : (WeightInfo?)null))];
        foreach (var part in tensors.GroupBy(t => t.Part).OrderBy(p => p.Key, StringComparer.Ordinal))
            Row(part.Key, [.. part.Select(p => p.Info)]);
        Row("all", [.. tensors.Select(t => t.Info)]);
        terminal.Styled.Write(table);
        terminal.WriteLine($"{Plural.Of(checkpoint.Files.Count, "weight file")}, {Size(checkpoint.Bytes)}");

        void Row(string part, List<WeightInfo?> infos)
        {
            List<WeightInfo> known = [.. infos.OfType<WeightInfo>()];
            string types = string.Join(", ",
                known.GroupBy(i => i.Type).OrderByDescending(t => t.Count())
                    .Select(t => FormattableString.Invariant($"{t.Count()} {t.Key}")));
            if (known.Count < infos.Count)
                types += FormattableString.Invariant($", {infos.Count - known.Count} of a type that is not read");
            table.AddRow(new Text(part), Number(infos.Count), Number(known.Sum(i => i.Shape.Count)),
                new Text(Size(known.Sum(i => i.Bytes))), new Text(types));
        }
    }

    private static void PrintQuantization(Terminal terminal, Sa2VAConfig config, Checkpoint checkpoint)
    {
        if (config.Quantization is not { } quantization) return;
        string kinds = string.Join(", ", checkpoint.Quantized.Values.GroupBy(q => q.Bits).OrderBy(g => g.Key).Select(g =>
            Plural.Of(g.Count(), "matrix", "matrices")
            + FormattableString.Invariant($" of {g.Sum(q => q.Shape.Count):N0} weights in {g.Key} bits")));
        string name = quantization.Precision.Name();
        terminal.WriteLine($"Quantised: {name}, {kinds}; runs with --precision {name} alone, which is taken by itself.");
    }

    private static void PrintNames(Terminal terminal, string what, IReadOnlyList<string> names)
    {
        terminal.WriteLine(names.Count == 0 ? $"{what}: none" : string.Create(CultureInfo.InvariantCulture, $"{what}: {names.Count}"));
        foreach (string name in names) terminal.WriteLine("  " + name);
    }

    private static void PrintMemory(Terminal terminal, Device device, MemoryEstimate estimate)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("memory by stage").AddColumn(new TableColumn("weights").RightAligned())
            .AddColumn(new TableColumn("intermediates").RightAligned()).AddColumn(new TableColumn("buffers").RightAligned());
        foreach (StageMemory s in estimate.Stages)
            table.AddRow(new Text(s.Stage), new Text(Size(s.Weights)), new Text(Size(s.Arena)), new Text(Size(s.Buffers)));
        (long weights, long arena, long buffers) = estimate.Total;
        table.AddRow(new Text("together, one object"), new Text(Size(weights)), new Text(Size(arena)), new Text(Size(buffers)));
        terminal.Styled.Write(table);
        string has = device is CudaDevice gpu ? $", which has {Size(gpu.Availability.Devices[gpu.Index].MemoryBytes)}" : "";
        terminal.WriteLine($"Needs about {Size(weights + arena + buffers)} on the device ({device.Description}{has}). "
            + "Scratch, part of each stage's intermediates, is shared.");
    }

    private static void Scan(Terminal terminal, string folder, Checkpoint checkpoint)
    {
        IReadOnlyList<NonFiniteTensor> found = WeightScan.Run(checkpoint,
            new Reports<ScanProgress>(p => terminal.Progress.Bytes("Scanning", p.Done, p.Total)), terminal.Cancellation);
        if (found.Count == 0)
        {
            terminal.WriteLine($"Scanned {Size(checkpoint.Bytes)} of weights: every value is finite.");
            return;
        }
        foreach (NonFiniteTensor t in found)
            terminal.WriteLine(FormattableString.Invariant($"  {t.Name}: {t.Type} [{string.Join(", ", t.Dims)}], {t.NaN} NaN, ")
                + FormattableString.Invariant($"{t.Infinite} infinite, the first at [{string.Join(", ", Position(t))}], ")
                + FormattableString.Invariant($"in {Path.GetFileName(t.File)}"));
        throw new CheckpointException($"{Quoted.Of(folder)} holds values that are not finite, in {Plural.Of(found.Count, "tensor")}: "
            + $"{string.Join(", ", found.Take(3).Select(t => t.Name))}{(found.Count > 3 ? ", …" : "")}. "
            + "Download the file again, or convert the model again.");
    }

    private static IEnumerable<long> Position(NonFiniteTensor tensor)
    {
        long rest = tensor.First;
        var at = new Stack<long>();
        foreach (long extent in tensor.Dims.Reverse())
        {
            at.Push(rest % extent);
            rest /= extent;
        }
        return at;
    }

    private static Text Number(long value) => new(value.ToString("N0", CultureInfo.InvariantCulture));

    private static string Size(long bytes) => bytes switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB"),
        >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
    };
}
