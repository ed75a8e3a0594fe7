using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>A file is no result of a benchmark, or holds more than one.</summary>
public sealed class BenchmarkFileException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>What a row of a record is: which times or rates can be compared with it.</summary>
/// <param name="Stage">The stage; of a ceiling what was run to measure it.</param>
/// <param name="Kernel">Op, kernel and shapes; null for a stage as a whole and for ceilings.</param>
/// <param name="Unit"><c>s</c>, or of ceilings <c>GFLOP/s</c> and <c>GB/s</c>.</param>
public sealed record RecordedRow(string Stage, string? Kernel, string Unit)
{
    /// <summary>True where more is better.</summary>
    public bool IsRate => Unit != "s";

    /// <inheritdoc/>
    public override string ToString() => Kernel is null ? Stage : $"{Stage}: {Kernel}";
}

/// <summary>The result of one run of <c>sa2va bench</c>, as its file has it: lines of JSON or Markdown.</summary>
/// <param name="Machine">What was measured, on what.</param>
/// <param name="Rows">Ceilings, stages and kernels in the file's order. What has no spread has the same least and most.</param>
public sealed partial record BenchmarkRecord(string Machine, IReadOnlyDictionary<RecordedRow, Spread> Rows)
{
    private const long LongestFile = 64L << 20;

    /// <summary>The result of a run of this program.</summary>
    public static BenchmarkRecord Of(BenchmarkReport report) => new Reader("this run").Read(BenchmarkText.JsonLines(report));

