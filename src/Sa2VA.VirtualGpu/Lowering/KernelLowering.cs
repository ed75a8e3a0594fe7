using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>
/// Turns a parsed kernel into one that runs: registers and immediates to rows, labels to positions, variables to addresses, and every
/// instruction to the function that executes it. What no function executes is refused here.
/// </summary>
internal sealed unsafe partial class KernelLowering
{
    private const int MostStaticShared = 48 << 10;
    private const int MostLocal = 64 << 10;
    private const int MostParameterBytes = 4096;
    private const int RegistersOfMultiprocessor = 1 << 16, MostRegisters = 255;

    private readonly PtxModule module;
    private readonly PtxKernel kernel;
    private readonly RegisterRows rows;

    /// <summary>Where each variable lies in its space; of a global or constant one, its number in the module.</summary>
    private readonly Dictionary<string, (StateSpace Space, int Place)> symbols = [];
    private readonly Dictionary<(ulong Value, int Bytes), int> constants = [];
    private readonly Dictionary<int, int> variables = [];
    private readonly Dictionary<string, int> specials = [];

    /// <summary>The carry of each lane, which has no name in PTX.</summary>
    private const string CarryRow = "carry";
    private readonly List<ParameterSlot> parameters = [];
    private int registerBytes, parameterBytes, staticShared, localBytes, narrowestShared = 4;

    private KernelLowering(PtxModule module, PtxKernel kernel, List<PtxInstruction> code)
    {
        this.module = module;
        this.kernel = kernel;
        PlaceVariables();
        rows = RegisterRows.Place(kernel, code);
        registerBytes = rows.Bytes;
    }

    /// <param name="module">The module, for its variables.</param>
    /// <param name="kernel">A kernel of the module.</param>
    /// <exception cref="PtxException">The kernel holds what is not supported.</exception>
    public static LoweredKernel Lower(PtxModule module, PtxKernel kernel)
    {
        List<PtxInstruction> code = [.. kernel.Code];
        code.Add(new("ret", [], [], code.Count > 0 ? code[^1].Line : 1));
        var lowering = new KernelLowering(module, kernel, code);
        bool[] leaders = ControlFlow.Leaders(code);
        var lowered = new Instruction[code.Count];
        for (int n = 0; n < lowered.Length; n++)
        {
            var i = new Instruction(code[n], n) { Leader = leaders[n], StartsBlock = leaders[n], Target = code[n].Target };
            if (code[n].Guard is { } guard) i.Guard = lowering.rows.Offset(guard);
            if (code[n].GuardNegated) i.GuardFlip = ~0u;
            lowering.Lower(i, new(code[n]));
            lowered[n] = i;
        }
        MarkProductRegisters(lowered);
        MarkStraightRuns(lowered);
        bool hasProducts = lowered.Any(i => i.Class == InstructionClass.WarpgroupTensor);
        return new(kernel.Name, lowered)
        {
            EntryRegisters = kernel.MaxThreads == 0 ? 0
                : Math.Min(MostRegisters, RegistersOfMultiprocessor / (kernel.MaxThreads * kernel.MinBlocks)) / 8 * 8,
            ProductRegisters = hasProducts ? kernel.Registers.Count : 0,
            IsAsynchronous = hasProducts || lowered.Any(i => i.Class == InstructionClass.BulkCopy),
            // An odd number of cache lines between warps keeps their rows out of each other's way.
            RegisterBytes = (lowering.registerBytes + 255) / 256 * 256 + 128,
            LiveRegisters = Math.Clamp(lowering.rows.Bytes / 128, 16, 255),
            Constants = [.. lowering.constants.Select(c => new ConstantRow(c.Value, c.Key.Value, c.Key.Bytes))],
            Variables = [.. lowering.variables.Select(v => new VariableRow(v.Value, v.Key))],
            Specials = [.. lowering.specials.Where(s => s.Key != CarryRow).Select(s => new SpecialRow(s.Value, s.Key))],
            Parameters = [.. lowering.parameters],
            ParameterBytes = lowering.parameterBytes,
            StaticShared = lowering.staticShared,
            LocalBytes = Align(lowering.localBytes, 16),
            Cluster = kernel.Cluster,
            MaxThreads = kernel.MaxThreads == 0 ? 1024 : kernel.MaxThreads,
            CellShift = System.Numerics.BitOperations.Log2((uint)lowering.narrowestShared),
        };
    }

