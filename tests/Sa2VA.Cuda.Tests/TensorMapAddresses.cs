using System.Text.RegularExpressions;

namespace Sa2VA.Tests;

/// <summary>
/// Whether machine code for Hopper addresses tensor maps that are parameters rightly. A map's address is the base of the parameters' window
/// (<c>c[0x0][0x198]</c>, 64 bits) plus a place in it. ptxas 12.4 forgets the base where PTX selects between two maps before
/// <c>cvta.param</c>: the instruction then reads at 0x30 or 0xb0, on a card "misaligned address" or another's bytes as a map.
/// </summary>
/// <remarks>
/// Followed forward through the control flow is which registers hold the base on every path. A sum holds it if one part does, a choice if
/// both do. A write under a guard counts under that guard, until its predicate is written. What is not understood counts as forgotten, so
/// a false alarm is possible, and silence is not.
/// </remarks>
internal static partial class TensorMapAddresses
{
    private const int WidestResult = 4;

    private sealed record Instruction(string Place, string Guard, string Name, string[] Operands);

    /// <summary>The base is in a register; with a guard, where that is true.</summary>
    private readonly record struct Held(string Register, string Guard);

    /// <summary>Instructions on tensor maps.</summary>
    /// <param name="function">What nvdisasm says of one kernel.</param>
    public static int Count(string function) => Read(function).Code.Count(UsesMap);

    /// <summary>Those whose map's address lacks the base on some path, and those to which no path was found.</summary>
    /// <param name="function">What nvdisasm says of one kernel.</param>
    public static IReadOnlyList<string> Forgotten(string function)
    {
        (List<Instruction> code, Dictionary<string, int> labels) = Read(function);
        var before = new HashSet<Held>?[code.Count + 1];
        before[0] = [];
        var open = new Stack<int>([0]);
        while (open.TryPop(out int n))
        {
            if (n == code.Count) continue;
            HashSet<Held> after = [.. before[n]!];
            Step(code[n], after);
            foreach (int next in Next(code[n], n, labels))
                if (before[next] is not { } known)
                {
                    before[next] = [.. after];
                    open.Push(next);
                }
                else
                {
                    int count = known.Count;
                    known.IntersectWith(after);
                    if (known.Count < count) open.Push(next);
                }
        }
        return [.. code.Select((i, n) => (Instruction: i, State: before[n])).Where(c => UsesMap(c.Instruction)
            && !(c.State is { } state && MapRegisters(c.Instruction).All(r => Holds(state, r, c.Instruction.Guard))))
            .Select(c => $"{c.Instruction.Place} {c.Instruction.Name} {string.Join(", ", c.Instruction.Operands)}")];
    }

    private static bool UsesMap(Instruction i) => i.Name.StartsWith("UTMA", StringComparison.Ordinal);

    /// <summary>Both halves: of copies the second address is the map's, of a prefetch the only one.</summary>
    private static string[] MapRegisters(Instruction i)
    {
        string[] addresses = [.. i.Operands.Where(o => o.StartsWith('[')).Select(o => o.Trim('[', ']'))];
        string low = addresses[Math.Min(1, addresses.Length - 1)];
        return [low, Behind(low, 1)];
    }

    private static bool Holds(HashSet<Held> state, string register, string guard) =>
        state.Contains(new(register, "")) || state.Contains(new(register, guard));

    /// <summary>UR5 behind UR4.</summary>
    private static string Behind(string register, int by)
    {
        int digits = register[0] == 'U' ? 2 : 1;
        return register[..digits] + (int.Parse(register[digits..]) + by);
    }

