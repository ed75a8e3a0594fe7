using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>The modifiers of an instruction, taken one by one by what understands them; one that is left over is refused.</summary>
internal sealed class Modifiers(PtxInstruction instruction)
{
    private readonly List<string> left = [.. instruction.Modifiers];

    public bool Has(string name) => left.Contains(name);

    public bool Take(string name) => left.Remove(name);

    /// <summary>The first of those names that is there, taken away; null if none is.</summary>
    public string? TakeOne(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (left.Remove(name)) return name;
        return null;
    }

    /// <summary>Takes away those that change nothing here (hints to caches, scopes of fences).</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (string name in names) left.Remove(name);
    }

    /// <summary>The last modifier as a type.</summary>
    public DataType Type()
    {
        if (left.Count == 0 || !DataTypes.TryParse(left[^1], out DataType type)) throw instruction.Error("the instruction has no type");
        left.RemoveAt(left.Count - 1);
        return type;
    }

    public void End()
    {
        if (left.Count > 0) throw instruction.Error($".{left[0]} is not supported here");
    }
}
