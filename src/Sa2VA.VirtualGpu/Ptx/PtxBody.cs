namespace Sa2VA.VirtualGpu.Ptx;

/// <summary>The half of the parser that reads a kernel's body: scopes of registers and labels, instructions and their operands.</summary>
internal sealed partial class PtxParser
{
    private const int MostScopes = 16;
    private const int MostRegisters = 1 << 16;

    /// <summary>A pair of braces: single registers, numbered families (<c>%r&lt;100&gt;</c>) and labels.</summary>
    private sealed class Scope
    {
        public Dictionary<string, DataType> Singles { get; } = [];

        public Dictionary<string, (DataType Type, int Count)> Families { get; } = [];

        public Dictionary<string, PtxRegister> Used { get; } = [];

        public Dictionary<string, int> Labels { get; } = [];
    }

    private readonly List<Scope> scopes = [];
    private readonly List<(PtxInstruction Branch, string Label, Scope[] Scopes)> branches = [];
    private PtxKernel kernel = new("");

    private PtxKernel Kernel()
    {
        kernel = new PtxKernel(Name());
        branches.Clear();
        scopes.Clear();
        if (Accept("("))
        {
            while (!Accept(")"))
            {
                Expect(".param");
                kernel.Parameters.Add(Variable(StateSpace.Param));
                if (Peek != ")") Expect(",");
            }
        }
        while (!Accept("{"))
        {
            string directive = Next();
            if (directive == ".reqnctapercluster")
            {
                Span<int> size = [1, 1, 1];
                int n = 0;
                do size[n++] = Count(8, directive);
                while (n < 3 && Accept(","));
                kernel.Cluster = new(Math.Max(size[0], 1), Math.Max(size[1], 1), Math.Max(size[2], 1));
                continue;
            }
            if (directive == ".explicitcluster") continue;
            if (directive is not (".maxntid" or ".reqntid" or ".minnctapersm" or ".maxnreg"))
                throw Error($"unknown directive '{directive}' of a kernel");
            long product = Count(1 << 20, directive);
            while (Accept(",")) product *= Count(1024, directive);
            if (directive is ".maxntid" or ".reqntid") kernel.MaxThreads = (int)Math.Min(product, 1024);
            else if (directive == ".minnctapersm") kernel.MinBlocks = (int)Math.Clamp(product, 1, 32);
        }
        scopes.Add(new());
        while (scopes.Count > 0) Statement();
        foreach (var (branch, label, around) in branches)
        {
            foreach (Scope scope in around)
                if (branch.Target < 0 && scope.Labels.TryGetValue(label, out int target)) branch.Target = target;
            if (branch.Target < 0) throw branch.Error($"unknown label {label}");
        }
        return kernel;
    }

    private void Statement()
    {
        switch (Peek)
        {
            case "{":
                if (scopes.Count >= MostScopes) throw Error("scopes are nested too deeply");
                at++;
                scopes.Add(new());
                return;
            case "}":
                at++;
                scopes.RemoveAt(scopes.Count - 1);
                return;
            case ".reg":
                at++;
                Registers();
                return;
            case ".shared" or ".local":
                AddVariable(kernel.Variables, Next() == ".local" ? StateSpace.Local : StateSpace.Shared);
                return;
            case ".pragma":
                while (!Accept(";")) Next();
                return;
            case ".loc":
                int line = Line;
                while (at < tokens.Count && Line == line) at++;
                return;
        }
        if (Peek.StartsWith('.')) throw Error($"unknown directive '{Peek}' in a kernel");
        if (Ahead == ":")
        {
            string label = Name();
            Expect(":");
            if (!scopes[^1].Labels.TryAdd(label, kernel.Code.Count)) throw Error($"two labels are named {label}");
            return;
        }
        Instruction();
    }

    private void Registers()
    {
        string word = Next();
        if (!word.StartsWith('.') || !DataTypes.TryParse(word[1..], out DataType type)) throw Error($"unknown type '{word}' of a register");
        do
        {
            string name = Name();
            if (Accept("<"))
            {
                scopes[^1].Families[name] = (type, Count(1 << 24, "a number of registers"));
                Expect(">");
            }
            else
            {
                scopes[^1].Singles[name] = type;
            }
        }
        while (Accept(","));
        Expect(";");
    }

