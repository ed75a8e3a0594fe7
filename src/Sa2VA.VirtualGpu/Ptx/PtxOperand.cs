namespace Sa2VA.VirtualGpu.Ptx;

/// <summary>A virtual register of a kernel; predicates hold one bit.</summary>
internal sealed class PtxRegister(string name, DataType type, int index)
{
    public string Name => name;

    public DataType Type => type;

    /// <summary>Number of the register in its kernel, in order of first mention.</summary>
    public int Index => index;

    public override string ToString() => name;
}

internal enum ImmediateKind
{
    Integer,
    Float32,
    Float64,
}

internal abstract record PtxOperand;

internal sealed record RegisterOperand(PtxRegister Register, bool Negated = false) : PtxOperand
{
    public override string ToString() => (Negated ? "!" : "") + Register.Name;
}

/// <summary>Two predicates written by one instruction, <c>p|q</c>, or a value and a predicate; null stands for <c>_</c>.</summary>
internal sealed record PairOperand(PtxRegister? First, PtxRegister? Second) : PtxOperand
{
    public override string ToString() => $"{First?.Name ?? "_"}|{Second?.Name ?? "_"}";
}

internal sealed record ImmediateOperand(ulong Bits, ImmediateKind Kind) : PtxOperand
{
    public override string ToString() => Kind switch
    {
        ImmediateKind.Float32 => $"0f{Bits:X8}",
        ImmediateKind.Float64 => $"0d{Bits:X16}",
        _ => ((long)Bits).ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}

/// <summary>The name of a variable, a label, or a special register such as <c>%tid.x</c>.</summary>
internal sealed record SymbolOperand(string Name) : PtxOperand
{
    public override string ToString() => Name;
}

internal sealed record VectorOperand(PtxOperand[] Items) : PtxOperand
{
    public override string ToString() => "{" + string.Join(", ", (object[])Items) + "}";
}

/// <summary>
/// <c>[register + offset]</c>, <c>[variable + offset]</c> or <c>[offset]</c>; with coordinates <c>[register, {x, y}]</c>, the place of a
/// box in a tensor.
/// </summary>
internal sealed record AddressOperand(PtxRegister? Register, string? Symbol, long Offset) : PtxOperand
{
    public VectorOperand? Coordinates { get; init; }

    public override string ToString()
    {
        string name = Register?.Name ?? Symbol ?? "", tail = Coordinates is null ? "" : $", {Coordinates}";
        return Offset == 0 ? $"[{name}{tail}]" : $"[{name}+{Offset}{tail}]";
    }
}

/// <summary><c>_</c>: a result that nobody wants.</summary>
internal sealed record SinkOperand : PtxOperand
{
    public override string ToString() => "_";
}
