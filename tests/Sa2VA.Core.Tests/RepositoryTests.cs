using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Sa2VA.Tests;

namespace Sa2VA.Core.Tests;

/// <summary>What the repository says about itself: pages that comments cite, links of pages, the house's limits on files.</summary>
public sealed partial class RepositoryTests
{
    private const int MostLines = 500;

    [Fact]
    public void Comments_cite_pages_that_are_here() => None(
        from file in Files(".cs")
        from line in File.ReadLines(file)
        where line.Contains("//", StringComparison.Ordinal)
        from Match citation in Page().Matches(line[line.IndexOf("//", StringComparison.Ordinal)..])
        let target = Path.Combine(Fixtures.Repository, Local(citation.Groups["page"].Value))
        where !Resolves(target, citation.Groups["heading"].Value)
        select $"{Name(file)} cites {citation.Value}");

    [Fact]
    public void Pages_link_to_what_is_here() => None(
        from file in Files(".md")
        from Match link in Link().Matches(WithoutCode(File.ReadAllText(file)))
        let path = link.Groups["path"].Value
        where !path.Contains("://", StringComparison.Ordinal)
        let target = path.Length == 0 ? file : Path.Combine(Path.GetDirectoryName(file)!, Local(path))
        where !Resolves(target, link.Groups["heading"].Value)
        select $"{Name(file)} links to {link.Groups["path"].Value}#{link.Groups["heading"].Value}");

    [Fact]
    public void Source_files_are_short() => None(
        from file in Files(".cs")
        let lines = File.ReadLines(file).Count()
        where lines > MostLines
        select $"{Name(file)} has {lines} lines");

    [Fact]
    public void Lines_are_no_longer_than_the_editor_settings_say()
    {
        string settings = File.ReadAllText(Path.Combine(Fixtures.Repository, ".editorconfig"));
        int limit = int.Parse(LineLimit().Match(settings).Groups["limit"].Value, CultureInfo.InvariantCulture);
        None(
            from file in Files(".cs")
            let name = Name(file).Replace(Path.DirectorySeparatorChar, '/')
            from line in File.ReadLines(file).Index()
            where line.Item.Length > limit
            select $"{name}:{line.Index + 1} has {line.Item.Length} characters");
    }

    [Fact]
    public void Embedders_get_the_runtime_settings_of_the_kernels_from_the_package()
    {
        string cpu = Path.Combine(Fixtures.Repository, "src", "Sa2VA.Cpu");
        XElement setting = XDocument.Load(Path.Combine(cpu, "buildTransitive", "Sa2VA.Cpu.props")).Descendants("TieredPGO").Single();
        Assert.Equal("false", setting.Value);
        Assert.Equal("'$(TieredPGO)' == ''", setting.Attribute("Condition")?.Value);
        XElement packed = XDocument.Load(Path.Combine(cpu, "Sa2VA.Cpu.csproj")).Descendants("None")
            .Single(e => e.Attribute("Include")?.Value == "buildTransitive/Sa2VA.Cpu.props");
        Assert.Equal(("true", "buildTransitive/"), (packed.Attribute("Pack")?.Value, packed.Attribute("PackagePath")?.Value));
    }

    [Theory]
    [InlineData("docs/model/vision.md#pixel-shuffle", true)]
    [InlineData("docs/model/vision.md#pixel-shuffling", false)]
    [InlineData("docs/model/visions.md", false)]
    public void A_citation_is_a_page_and_a_heading(string citation, bool found)
    {
        Match m = Page().Match($"As {citation} says.");
        Assert.Equal(citation, m.Value);
        Assert.Equal(found, Resolves(Path.Combine(Fixtures.Repository, Local(m.Groups["page"].Value)), m.Groups["heading"].Value));
    }

    private static void None(IEnumerable<string> faults)
    {
        string list = string.Join('\n', faults);
        if (list.Length > 0) Assert.Fail(list);
    }

    private static bool Resolves(string target, string heading)
    {
        if (heading.Length == 0) return File.Exists(target) || Directory.Exists(target);
        return File.Exists(target)
            && Heading().Matches(WithoutCode(File.ReadAllText(target))).Any(h => Anchor(h.Groups["text"].Value) == heading);
    }

    /// <summary>The anchor that GitHub gives a heading: letters, digits and hyphens stay, spaces become hyphens.</summary>
    private static string Anchor(string heading)
    {
        var s = new StringBuilder();
        foreach (char c in heading.Trim().ToLowerInvariant())
            if (char.IsLetterOrDigit(c) || c is '-' or '_') s.Append(c);
            else if (c == ' ') s.Append('-');
        return s.ToString();
    }

    private static string WithoutCode(string page) => Fence().Replace(page.ReplaceLineEndings("\n"), "");

    private static string Local(string path) => path.Replace('/', Path.DirectorySeparatorChar);

    private static string Name(string file) => Path.GetRelativePath(Fixtures.Repository, file);

    /// <summary>Files of the repository; what builds and runs leave behind is passed over.</summary>
    private static List<string> Files(string extension)
    {
        var files = new List<string>();
        Add(Fixtures.Repository);
        Assert.NotEmpty(files);
        return files;

        void Add(string folder)
        {
            files.AddRange(Directory.EnumerateFiles(folder, "*" + extension));
            foreach (string below in Directory.EnumerateDirectories(folder))
                if (Path.GetFileName(below) is not ("bin" or "obj" or "artifacts" or "fixtures" or "node_modules")
                    && !Path.GetFileName(below).StartsWith('.'))
                    Add(below);
        }
    }

    [GeneratedRegex(@"(?<page>\b[\w./-]+\.md)(#(?<heading>[\w-]+))?")]
    private static partial Regex Page();

    [GeneratedRegex(@"\]\((?<path>[^)#\s]*)(#(?<heading>[^)\s]+))?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^max_line_length = (?<limit>\d+)", RegexOptions.Multiline)]
    private static partial Regex LineLimit();

    [GeneratedRegex(@"^#+ (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^```.*?^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();
}
