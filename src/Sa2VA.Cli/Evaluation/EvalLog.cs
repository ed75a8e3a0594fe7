using System.Text;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Cli.Evaluation;

/// <summary>
/// <c>samples.jsonl</c>: what was asked, then a line for each sample, written when it is done. A run that was stopped goes on behind its
/// last whole line.
/// </summary>
internal sealed class EvalLog : IDisposable
{
    public const string FileName = "samples.jsonl";

    private readonly FileStream _file;
    private readonly Dictionary<string, JsonElement> _samples = new(StringComparer.Ordinal);

    /// <summary>Opens or begins it.</summary>
    /// <param name="folder">Its folder; it is created.</param>
    /// <param name="run">What is asked, as one line of JSON.</param>
    /// <exception cref="UsageException">It cannot be written, or is of another run.</exception>
    public EvalLog(string folder, string run)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            Directory.CreateDirectory(folder);
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        }
        catch (Exception e) when (FileTrouble.Is(e))
        {
            throw new UsageException($"{Quoted.Of(path)} cannot be written: {FileTrouble.Cause(e)}; give another folder with --out.", e);
        }
        try
        {
            Resume(path, run);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Samples done, by their ids.</summary>
    public IReadOnlyDictionary<string, JsonElement> Samples => _samples;

    /// <summary>Writes a sample's line.</summary>
    public void Add(string id, Action<Utf8JsonWriter> fields)
    {
        using var line = new MemoryStream();
        using (var json = new Utf8JsonWriter(line, new JsonWriterOptions { Encoder = JsonLines.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            fields(json);
            json.WriteEndObject();
        }
        _samples.Add(id, JsonDocument.Parse(line.ToArray()).RootElement);
        line.WriteByte((byte)'\n');
        try
        {
            // In one piece, so that a run that is killed leaves a whole line or a torn last one.
            _file.Write(line.ToArray());
            _file.Flush();
        }
        catch (IOException e)
        {
            throw new UsageException($"{Quoted.Of(_file.Name)} cannot be written: {FileTrouble.Cause(e)}.", e);
        }
    }

    public void Dispose() => _file.Dispose();

    private void Resume(string path, string run)
    {
        var content = new byte[_file.Length];
        _file.ReadExactly(content);
        int whole = content.AsSpan().LastIndexOf((byte)'\n') + 1;
        string[] lines = Encoding.UTF8.GetString(content, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length > 0 && lines[0] != run)
            throw new UsageException($"{Quoted.Of(path)} is of another run: {Quoted.Of(lines[0])}; give another folder with --out.");
        try
        {
            foreach (string line in lines.Skip(1))
            {
                JsonElement sample = JsonDocument.Parse(line).RootElement;
                _samples[sample.GetProperty("id").GetString()!] = sample;
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new UsageException($"{Quoted.Of(path)} holds a line that no run wrote; give another folder with --out.", e);
        }
        // What follows the last whole line is of a run that was killed while it wrote.
        _file.SetLength(whole);
        _file.Position = whole;
        if (lines.Length == 0) _file.Write(Encoding.UTF8.GetBytes(run + "\n"));
        _file.Flush();
    }
}
