namespace Sa2VA.VirtualGpu.Ptx;

internal enum StateSpace
{
    Generic,
    Global,
    Shared,
    Local,
    Param,
    Const,
}

/// <summary>A declared variable; Bytes is 0 for a dynamic array of shared memory (<c>.extern .shared .b8 name[]</c>).</summary>
internal sealed record PtxVariable(string Name, StateSpace Space, int Alignment, int Bytes, byte[]? Initial, int Line);

/// <summary>One instruction: base name, what follows it (<c>.sync.aligned</c>, types last), guard, operands.</summary>
internal sealed class PtxInstruction(string name, string[] modifiers, PtxOperand[] operands, int line)
{
    public string Name => name;

    public string[] Modifiers => modifiers;

    public PtxOperand[] Operands => operands;

    public int Line => line;

    public PtxRegister? Guard { get; init; }

    public bool GuardNegated { get; init; }

    /// <summary>Position in the kernel that a branch goes to, or −1.</summary>
    public int Target { get; set; } = -1;

    public string Opcode => modifiers.Length == 0 ? name : name + "." + string.Join('.', modifiers);

    public override string ToString() =>
        (Guard is null ? "" : $"@{(GuardNegated ? "!" : "")}{Guard.Name} ") + Opcode + (operands.Length == 0 ? "" : " ")
        + string.Join(", ", (object[])operands);

    /// <summary>The error of loading this instruction.</summary>
    public PtxException Error(string reason) => new(reason, line, ToString());
}

internal sealed class PtxKernel(string name)
{
    public string Name => name;

    public List<PtxVariable> Parameters { get; } = [];

    /// <summary>Shared and local variables declared in the body.</summary>
    public List<PtxVariable> Variables { get; } = [];

    /// <summary>Registers that the code mentions.</summary>
    public List<PtxRegister> Registers { get; } = [];

    public List<PtxInstruction> Code { get; } = [];

    /// <summary>Threads a block may have by <c>.maxntid</c> or must have by <c>.reqntid</c>; 0 if not said.</summary>
    public int MaxThreads { get; set; }

    /// <summary>Blocks of a cluster by <c>.reqnctapercluster</c>; null if not said.</summary>
    public Dim3? Cluster { get; set; }

    /// <summary>Blocks that a multiprocessor shall hold at once, by <c>.minnctapersm</c>.</summary>
    public int MinBlocks { get; set; } = 1;
}

internal sealed class PtxModule
{
    public Version Version { get; set; } = new(1, 0);

    /// <summary>Compute capability of the target times ten: 80 for <c>sm_80</c>.</summary>
    public int Target { get; set; }

    /// <summary><c>sm_90a</c>: runs on devices of that capability only.</summary>
    public bool TargetIsExact { get; set; }

    public List<PtxVariable> Variables { get; } = [];

    public List<PtxKernel> Kernels { get; } = [];
}
