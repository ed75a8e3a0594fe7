namespace Sa2VA.VirtualGpu.Ptx;

/// <summary>Instructions that run one after the other: entered at First only, left after Last only.</summary>
internal sealed record BasicBlock(int First, int Last, int[] Successors);

/// <summary>The basic blocks of a kernel in order of their instructions.</summary>
internal static class ControlFlow
{
    /// <summary>Instructions that a basic block begins with: the first, targets of branches, what follows a branch or an end.</summary>
    public static bool[] Leaders(IReadOnlyList<PtxInstruction> code)
    {
        var leaders = new bool[code.Count];
        leaders[0] = true;
        for (int n = 0; n < code.Count; n++)
        {
            if (code[n].Target >= 0) leaders[code[n].Target] = true;
            if (Ends(code[n]) && n + 1 < code.Count) leaders[n + 1] = true;
        }
        return leaders;
    }

    public static List<BasicBlock> Blocks(IReadOnlyList<PtxInstruction> code)
    {
        bool[] leaders = Leaders(code);
        var number = new int[code.Count];
        int blocks = 0;
        for (int n = 0; n < code.Count; n++) number[n] = leaders[n] ? blocks++ : blocks - 1;
        var result = new List<BasicBlock>(blocks);
        for (int first = 0; first < code.Count;)
        {
            int last = first;
            while (last + 1 < code.Count && !leaders[last + 1]) last++;
            PtxInstruction end = code[last];
            var successors = new List<int>(2);
            if (end.Target >= 0) successors.Add(number[end.Target]);
            if ((!Ends(end) || end.Guard is not null) && last + 1 < code.Count) successors.Add(number[last + 1]);
            result.Add(new(first, last, [.. successors]));
            first = last + 1;
        }
        return result;
    }

    private static bool Ends(PtxInstruction i) => i.Name is "bra" or "ret" or "exit" or "trap";
}
