using System.Text.Json;
using System.Text.RegularExpressions;

namespace Sa2VA.Cli.Tests;

/// <summary>docs/json-lines.md has every field that is written, and no other.</summary>
public partial class JsonPageTests
{
    [Fact]
    public void Every_field_is_on_the_page_and_every_one_on_the_page_is_written()
    {
        using var folder = new ScratchFolder();
        string[] ask = ["--model", CliRun.Toy, "--prompt", "Please segment the red circle.", "--json"];
        var written = new SortedSet<string>(StringComparer.Ordinal);
        foreach (CliRun run in (CliRun[])
        [
            CliRun.Of(["segment", .. ask, "--image", CliRun.Shapes, "--point", "100,100", "--out", folder.At("one")]),
            // One of them is missing when its turn comes.
            CliRun.Of(["segment", .. ask, "--image", CliRun.Shapes, "--image", Broken(folder), "--out", folder.At("two")]),
            CliRun.With((line, cancel) =>
            {
                if (line.Contains("\"re_ask\"", StringComparison.Ordinal)) cancel.Cancel();
            }, TextReader.Null, ["track", CliRun.Clip, .. ask, "--re-ask", "1", "--rate", "4"]),
        ])
        {
            foreach (JsonElement line in run.Json) Collect(line, line.GetProperty("type").GetString()!, written);
        }
        Assert.Equal(OnPage(), written);
    }

    [Fact]
    public void What_other_commands_write_is_on_the_page()
    {
        string page = File.ReadAllText(Page), source = Path.Combine(Fixtures.Repository, "src", "Sa2VA.Cli");
        string[] missing = [.. ((string[])["Doctor/DoctorJson.cs", "Verifying/VerifyJson.cs"])
            .SelectMany(file => Written().Matches(File.ReadAllText(Path.Combine(source, Path.Combine(file.Split('/'))))))
            .Select(m => m.Groups[1].Value).Distinct().Where(name => !page.Contains($"`{name}`", StringComparison.Ordinal))];
        Assert.Empty(missing);
    }

    private static string Page => Path.Combine(Fixtures.Repository, "docs", "json-lines.md");

    private static string Broken(ScratchFolder folder)
    {
        File.WriteAllText(folder.At("broken.png"), "no picture");
        return folder.At("broken.png");
    }

    private static void Collect(JsonElement value, string path, SortedSet<string> written)
    {
        if (value.ValueKind == JsonValueKind.Array)
            foreach (JsonElement item in value.EnumerateArray()) Collect(item, path, written);
        if (value.ValueKind != JsonValueKind.Object) return;
        foreach (JsonProperty field in value.EnumerateObject().Where(f => path.Contains(' ', StringComparison.Ordinal) || f.Name != "type"))
        {
            string name = path.Contains(' ', StringComparison.Ordinal) ? $"{path}.{field.Name}" : $"{path} {field.Name}";
            written.Add(name);
            Collect(field.Value, name, written);
        }
    }

    private static SortedSet<string> OnPage()
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        string? type = null;
        foreach (string line in File.ReadLines(Page))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal)) break;
            if (line.StartsWith("### ", StringComparison.Ordinal)) type = line[4..];
            else if (type is not null && line.StartsWith("| `", StringComparison.Ordinal))
                foreach (Match field in Field().Matches(line.Split('|')[1])) found.Add($"{type} {field.Groups[1].Value}");
        }
        return found;
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Field();

    [GeneratedRegex("""(?:Write[A-Za-z]*\(|Number\(json, )"([a-z_]+)""")]
    private static partial Regex Written();
}