    /// <summary>The register of that name in the nearest scope; null if there is none.</summary>
    private PtxRegister? Find(string name)
    {
        int digits = name.Length;
        while (digits > 0 && char.IsAsciiDigit(name[digits - 1])) digits--;
        for (int k = scopes.Count - 1; k >= 0; k--)
        {
            Scope scope = scopes[k];
            if (scope.Used.TryGetValue(name, out PtxRegister? known)) return known;
            DataType type;
            if (scope.Singles.TryGetValue(name, out DataType single)) type = single;
            else if (scope.Families.TryGetValue(name[..digits], out var family)
                && int.TryParse(name.AsSpan(digits), out int number) && number < family.Count) type = family.Type;
            else continue;
            if (kernel.Registers.Count >= MostRegisters) throw Error($"a kernel uses more than {MostRegisters} registers");
            var register = new PtxRegister(name, type, kernel.Registers.Count);
            kernel.Registers.Add(register);
            return scope.Used[name] = register;
        }
        return null;
    }

    private PtxRegister Register()
    {
        string name = Name();
        return Find(name) ?? throw Error($"unknown register '{name}'");
    }

    private void Instruction()
    {
        int line = Line;
        PtxRegister? guard = null;
        bool negated = false;
        if (Accept("@"))
        {
            negated = Accept("!");
            guard = Register();
            if (guard.Type != DataType.Pred) throw Error($"guard {guard.Name} is no predicate");
        }
        string[] parts = Name().Split('.');
        var operands = new List<PtxOperand>();
        while (!Accept(";"))
        {
            operands.Add(Operand(vectors: true));
            if (Peek != ";") Expect(",");
        }
        var instruction = new PtxInstruction(parts[0], parts[1..], [.. operands], line) { Guard = guard, GuardNegated = negated };
        if (instruction.Name == "bra")
        {
            if (operands is not [SymbolOperand label]) throw instruction.Error("a branch needs one label");
            branches.Add((instruction, label.Name, [.. scopes.AsEnumerable().Reverse()]));
        }
        kernel.Code.Add(instruction);
    }

    private PtxOperand Operand(bool vectors)
    {
        if (vectors && Accept("{"))
        {
            var items = new List<PtxOperand>();
            do items.Add(Operand(vectors: false));
            while (Accept(","));
            Expect("}");
            return new VectorOperand([.. items]);
        }
        if (vectors && Accept("[")) return Address();
        if (Accept("!")) return new RegisterOperand(Register(), Negated: true);
        if (Peek == "-" || Peek.Length > 0 && char.IsAsciiDigit(Peek[0])) return Number();
        string name = Name();
        PtxOperand operand = name == "_" ? new SinkOperand() : Find(name) is { } r ? new RegisterOperand(r) : new SymbolOperand(name);
        if (!Accept("|")) return operand;
        if (operand is SymbolOperand) throw Error($"unknown register '{name}'");
        PtxRegister? second = Accept("_") ? null : Register();
        return new PairOperand((operand as RegisterOperand)?.Register, second);
    }

    private PtxOperand Number()
    {
        bool negative = Accept("-");
        if (!PtxNumber.TryParse(Peek, out ImmediateOperand value)) throw Error($"'{Peek}' is no number");
        at++;
        if (!negative) return value;
        if (value.Kind != ImmediateKind.Integer) throw Error("a float literal has its sign in its bits");
        return value with { Bits = 0 - value.Bits };
    }

    private PtxOperand Address()
    {
        PtxRegister? register = null;
        string? symbol = null;
        long offset = 0;
        if (char.IsAsciiDigit(Peek.FirstOrDefault()))
        {
            offset = Offset(negative: false);
        }
        else
        {
            string name = Name();
            register = Find(name);
            if (register is null) symbol = name;
            if (Accept("+")) offset = Offset(Accept("-"));
            else if (Accept("-")) offset = Offset(negative: true);
        }
        VectorOperand? coordinates = null;
        if (Accept(","))
            coordinates = Operand(vectors: true) as VectorOperand ?? throw Error("the coordinates of a box are no vector");
        Expect("]");
        return new AddressOperand(register, symbol, offset) { Coordinates = coordinates };
    }

    private long Offset(bool negative)
    {
        int n = Count(int.MaxValue, "an offset");
        return negative ? -(long)n : n;
    }
}