    private static void MarkStraightRuns(Instruction[] code)
    {
        for (int n = 0, end; n < code.Length; n = end)
        {
            end = n;
            while (end < code.Length && (end == n || !code[end].Leader) && IsStraight(code[end])) end++;
            if (end - n > 1) code[n].Straight = end - n;
            end = Math.Max(end, n + 1);
        }
    }

    /// <summary>Whether what comes next, and for which lanes, is the same whatever it finds.</summary>
    private static bool IsStraight(Instruction i) => i.Guard < 0 && !i.UsesProducts && i.Class is InstructionClass.Integer
        or InstructionClass.Integer64 or InstructionClass.Float or InstructionClass.Double or InstructionClass.Half
        or InstructionClass.SpecialFunction or InstructionClass.Conversion or InstructionClass.Global or InstructionClass.Shared
        or InstructionClass.Parameter or InstructionClass.Local;

    private void PlaceVariables()
    {
        foreach (PtxVariable p in kernel.Parameters)
        {
            parameterBytes = Align(parameterBytes, p.Alignment);
            if (parameterBytes + p.Bytes > MostParameterBytes)
                throw new PtxException($"kernel {kernel.Name} has more than {MostParameterBytes} bytes of parameters", p.Line);
            AddSymbol(p, StateSpace.Param, parameterBytes);
            parameters.Add(new(p.Name, parameterBytes, p.Bytes));
            parameterBytes += p.Bytes;
        }
        foreach (PtxVariable v in kernel.Variables.Where(v => v.Space == StateSpace.Local))
        {
            localBytes = Align(localBytes, v.Alignment);
            if (localBytes + v.Bytes > MostLocal)
                throw new PtxException($"kernel {kernel.Name} declares more than {MostLocal} bytes of local memory", v.Line);
            AddSymbol(v, StateSpace.Local, localBytes);
            localBytes += v.Bytes;
        }
        List<PtxVariable> shared = [.. kernel.Variables.Concat(module.Variables).Where(v => v.Space == StateSpace.Shared)];
        foreach (PtxVariable v in shared.Where(v => v.Bytes > 0))
        {
            staticShared = Align(staticShared, v.Alignment);
            if (staticShared + v.Bytes > MostStaticShared)
                throw new PtxException($"kernel {kernel.Name} declares more than {MostStaticShared} bytes of shared memory", v.Line);
            AddSymbol(v, StateSpace.Shared, staticShared);
            staticShared += v.Bytes;
        }
        List<PtxVariable> dynamic = [.. shared.Where(v => v.Bytes == 0)];
        staticShared = Align(staticShared, dynamic.Select(v => v.Alignment).DefaultIfEmpty(16).Max());
        foreach (PtxVariable v in dynamic) AddSymbol(v, StateSpace.Shared, staticShared);
        for (int n = 0; n < module.Variables.Count; n++)
            if (module.Variables[n] is { Space: not StateSpace.Shared } v) AddSymbol(v, v.Space, n);
    }

    private void AddSymbol(PtxVariable v, StateSpace space, int place)
    {
        if (!symbols.TryAdd(v.Name, (space, place))) throw new PtxException($"two variables are named {v.Name}", v.Line);
    }

    private static int Align(int value, int to) => (value + to - 1) / to * to;

    private void Lower(Instruction i, Modifiers m)
    {
        string name = i.Source.Name;
        bool done = LowerControl(i, m, name) || LowerMemory(i, m, name) || LowerWarp(i, m, name)
            || LowerHopper(i, m, name) || LowerExtended(i, m, name) || LowerMove(i, m, name) || LowerArithmetic(i, m, name);
        if (!done) throw i.Source.Error("the instruction is not supported");
        m.End();
    }

    // ---- operands to rows

    private static PtxOperand Operand(Instruction i, int n) =>
        n < i.Source.Operands.Length ? i.Source.Operands[n] : throw i.Source.Error("an operand is missing");

