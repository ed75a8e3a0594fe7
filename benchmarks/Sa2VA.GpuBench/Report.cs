using System.Globalization;
using System.Text.Json;

namespace Sa2VA.GpuBench;

/// <summary>What was measured, as a table for people and as JSON.</summary>
internal static class Report
{
    public const string Head = """
        | benchmark | measured | least … most | the model's | of it | constant | from | clock |
        | --- | ---: | ---: | ---: | ---: | --- | --- | ---: |
        """;

    public static string Row(Measurement m)
    {
        string measured = m.Measured is { } s ? $"{Number(s.Median)} {m.Of.Unit} | {Number(s.Least)} … {Number(s.Most)}"
            : $"{(m.IsWrong ? "failed" : "not measured")}: {m.Trouble!.ReplaceLineEndings(" ").Replace('|', '/')} | ";
        string ratio = m.Ratio is { } r ? r.ToString("F2", CultureInfo.InvariantCulture) : "";
        string clock = m.Gigahertz is { } g ? g.ToString("F2", CultureInfo.InvariantCulture) + " GHz" : "";
        return $"| {m.Of.Name} | {measured} | {(m.Modelled is { } v ? Number(v) : "none")} | {ratio} | {m.Of.Constant} | {m.Origin} | "
            + $"{clock} |";
    }

    private static string Number(double value) =>
        value.ToString(value >= 1e6 ? "0.000e0" : value >= 100 ? "F0" : "F2", CultureInfo.InvariantCulture);

    public static void Write(string file, BenchDevice device, IEnumerable<Measurement> results)
    {
        using FileStream stream = File.Create(file);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("format", "sa2va-gpu-bench/1");
        json.WriteString("device", device.Facts.Name);
        json.WriteBoolean("modelled", device.IsVirtual);
        json.WriteStartArray("results");
        foreach (Measurement m in results)
        {
            json.WriteStartObject();
            json.WriteString("name", m.Of.Name);
            json.WriteString("constant", m.Of.Constant);
            json.WriteString("unit", m.Of.Unit);
            if (m.Measured is { } s)
            {
                json.WriteNumber("measured", s.Median);
                json.WriteNumber("least", s.Least);
                json.WriteNumber("most", s.Most);
            }
            if (m.Modelled is { } modelled)
            {
                json.WriteNumber("model", modelled);
                json.WriteString("from", m.Origin);
            }
            if (m.Ratio is { } ratio) json.WriteNumber("ratio", ratio);
            if (m.Gigahertz is { } clock) json.WriteNumber("gigahertz", clock);
            if (m.Trouble is { } trouble) json.WriteString(m.IsWrong ? "failure" : "not_measured", trouble);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
