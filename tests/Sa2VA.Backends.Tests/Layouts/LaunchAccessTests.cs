using System.Globalization;
using System.Text.RegularExpressions;

namespace Sa2VA.Tests;

/// <summary>
/// Bank conflicts and coalescing of every kernel that ships, counted: each kind of access of each kernel needs no more turns of shared
/// memory and sectors of global memory than its bytes do, but where docs/kernels.md says how many, and why.
/// </summary>
public sealed partial class LaunchAccessTests(LaunchAccessTests.All all) : IClassFixture<LaunchAccessTests.All>
{
    /// <summary>A row of the page's table: what is accepted of kernels and of one kind of access.</summary>
    /// <param name="Kernels">Names, in which * stands for anything.</param>
    /// <param name="Opcode">The kind of access.</param>
    /// <param name="Unit">What is counted.</param>
    /// <param name="Most">The largest share of the least that one of the kernels has, to two places.</param>
    private sealed record Accepted(string[] Kernels, string Opcode, string Unit, string Most)
    {
        public bool Covers(CountedAccess access) => access.Opcode == Opcode && access.Unit == Unit && Array.Exists(Kernels,
            k => Regex.IsMatch(access.Kernel, $"^{Regex.Escape(k).Replace(@"\*", ".*", StringComparison.Ordinal)}$"));
    }

    [Fact]
    public void Every_kernel_is_counted()
    {
        string[] idle = [.. KernelFiles.Kernels.Select(k => k.Name).Except(all.Launches.Kernels)];
        Assert.True(idle.Length == 0, $"{nameof(LaunchCases)} has no case that launches {string.Join(", ", idle)}.");
    }

    [Fact]
    public void Accesses_need_the_least_but_where_the_page_says_why_not()
    {
        CountedAccess[] more = [.. all.Launches.Accesses.Where(a => a.Count > a.Least)];
        Accepted[] accepted = Table();
        Assert.NotEmpty(accepted);
        string[] unknown = [.. more.Where(a => !Array.Exists(accepted, e => e.Covers(a))).Select(a => $"not in the table: {a}")];
        string[] others =
        [
            .. from row in accepted
               let most = more.Where(row.Covers).Select(a => a.Share).DefaultIfEmpty(1).Max()
               let found = most.ToString("0.00", CultureInfo.InvariantCulture)
               where found != row.Most
               select $"the table says {row.Most}, it is {found}: {string.Join(", ", row.Kernels)}, {row.Opcode}, {row.Unit}",
        ];
        Assert.True(unknown.Length + others.Length == 0, $"docs/kernels.md, Layouts:\n{string.Join('\n', unknown.Concat(others))}");
    }

    /// <summary>Fragments that are looked for where rows four apart turn alike: two of eight rows meet.</summary>
    [Fact]
    public void A_wrong_swizzle_is_counted()
    {
        const string Kernel = "linear_bf16_64x64";
        LaunchCase c = LaunchCases.All.First(c => c.What == LaunchCases.Small);
        CountedAccess Fragments(CountedLaunches of) =>
            Assert.Single(of.Accesses, a => a is { Kernel: Kernel, Unit: CountedAccess.Turns }
                && a.Opcode.StartsWith("ldmatrix", StringComparison.Ordinal));
        Assert.Equal(1, Fragments(new([c], ptx => ptx)).Share);
        bool isPlanted = false;
        CountedAccess wrong = Fragments(new([c], ptx =>
        {
            int begin = ptx.IndexOf($".entry {Kernel}(", StringComparison.Ordinal);
            if (begin < 0) return ptx;
            int end = ptx.IndexOf("ldmatrix", begin, StringComparison.Ordinal);
            Match turn = Turn().Matches(ptx[..end])[^1];
            isPlanted = turn.Index > begin;
            return $"{ptx[..turn.Index]}{turn.Groups["and"].Value}3;{ptx[(turn.Index + turn.Length)..]}";
        }));
        Assert.True(isPlanted);
        Assert.Equal(2, wrong.Share);
    }

    private static Accepted[] Table()
    {
        string page = File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "kernels.md"));
        int begin = page.IndexOf("\n## Layouts\n", StringComparison.Ordinal);
        int end = page.IndexOf("\n## ", begin + 1, StringComparison.Ordinal);
        return [.. Row().Matches(page[begin..end]).Select(m => new Accepted(
            [.. Name().Matches(m.Groups["kernels"].Value).Select(n => n.Groups[1].Value)], m.Groups["opcode"].Value, m.Groups["unit"].Value,
            m.Groups["most"].Value))];
    }

    [GeneratedRegex(@"^\| (?<kernels>`[^|]*`) \| `(?<opcode>[^`]+)` \| (?<most>[\d.]+) (?<unit>turns|sectors) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"(?<and>and\.b32 %r\d+,%r\d+,)7;")]
    private static partial Regex Turn();

    /// <summary>All cases, run once.</summary>
    public sealed class All
    {
        internal CountedLaunches Launches { get; } = new(LaunchCases.All);
    }
}