    /// <summary>Reads a file that <c>bench --json</c> printed or <c>bench --markdown</c> wrote.</summary>
    /// <exception cref="BenchmarkFileException">It cannot be read, is something else, or holds several runs.</exception>
    public static BenchmarkRecord Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LongestFile })
                throw new BenchmarkFileException($"'{path}' is larger than any result of bench.");
            return new Reader($"'{path}'").Read(File.ReadLines(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new BenchmarkFileException($"'{path}' cannot be read; give a file that bench --json or --markdown wrote.", e);
        }
    }

    private sealed class Reader(string name)
    {
        private readonly OrderedDictionary<RecordedRow, Spread> _rows = [];
        private string? _machine, _stage;
        private Table _table;
        private int _line;

        public BenchmarkRecord Read(IEnumerable<string> lines)
        {
            foreach (string line in lines)
            {
                _line++;
                if (line.StartsWith('{')) Json(line);
                else Markdown(line);
            }
            return _machine is not null && _rows.Keys.Any(r => !r.IsRate) ? new BenchmarkRecord(_machine, _rows)
                : throw new BenchmarkFileException($"{name} is no result of bench; give a file that bench --json or --markdown wrote.");
        }

        private void Json(string text)
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(text);
                JsonElement line = document.RootElement;
                switch (Word(line, "type"))
                {
                    case "machine":
                        if (_machine is not null) throw Several("machine");
                        _machine = $"{Word(line, "model")} on {Word(line, "description")}";
                        Add(new RecordedRow(Word(line, "peak_of"), null, "GFLOP/s"), Values(line.GetProperty("peak_gflops")));
                        Add(new RecordedRow(Word(line, "bandwidth_of"), null, "GB/s"), Values(line.GetProperty("bandwidth_gbs")));
                        break;
                    case "stage":
                        Add(new RecordedRow(Word(line, "stage"), null, "s"), Values(line.GetProperty("seconds")));
                        break;
                    case "kernel":
                        double seconds = line.GetProperty("seconds").GetDouble();
                        // Files of before have no range.
                        bool ranges = line.TryGetProperty("seconds_min", out JsonElement least);
                        Add(new RecordedRow(Word(line, "stage"), $"{Word(line, "op")} {Word(line, "kernel")} {Word(line, "shapes")}", "s"),
                            ranges ? new Spread(seconds, least.GetDouble(), line.GetProperty("seconds_max").GetDouble(), 2)
                                : new Spread(seconds, seconds, seconds, 1));
                        break;
                }
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new BenchmarkFileException($"Line {_line} of {name} is not what bench --json writes.", e);
            }
        }

        private void Markdown(string line)
        {
            if (MachineLine().IsMatch(line))
            {
                if (_machine is not null) throw Several("machine");
                _machine = line[..line.IndexOf("; ", StringComparison.Ordinal)];
            }
            else if (CeilingLine().Match(line) is { Success: true } ceilings)
            {
                Add(new RecordedRow(ceilings.Groups["flopsOf"].Value, null, "GFLOP/s"), Values(ceilings, "flops", 1));
                Add(new RecordedRow(ceilings.Groups["bytesOf"].Value, null, "GB/s"), Values(ceilings, "bytes", 1));
            }
            else if (KernelHeading().Match(line) is { Success: true } heading) _stage = heading.Groups["stage"].Value;
            else if (!line.StartsWith('|')) _table = Table.Other;
            else Row(line.Trim('|', ' ').Split(" | ", StringSplitOptions.TrimEntries));
        }

        private void Row(string[] cells)
        {
            switch (cells)
            {
                case ["Stage", "One run", ..]: _table = Table.Stages; break;
                case ["Op", "Kernel", ..]: _table = Table.Kernels; break;
                case [var stage, _, var time, ..] when _table == Table.Stages: Add(new RecordedRow(stage, null, "s"), time); break;
                case [var op, var kernel, var shapes, _, var time, ..] when _table == Table.Kernels && _stage is not null:
                    Add(new RecordedRow(_stage, $"{op} {kernel} {shapes}", "s"), time);
                    break;
            }
        }

        private void Add(RecordedRow row, string time)
        {
            if (Duration().Match(time) is { Success: true } found)
                Add(row, Values(found, "time", found.Groups["unit"].Value switch { "s" => 1, "ms" => 1e-3, _ => 1e-6 }));
        }

        private void Add(RecordedRow row, Spread value)
        {
            if (!_rows.TryAdd(row, value)) throw Several(row.ToString());
        }

        private BenchmarkFileException Several(string what) =>
            new($"{name} has '{what}' a second time in line {_line}; give a file that holds one run.");

        private static string Word(JsonElement line, string name) =>
            line.GetProperty(name).GetString() ?? throw new FormatException(name);

        private static Spread Values(JsonElement value) => new(value.GetProperty("median").GetDouble(),
            value.GetProperty("min").GetDouble(), value.GetProperty("max").GetDouble(), value.GetProperty("count").GetInt32());

        private static Spread Values(Match match, string group, double factor)
        {
            double Of(string which, string otherwise) => factor * double.Parse(
                match.Groups[group + which] is { Success: true } found ? found.Value : match.Groups[group + otherwise].Value,
                CultureInfo.InvariantCulture);
            (double least, double most) = (Of("Min", ""), Of("Max", ""));
            // How many there were is not told; of one there is no range.
            return new Spread(Of("", ""), least, most, least < most ? 2 : 1);
        }

        private enum Table
        {
            Other,
            Stages,
            Kernels,
        }
    }

    [GeneratedRegex(@"^\S+ on .+; the machine has \d+ logical processors")]
    private static partial Regex MachineLine();

    [GeneratedRegex(@"^Measured ceilings, median \(min–max\) of \d+: (?<flops>[\d.]+) \((?<flopsMin>[\d.]+)–(?<flopsMax>[\d.]+)\) GFLOP/s "
        + @"of (?<flopsOf>.+), (?<bytes>[\d.]+) \((?<bytesMin>[\d.]+)–(?<bytesMax>[\d.]+)\) GB/s (?<bytesOf>.+)\.$")]
    private static partial Regex CeilingLine();

    [GeneratedRegex(@"^(?<stage>[\w-]+): (kernels .+, one by one; the stage|.+ modelled, limited by) ")]
    private static partial Regex KernelHeading();

    [GeneratedRegex(@"^(?<time>[\d.]+)( \((?<timeMin>[\d.]+)–(?<timeMax>[\d.]+)\))? (?<unit>s|ms|µs)\b")]
    private static partial Regex Duration();
}
