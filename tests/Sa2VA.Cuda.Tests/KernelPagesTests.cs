using System.Text.RegularExpressions;
using Sa2VA.Tests;

namespace Sa2VA.Cuda.Tests;

/// <summary>
/// docs/kernels.md and docs/kernels: a section for each source of kernels, whose table has every kernel of it with the registers, shared
/// memory and main loop of <c>kernels/resources.txt</c> and the times of <c>benchmarks/results</c> (<c>scripts/kernel-facts</c>).
/// </summary>
public sealed partial class KernelPagesTests
{
    private const int Registers = 1, Shared = 2, MainLoop = 3, Modelled = 4, FirstCard = 5;

    private static readonly string[] Cards = ["h100", "a100", "rtx4090", "h200"];

    private static readonly string Docs = Path.Combine(Fixtures.Repository, "docs");

    /// <summary>Every page, by its path.</summary>
    private static readonly Dictionary<string, string> Pages = new[] { Path.Combine(Docs, "kernels.md") }
        .Concat(Directory.EnumerateFiles(Path.Combine(Docs, "kernels"), "*.md"))
        .ToDictionary(f => f, f => File.ReadAllText(f).ReplaceLineEndings("\n"));

    public static TheoryData<string> Families() => [.. KernelFiles.Families];

    [Theory]
    [MemberData(nameof(Families))]
    public void A_source_has_a_section_with_its_kernels(string family)
    {
        string section = Assert.Single(Pages.Values.SelectMany(p => Section().Split(p)),
            s => s.StartsWith($"{family}\n", StringComparison.Ordinal));
        string[][] rows = Rows(section, family);
        string[] said = [.. rows.Select(r => r[0].Trim('`')).Where(n => n.Length > 0)];
        Assert.Equal(RecordedResources.All.Keys.Where(k => k.StartsWith($"{family}/", StringComparison.Ordinal))
            .Select(k => k[(family.Length + 1)..]), said);
        foreach (string[] row in rows.Where(r => r[0].Length > 0))
        {
            RecordedResources recorded = RecordedResources.All[$"{family}/{row[0].Trim('`')}"];
            string what = $"{row[0]}: run scripts/kernel-facts";
            Assert.True(row[Registers] == string.Join(", ", recorded.Registers.Values), $"{what}, registers {row[Registers]}");
            Assert.True(Regex.IsMatch(row[Shared], $@"^\d+; {recorded.SharedBytes}, \d+$"), $"{what}, shared memory {row[Shared]}");
            Assert.True(row[MainLoop] == Loop(recorded.MainLoop), $"{what}, main loop {row[MainLoop]}");
        }
        string text = section[..section.IndexOf("<!-- facts: ", StringComparison.Ordinal)];
        Assert.True(text.Length > family.Length + 50, $"{family}: nothing is said of it.");
    }

    [Fact]
    public void Times_are_those_of_the_files()
    {
        Dictionary<string, string> cases = Times("modelled-cases.txt", w => w[2]);
        Dictionary<string, string> stages = Times("modelled-stages.txt", w => w[2] == w[3] ? w[2] : $"{w[2]} to {w[3]}");
        var found = new List<string>();
        foreach (string family in KernelFiles.Families)
        {
            string kernel = "";
            string[][] rows = Rows(Pages.Values.Single(p => p.Contains($"<!-- facts: {family} -->", StringComparison.Ordinal)), family);
            foreach (string[] row in rows)
            {
                if (row[0].Length > 0) kernel = row[0].Trim('`');
                // A row of stages is followed by the case of the same kernel.
                bool isOfStages = ShapeCount().IsMatch(row[Modelled]);
                for (int i = 0; i < Cards.Length; i++)
                {
                    (isOfStages ? stages : cases).Remove($"{kernel} {Cards[i]}", out string? time);
                    if (row[FirstCard + i].Split(';')[0] != (time ?? "–"))
                        found.Add($"{kernel}, {Cards[i]}: {row[FirstCard + i]} where the file has {time}");
                }
            }
        }
        found.AddRange(cases.Keys.Concat(stages.Keys).Select(k => $"no page has {k}"));
        Assert.True(found.Count == 0, $"Run scripts/kernel-facts:\n{string.Join('\n', found)}");
    }

    /// <summary>Kernels go, and pages remember them.</summary>
    [Fact]
    public void Kernels_that_pages_name_are_there()
    {
        string[] kernels = [.. KernelFiles.Kernels.Select(k => k.Name)];
        string[] unknown =
        [
            .. from page in Pages
               from Match name in Name().Matches(page.Value)
               let text = name.Groups[1].Value
               where KernelFiles.Families.Any(f => text.StartsWith($"{f}_", StringComparison.Ordinal))
               let pattern = $"^{Regex.Escape(text.Replace('…', '*')).Replace(@"\*", ".*", StringComparison.Ordinal)}$"
               where !KernelFiles.Families.Concat(kernels).Any(k => Regex.IsMatch(k, pattern))
               select $"{Path.GetFileName(page.Key)}: {text}",
        ];
        Assert.True(unknown.Length == 0, string.Join('\n', unknown.Distinct()));
    }

    private static string[][] Rows(string text, string family)
    {
        string begin = $"<!-- facts: {family} -->\n";
        Assert.True(text.Contains(begin, StringComparison.Ordinal), $"{family}: its section has no facts.");
        string table = text.Split(begin)[1].Split("<!-- end of facts -->")[0];
        return [.. table.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(2)
            .Select(line => line.Trim('|').Split('|', StringSplitOptions.TrimEntries))];
    }

    // loop 55 global 4 other 51
    private static string Loop(string recorded)
    {
        string[] words = recorded.Split(' ');
        string mix = string.Join(", ", words.Skip(2).Chunk(2).Select(w => $"{w[0]} {w[1]}"));
        return mix.Length == 0 ? words[1] : $"{words[1]}: {mix}";
    }

    private static Dictionary<string, string> Times(string file, Func<string[], string> time) =>
        File.ReadLines(Path.Combine(Fixtures.Repository, "benchmarks", "results", file)).Where(l => l[0] != '#')
            .Select(l => l.Split(' ')).ToDictionary(w => $"{w[0]} {w[1]}", time);

    [GeneratedRegex("^## ", RegexOptions.Multiline)]
    private static partial Regex Section();

    [GeneratedRegex(@": \d+ shapes?$")]
    private static partial Regex ShapeCount();

    [GeneratedRegex("`([a-z0-9_*…]+)`")]
    private static partial Regex Name();
}