    private static void Operands(Instruction i, int least, int most = 0)
    {
        int n = i.Source.Operands.Length;
        if (n < least || n > Math.Max(least, most)) throw i.Source.Error($"the instruction has {n} operands");
    }

    /// <summary>The row of a source operand of that many bytes a lane (at most 4 lie in a 128-byte row).</summary>
    private int Source(Instruction i, PtxOperand operand, int bytes)
    {
        switch (operand)
        {
            case RegisterOperand { Negated: false } r:
                CheckWidth(i, r.Register, bytes);
                return rows.Offset(r.Register);
            case ImmediateOperand n:
                if (n.Kind != ImmediateKind.Integer && bytes != (n.Kind == ImmediateKind.Float32 ? 4 : 8))
                    throw i.Source.Error($"literal {n} does not fit the type");
                return Constant(bytes == 8 ? n.Bits : n.Bits & ulong.MaxValue >> 64 - 8 * bytes, bytes == 8 ? 256 : 128);
            case SymbolOperand s when symbols.TryGetValue(s.Name, out var symbol):
                if (bytes != 8 && (bytes != 4 || symbol.Space != StateSpace.Shared))
                    throw i.Source.Error($"the address of {s.Name} does not fit");
                return symbol.Space is StateSpace.Global or StateSpace.Const
                    ? NewRow(variables, symbol.Place, 256)
                    : Constant((ulong)symbol.Place, bytes == 8 ? 256 : 128);
            case SymbolOperand s when SpecialRegisters.Has(s.Name):
                if (bytes != 4) throw i.Source.Error($"{s.Name} has 32 bits");
                return NewRow(specials, s.Name, 128);
            case SymbolOperand s:
                throw i.Source.Error($"unknown name {s.Name}");
            default:
                throw i.Source.Error($"operand {operand} does not fit here");
        }
    }

    /// <summary>The row of a register that receives a result of that many bytes; −1 for <c>_</c>.</summary>
    private int Result(Instruction i, PtxOperand operand, int bytes)
    {
        if (operand is SinkOperand) return -1;
        if (operand is not RegisterOperand { Negated: false } r) throw i.Source.Error($"operand {operand} cannot receive a result");
        CheckWidth(i, r.Register, bytes);
        return rows.Offset(r.Register);
    }

    /// <summary>The same where the instruction must have a result.</summary>
    private int Destination(Instruction i, PtxOperand operand, int bytes)
    {
        int row = Result(i, operand, bytes);
        return row >= 0 ? row : throw i.Source.Error("the result is not kept");
    }

    private static void CheckWidth(Instruction i, PtxRegister r, int bytes)
    {
        if (r.Type == DataType.Pred || r.Type.Bytes != bytes)
            throw i.Source.Error($"register {r.Name} is {r.Type.Suffix}, the instruction needs {8 * bytes} bits");
    }

    private int Predicate(Instruction i, PtxOperand operand, out bool negated)
    {
        negated = operand is RegisterOperand { Negated: true };
        if (operand is RegisterOperand r && r.Register.Type == DataType.Pred) return rows.Offset(r.Register);
        if (operand is ImmediateOperand { Kind: ImmediateKind.Integer } n) return Constant(n.Bits == 0 ? 0ul : uint.MaxValue, 4);
        throw i.Source.Error($"operand {operand} is no predicate");
    }

    private int PredicateResult(Instruction i, PtxRegister? register)
    {
        if (register is null) return -1;
        if (register.Type != DataType.Pred) throw i.Source.Error($"{register.Name} is no predicate");
        return rows.Offset(register);
    }

    private static long Immediate(Instruction i, PtxOperand operand, long most)
    {
        if (operand is ImmediateOperand { Kind: ImmediateKind.Integer } n && n.Bits <= (ulong)most) return (long)n.Bits;
        throw i.Source.Error($"operand {operand} must be a number up to {most}");
    }

    private int Constant(ulong value, int bytes) => NewRow(constants, (value, bytes), bytes);

    private int NewRow<T>(Dictionary<T, int> known, T key, int bytes) where T : notnull
    {
        if (known.TryGetValue(key, out int row)) return row;
        row = registerBytes;
        registerBytes += Math.Max(bytes, 128);
        known[key] = row;
        return row;
    }
}
