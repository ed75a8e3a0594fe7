namespace Sa2VA.VirtualGpu.Ptx;

/// <summary>
/// Parser of modules as compilers emit them for self-contained kernels: entries, registers, shared, global and constant variables. Calls,
/// textures and debug sections are refused. Work and memory are linear in the text.
/// </summary>
internal sealed partial class PtxParser
{
    private const int MostText = 16 << 20;
    private const int MostVariableBytes = 1 << 28;
    private const int MostNames = 4096;

    private readonly List<PtxToken> tokens;
    private int at;
    private long variableBytes;

    private PtxParser(string text)
    {
        if (text.Length > MostText) throw new PtxException($"the module has {text.Length} characters, more than {MostText}", 1);
        tokens = PtxLexer.Read(text);
    }

    /// <exception cref="PtxException">The text is malformed or uses what is not supported.</exception>
    public static PtxModule Parse(string text) => new PtxParser(text).Module();

    private int Line => at < tokens.Count ? tokens[at].Line : tokens.Count > 0 ? tokens[^1].Line : 1;

    private string Peek => at < tokens.Count ? tokens[at].Text : "";

    private string Ahead => at + 1 < tokens.Count ? tokens[at + 1].Text : "";

    private string Next() => at < tokens.Count ? tokens[at++].Text : throw Error("the module breaks off");

    private bool Accept(string text)
    {
        if (Peek != text) return false;
        at++;
        return true;
    }

    private void Expect(string text)
    {
        if (!Accept(text)) throw Error($"expected '{text}', found '{Peek}'");
    }

    private PtxException Error(string reason) => new(reason, Line);

    private string Name()
    {
        if (at >= tokens.Count) throw Error("the module breaks off");
        if (!tokens[at].IsWord || Peek[0] == '.' || char.IsAsciiDigit(Peek[0]))
            throw Error($"expected a name, found '{Peek}'");
        return Next();
    }

    private int Count(int most, string what)
    {
        if (!PtxNumber.TryParse(Peek, out ImmediateOperand n) || n.Kind != ImmediateKind.Integer || n.Bits > (ulong)most)
            throw Error($"{what} must be a number up to {most}, found '{Peek}'");
        at++;
        return (int)n.Bits;
    }

    private PtxModule Module()
    {
        var module = new PtxModule();
        while (at < tokens.Count)
        {
            string directive = Next();
            switch (directive)
            {
                case ".version":
                    if (!Version.TryParse(Peek, out Version? version)) throw Error($"'{Peek}' is no version");
                    at++;
                    module.Version = version;
                    break;
                case ".address_size":
                    if (Count(64, "the address size") != 64) throw Error("only 64-bit addresses are supported");
                    break;
                case ".target":
                    module.TargetIsExact = Peek.EndsWith('a');
                    module.Target = Target(Next());
                    while (Accept(",")) Next();
                    break;
                case ".visible" or ".weak" or ".extern":
                    break;
                case ".entry":
                    PtxKernel kernel = Kernel();
                    if (module.Kernels.Count == MostNames) throw Error($"the module has more than {MostNames} kernels");
                    if (module.Kernels.Exists(k => k.Name == kernel.Name)) throw Error($"two kernels are named {kernel.Name}");
                    module.Kernels.Add(kernel);
                    break;
                case ".global" or ".const" or ".shared":
                    AddVariable(module.Variables, Space(directive));
                    break;
                case ".file":
                    Count(int.MaxValue, "a file's number");
                    Next();
                    while (Accept(",")) Next();
                    break;
                case ".func":
                    at--;
                    throw Error("device functions are not supported: have the compiler inline them");
                default:
                    at--;
                    throw Error($"unknown directive '{directive}'");
            }
        }
        return module;
    }

    private int Target(string name)
    {
        string digits = name.StartsWith("sm_", StringComparison.Ordinal) ? name[3..].TrimEnd('a', 'f') : "";
        if (!int.TryParse(digits, System.Globalization.CultureInfo.InvariantCulture, out int target) || target is < 50 or > 200)
            throw new PtxException($"unknown target '{name}'", tokens[at - 1].Line);
        return target;
    }

    private static StateSpace Space(string directive) => directive switch
    {
        ".global" => StateSpace.Global,
        ".const" => StateSpace.Const,
        _ => StateSpace.Shared,
    };

    private void AddVariable(List<PtxVariable> variables, StateSpace space)
    {
        PtxVariable variable = Variable(space);
        Expect(";");
        variableBytes += variable.Bytes;
        if (variables.Count == MostNames || variableBytes > MostVariableBytes)
            throw Error($"there are more than {MostNames} variables, or more than {MostVariableBytes} bytes of them");
        if (variables.Exists(v => v.Name == variable.Name)) throw Error($"two variables are named {variable.Name}");
        variables.Add(variable);
    }

    private PtxVariable Variable(StateSpace space)
    {
        int alignment = 0, line = Line;
        long elements = 1;
        DataType? type = null;
        while (Peek.StartsWith('.'))
        {
            string word = Next();
            if (word == ".align") alignment = Count(1024, "an alignment");
            else if (word == ".v2") elements = 2;
            else if (word == ".v4") elements = 4;
            else if (word is ".ptr" or ".global" or ".shared" or ".const" && space == StateSpace.Param) continue;
            else if (DataTypes.TryParse(word[1..], out DataType t)) type = t;
            else throw Error($"unknown type '{word}' of a variable");
        }
        if (type is not { } element || element == DataType.Pred) throw Error("a variable has no type");
        if ((alignment & (alignment - 1)) != 0) throw Error($"alignment {alignment} is no power of two");
        string name = Name();
        bool open = false;
        while (Accept("["))
        {
            if (Peek == "]") open = true;
            else elements *= Count(MostVariableBytes, "a variable's length");
            Expect("]");
            if (elements * element.Bytes > MostVariableBytes) throw Error($"variable {name} is larger than {MostVariableBytes} bytes");
        }
        if (open && space != StateSpace.Shared) throw Error($"variable {name} has no size");
        int bytes = open ? 0 : (int)elements * element.Bytes;
        byte[]? initial = Accept("=") ? Initial(element, bytes, space) : null;
        return new(name, space, Math.Max(alignment, element.Bytes), bytes, initial, line);
    }

    private byte[] Initial(DataType element, int bytes, StateSpace space)
    {
        if (space is not (StateSpace.Global or StateSpace.Const)) throw Error("only global and constant variables have a first value");
        var image = new byte[bytes];
        int offset = 0, size = element.Bytes;
        bool list = Accept("{");
        do
        {
            bool negative = Accept("-");
            if (!PtxNumber.TryParse(Peek, out ImmediateOperand value)) throw Error($"expected a number, found '{Peek}'");
            if (offset + size > bytes) throw Error("more values than the variable has elements");
            at++;
            ulong bits = negative ? 0 - value.Bits : value.Bits;
            for (int k = 0; k < size; k++) image[offset + k] = (byte)(bits >> 8 * k);
            offset += size;
        }
        while (list && Accept(","));
        if (list) Expect("}");
        return image;
    }
}