    private static void Step(Instruction i, HashSet<Held> state)
    {
        if (i.Name.StartsWith("CALL", StringComparison.Ordinal))
        {
            // A division's slow path, say: what it leaves of registers is not known.
            state.Clear();
            return;
        }
        int at = Array.FindIndex(i.Operands, o => !Predicate().IsMatch(o));
        string result = at < 0 ? "" : i.Operands[at];
        // Predicates stand before the result, and carries behind it.
        IEnumerable<string> written = i.Operands.Take(Math.Min(Math.Max(at, 0), 2))
            .Concat(i.Operands.Skip(at + 1).TakeWhile(o => Predicate().IsMatch(o))).Select(p => p.TrimStart('!'));
        foreach (string predicate in written) state.RemoveWhere(h => h.Guard.TrimStart('!') == predicate);
        if (!Register().IsMatch(result)) return;
        string[] sources = [.. i.Operands.Skip(at + 1).Where(o => !Predicate().IsMatch(o))];
        bool isWide = i.Name.Contains(".64", StringComparison.Ordinal) || i.Name.Contains("WIDE", StringComparison.Ordinal);
        bool low = IsBase(0), high = isWide && IsBase(1);
        // What else it may write is gone: a load of 128 bits has four registers, a product of a warpgroup all of those behind the first.
        if (i.Name.Contains("GMMA", StringComparison.Ordinal)) state.RemoveWhere(h => h.Register[0] == 'R');
        else if (i.Name.Contains(".128", StringComparison.Ordinal))
            for (int n = 1; n < WidestResult; n++) Write(Behind(result, n), false);
        Write(result, low);
        if (isWide) Write(Behind(result, 1), high);

        bool IsBase(int half)
        {
            bool[] hold = [.. sources.Select(s => Base().IsMatch(s)
                || Register().Match(s) is { Success: true } r && Holds(state, Behind(r.Groups["name"].Value, half), i.Guard))];
            return i.Name.TrimStart('U').StartsWith("SEL", StringComparison.Ordinal) ? hold.Take(2).All(h => h) : hold.Any(h => h);
        }

        void Write(string register, bool isBase)
        {
            bool held = state.Contains(new(register, ""));
            string other = i.Guard.StartsWith('!') ? i.Guard[1..] : $"!{i.Guard}";
            if (i.Guard == "") state.RemoveWhere(h => h.Register == register);
            else if (!isBase)
            {
                // Where the guard is false nothing was written.
                if (held) state.Add(new(register, other));
                state.RemoveWhere(h => h.Register == register && h.Guard != other);
            }
            if (isBase) state.Add(new(register, i.Guard));
        }
    }

    private static IEnumerable<int> Next(Instruction i, int at, Dictionary<string, int> labels)
    {
        bool ends = i.Name is "EXIT" or "RET" || i.Name.StartsWith("RET.", StringComparison.Ordinal), jumps = false;
        if (i.Name.StartsWith("BRA", StringComparison.Ordinal))
        {
            yield return labels[Target().Match(i.Operands[^1]).Groups[1].Value];
            // A branch of lanes that part, or with a predicate among its operands, falls through too.
            jumps = i.Operands.Length == 1 && !i.Name.Contains(".DIV", StringComparison.Ordinal);
        }
        else if (i.Name.StartsWith("BRX", StringComparison.Ordinal))
            throw new NotSupportedException($"{i.Place} {i.Name}: where it goes is not known.");
        if (!(ends || jumps) || i.Guard != "") yield return at + 1;
    }

    private static (List<Instruction> Code, Dictionary<string, int> Labels) Read(string function)
    {
        var code = new List<Instruction>();
        var labels = new Dictionary<string, int>();
        foreach (string line in function.Split('\n'))
            if (Label().Match(line) is { Success: true } label) labels[label.Groups[1].Value] = code.Count;
            else if (Line().Match(line) is { Success: true } found)
            {
                string[] operands = [.. found.Groups["operands"].Value.Split(',').Select(o => o.Trim()).Where(o => o != "")];
                code.Add(new(found.Groups["place"].Value, found.Groups["guard"].Value, found.Groups["name"].Value, operands));
            }
        return (code, labels);
    }

    [GeneratedRegex(@"^\s*(\.L_\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"^\s+/\*(?<place>[0-9a-f]{4,6})\*/\s+(?:@(?<guard>!?U?P\w+)\s+)?(?<name>[A-Z][\w.]*)\s*(?<operands>[^;]*);")]
    private static partial Regex Line();

    [GeneratedRegex(@"^!?U?P[\dT]$")]
    private static partial Regex Predicate();

    [GeneratedRegex(@"^[-~|]?(?<name>U?R\d+)(?:\.\w+)*\|?$")]
    private static partial Regex Register();

    [GeneratedRegex(@"^c\[0x0\]\[0x19[8c]\]$")]
    private static partial Regex Base();

    [GeneratedRegex(@"`\((\.L_\w+)\)")]
    private static partial Regex Target();
}
