using System.Text.RegularExpressions;

namespace Sa2VA.Tests;

/// <summary>
/// What a kernel's machine code does again and again: of loops with products the one with the largest share of them, else the longest. Also
/// in <c>scripts/main-loops.awk</c>, which records it.
/// </summary>
internal static partial class MainLoop
{
    private static readonly string[] Kinds = ["tensor", "ldmatrix", "shared", "global", "mufu", "fma", "other"];

    /// <summary>Instructions by kind, as <c>kernels/resources.txt</c> has them: <c>loop 55 global 4 other 51</c>.</summary>
    /// <param name="code">The listing of one kernel.</param>
    public static string Of(string code)
    {
        var kinds = new List<string>();
        var labels = new Dictionary<string, int>();
        (int from, int to, double share) = (0, 0, 0);
        foreach (string line in code.Split('\n'))
            if (Label().Match(line) is { Success: true } label) labels[label.Groups[1].Value] = kinds.Count;
            else if (Instruction().Match(line) is { Success: true } instruction)
            {
                kinds.Add(Kind(instruction.Groups[1].Value));
                if (Jump().Match(line) is not { Success: true } jump || !labels.TryGetValue(jump.Groups[1].Value, out int begin)) continue;
                int length = kinds.Count - begin;
                double products = (double)kinds[begin..].Count(k => k == "tensor") / length;
                // A kernel ends with a branch to itself, which is no loop.
                if (length > 1 && (products > share || (share == 0 && length > to - from)))
                    (from, to, share) = (begin, kinds.Count, products);
            }
        ILookup<string, string> mix = kinds[from..to].ToLookup(k => k);
        return string.Concat([$"loop {to - from}", .. Kinds.Where(mix.Contains).Select(k => $" {k} {mix[k].Count()}")]);
    }

    private static string Kind(string op) => op switch
    {
        "HMMA" or "IMMA" or "HGMMA" => "tensor",
        "LDSM" => "ldmatrix",
        "LDS" or "STS" or "ATOMS" => "shared",
        "LDG" or "STG" or "LDGSTS" or "LD" or "ST" or "ATOMG" or "RED" or "UTMALDG" => "global",
        "MUFU" => "mufu",
        _ => Float().IsMatch(op) ? "fma" : "other",
    };

    [GeneratedRegex("^[FH](?:FMA|MUL|ADD)2?$")]
    private static partial Regex Float();

    [GeneratedRegex(@"^\s*(\.L_\w+):")]
    private static partial Regex Label();

    // Behind its guard, without its modifiers.
    [GeneratedRegex(@"^\s+/\*[0-9a-f]{4,6}\*/\s+(?:@\S+\s+)?(\w+)[^;]*;")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"\bBRA\b.*`\((\.L_\w+)\)")]
    private static partial Regex Jump();
}
