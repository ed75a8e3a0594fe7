using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>Integer, float and bit operations, comparisons and conversions.</summary>
internal sealed unsafe partial class KernelLowering
{
    private static readonly HashSet<string> TypedOperations =
    [
        "add", "sub", "mul", "mad", "fma", "div", "rem", "min", "max", "neg", "abs", "and", "or", "xor", "not", "mov", "shl", "shr", "bfe",
        "popc", "clz", "brev", "bfind", "sad", "cnot", "sqrt", "rsqrt", "rcp", "ex2", "lg2", "sin", "cos", "tanh",
    ];

    private bool LowerArithmetic(Instruction i, Modifiers m, string name)
    {
        switch (name)
        {
            case "setp":
                Comparison(i, m);
                return true;
            case "cvt":
                Conversion(i, m);
                return true;
            case "selp":
                Selection(i, m);
                return true;
            case "prmt" or "lop3" or "shf" or "bfi":
                BitMix(i, m, name);
                return true;
        }
        if (!TypedOperations.Contains(name)) return false;
        DataType type = m.Type();
        if (type == DataType.Pred) return PredicateLogic(i, name);
        if (type is DataType.F32) Float32(i, m, name);
        else if (type is DataType.F64) Float64(i, m, name);
        else if (type.IsFloat) Half(i, m, name, type);
        else Integer(i, m, name, type);
        return true;
    }

    private static int Arity(string name) => name switch
    {
        "fma" or "mad" or "bfe" or "sad" => 3,
        "neg" or "abs" or "not" or "cnot" or "popc" or "clz" or "brev" or "bfind" or "sqrt" or "rsqrt" or "rcp" or "ex2" or "lg2" or "sin"
            or "cos" or "tanh" => 1,
        _ => 2,
    };

    /// <summary>D and up to three sources of given bytes a lane.</summary>
    private void Rows(Instruction i, int arity, int d, int a, int b = 0, int c = 0)
    {
        Operands(i, arity + 1);
        i.D = Destination(i, Operand(i, 0), d);
        i.A = Source(i, Operand(i, 1), a);
        if (arity > 1) i.B = Source(i, Operand(i, 2), b);
        if (arity > 2) i.C = Source(i, Operand(i, 3), c);
        i.Wide = (d == 8 ? 1 : 0) | (a == 8 ? 2 : 0) | (b == 8 ? 4 : 0) | (c == 8 ? 8 : 0);
    }

    private static void Scalar(Instruction i, Func<ulong, ulong, ulong, ulong>? f)
    {
        i.Scalar = f ?? throw i.Source.Error("the instruction is not supported");
        i.Run = &LaneLoops.Scalar;
    }

    private bool PredicateLogic(Instruction i, string name)
    {
        int mode = name switch { "and" => 0, "or" => 1, "xor" => 2, "not" => 3, "mov" => 4, _ => -1 };
        if (mode < 0) return false;
        Operands(i, mode < 3 ? 3 : 2);
        i.D = PredicateResult(i, (Operand(i, 0) as RegisterOperand)?.Register ?? throw i.Source.Error("the result is no predicate"));
        i.A = Predicate(i, Operand(i, 1), out bool first);
        bool second = false;
        if (mode < 3) i.B = Predicate(i, Operand(i, 2), out second);
        i.Mode = mode | (first ? 8 : 0) | (second ? 16 : 0);
        i.Run = &LaneLoops.Predicate;
        return true;
    }

    private void Integer(Instruction i, Modifiers m, string name, DataType type)
    {
        int bytes = type.Bytes;
        if (bytes == 1) throw i.Source.Error("arithmetic on 8 bits is not supported");
        i.Class = bytes == 8 ? InstructionClass.Integer64 : InstructionClass.Integer;
        string op = name;
        int d = bytes, b = bytes, c = bytes;
        if (name is "mul" or "mad")
        {
            string part = m.TakeOne("lo", "hi", "wide") ?? throw i.Source.Error("the instruction is not supported");
            op = $"{name}.{part}";
            if (part == "wide")
            {
                if (bytes == 8) throw i.Source.Error("128-bit products are not supported");
                d = c = 2 * bytes;
            }
        }
        else if (name is "shl" or "shr")
        {
            b = 4;
        }
        else if (name == "bfe")
        {
            b = c = 4;
        }
        else if (name is "popc" or "clz" or "bfind")
        {
            d = 4;
            if (name == "bfind" && m.Take("shiftamt")) op = "bfind.shiftamt";
        }
        bool bits = name is "and" or "or" or "xor" or "not" or "cnot" or "shl" or "popc" or "clz" or "brev";
        bool either = name is "shr";
        if (!either && bits == type.IsInteger) throw i.Source.Error($"{type.Suffix} does not fit the instruction");
        Rows(i, Arity(name), d, bytes, b, c);
        if (bytes == 4 && Vector32(i, op, type.IsSigned)) return;
        if (bytes == 8 && Vector64(i, op, type.IsSigned)) return;
        Scalar(i, IntegerFunctions.Find(op, type));
    }

    private static bool Vector32(Instruction i, string op, bool signed)
    {
        i.Run = op switch
        {
            "add" => &LaneLoops.Binary<Add>,
            "sub" => &LaneLoops.Binary<Subtract>,
            "mul.lo" => &LaneLoops.Binary<Multiply>,
            "mad.lo" => &LaneLoops.Ternary<MultiplyAdd>,
            "and" => &LaneLoops.Binary<And>,
            "or" => &LaneLoops.Binary<Or>,
            "xor" => &LaneLoops.Binary<Xor>,
            "not" => &LaneLoops.Unary<Not>,
            "neg" => &LaneLoops.Unary<Negate>,
            "min" => signed ? &LaneLoops.Binary<MinSigned> : &LaneLoops.Binary<MinUnsigned>,
            "max" => signed ? &LaneLoops.Binary<MaxSigned> : &LaneLoops.Binary<MaxUnsigned>,
            "div" => signed ? &LaneLoops.Binary<DivideSigned> : &LaneLoops.Binary<DivideUnsigned>,
            "rem" => signed ? &LaneLoops.Binary<RemainderSigned> : &LaneLoops.Binary<RemainderUnsigned>,
            "shl" => &WideLoops.Shift<Left>,
            "shr" => signed ? &WideLoops.Shift<RightSigned> : &WideLoops.Shift<RightUnsigned>,
            "mul.wide" or "mad.wide" => signed ? &WideLoops.MultiplyWide<WidenSigned> : &WideLoops.MultiplyWide<WidenUnsigned>,
            _ => null,
        };
        return i.Run is not null;
    }

    private static bool Vector64(Instruction i, string op, bool signed)
    {
        i.Run = op switch
        {
            "add" => &LaneLoops.Binary64<Add64>,
            "sub" => &LaneLoops.Binary64<Subtract64>,
            "mul.lo" => &LaneLoops.Binary64<Multiply64>,
            "and" => &LaneLoops.Binary64<And64>,
            "or" => &LaneLoops.Binary64<Or64>,
            "shl" => &WideLoops.Shift64<Left>,
            "shr" => signed ? &WideLoops.Shift64<RightSigned> : &WideLoops.Shift64<RightUnsigned>,
            _ => null,
        };
        return i.Run is not null;
    }

    private void Float32(Instruction i, Modifiers m, string name)
    {
        bool special = name is "div" or "sqrt" or "rsqrt" or "rcp" or "ex2" or "lg2" or "sin" or "cos" or "tanh";
        i.Class = special ? InstructionClass.SpecialFunction : InstructionClass.Float;
        if (name == "mad") name = "fma";
        m.Ignore("rn");
        if (special) m.Ignore("approx", "full");
        bool flush = m.Take("ftz"), saturate = name is "add" or "sub" or "mul" or "fma" && m.Take("sat");
        Rounding mode = DirectedRounding.Take(m.TakeOne("rz", "rm", "rp"));
        bool nan = name is "min" or "max" && m.Take("NaN");
        Rows(i, Arity(name), 4, 4, 4, 4);
        if (mode != Rounding.None)
        {
            Scalar(i, DirectedRounding.Find32(name, mode, flush, saturate));
            return;
        }
        if (nan) name += ".nan";
        if (!flush && !saturate)
        {
            i.Run = name switch
            {
                "add" => &LaneLoops.Binary<AddFloat>,
                "sub" => &LaneLoops.Binary<SubtractFloat>,
                "mul" => &LaneLoops.Binary<MultiplyFloat>,
                "fma" => &LaneLoops.Ternary<FusedMultiplyAddFloat>,
                "min" => &LaneLoops.Binary<MinFloat>,
                "max" => &LaneLoops.Binary<MaxFloat>,
                "neg" => &LaneLoops.Unary<FlipSign>,
                "abs" => &LaneLoops.Unary<ClearSign>,
                // Approximations of these are rounded once too.
                "div" => &LaneLoops.Binary<DivideFloat>,
                "sqrt" => &LaneLoops.Unary<RootFloat>,
                "rcp" => &LaneLoops.Unary<ReciprocalFloat>,
                _ => null,
            };
            if (i.Run is not null) return;
        }
        if (flush && name is "ex2" or "rcp")
        {
            i.Run = name == "ex2" ? &LaneLoops.Unary<FlushedPowerOfTwo> : &LaneLoops.Unary<FlushedReciprocal>;
            return;
        }
        Scalar(i, FloatFunctions.Find32(name, flush, saturate));
    }

    private void Float64(Instruction i, Modifiers m, string name)
    {
        i.Class = InstructionClass.Double;
        if (name == "mad") name = "fma";
        m.Ignore("rn");
        Rows(i, Arity(name), 8, 8, 8, 8);
        Scalar(i, FloatFunctions.Find64(name));
    }

    private void Half(Instruction i, Modifiers m, string name, DataType type)
    {
        i.Class = InstructionClass.Half;
        m.Ignore("rn");
        if (name is "ex2" or "tanh") m.Ignore("approx", "ftz");
        if (name is "min" or "max" && m.Take("NaN")) name += ".nan";
        if (type is DataType.BF16 or DataType.BF16X2 && name is "add" or "sub" or "mul" && module.Target < 90)
            throw i.Source.Error("the instruction needs sm_90");
        if (name is "ex2" or "tanh") i.Class = InstructionClass.SpecialFunction;
        Rows(i, Arity(name), type.Bytes, type.Bytes, type.Bytes, type.Bytes);
        Scalar(i, FloatFunctions.FindHalf(name, type));
    }

    private void BitMix(Instruction i, Modifiers m, string name)
    {
        // bfi is counted as control still, and so nothing is moved past it: in the main loop of a product that a card took 119 us for, the
        // order that the model of time finds without such a fence takes 152 us, with it 129.
        if (name != "bfi") i.Class = InstructionClass.Integer;
        switch (name)
        {
            case "prmt":
                Expect(i, m, DataType.B32);
                Rows(i, 3, 4, 4, 4, 4);
                Scalar(i, IntegerFunctions.Permute);
                return;
            case "shf":
                Expect(i, m, DataType.B32);
                bool left = m.TakeOne("l", "r") == "l", clamp = m.TakeOne("clamp", "wrap") == "clamp";
                Rows(i, 3, 4, 4, 4, 4);
                Scalar(i, (a, b, c) => IntegerFunctions.Funnel(a, b, c, left, clamp));
                return;
            case "lop3":
                Expect(i, m, DataType.B32);
                Operands(i, 5);
                int table = (int)Immediate(i, Operand(i, 4), 255);
                i.D = Destination(i, Operand(i, 0), 4);
                i.A = Source(i, Operand(i, 1), 4);
                i.B = Source(i, Operand(i, 2), 4);
                i.C = Source(i, Operand(i, 3), 4);
                i.Mode = table;
                i.Run = &WideLoops.Logic3;
                return;
            default:
                DataType type = m.Type();
                if (type is not (DataType.B32 or DataType.B64)) throw i.Source.Error($"{type.Suffix} does not fit the instruction");
                Operands(i, 5);
                int bytes = type.Bytes;
                int position = (int)Immediate(i, Operand(i, 3), 255), length = (int)Immediate(i, Operand(i, 4), 255);
                i.D = Destination(i, Operand(i, 0), bytes);
                i.A = Source(i, Operand(i, 1), bytes);
                i.B = Source(i, Operand(i, 2), bytes);
                i.Wide = bytes == 8 ? 7 : 0;
                Scalar(i, (a, b, _) => IntegerFunctions.Insert(a, b, position, length, 8 * bytes));
                return;
        }
    }

    private static void Expect(Instruction i, Modifiers m, DataType type)
    {
        if (m.Type() != type) throw i.Source.Error($"the instruction needs {type.Suffix}");
    }

    private void Selection(Instruction i, Modifiers m)
    {
        DataType type = m.Type();
        if (type.Bytes == 1) throw i.Source.Error($"{type.Suffix} does not fit the instruction");
        Operands(i, 4);
        i.Class = type.Bytes == 8 ? InstructionClass.Integer64 : InstructionClass.Integer;
        i.D = Destination(i, Operand(i, 0), type.Bytes);
        i.A = Source(i, Operand(i, 1), type.Bytes);
        i.B = Source(i, Operand(i, 2), type.Bytes);
        i.C = Predicate(i, Operand(i, 3), out bool negated);
        i.Mode = negated ? 1 : 0;
        i.Run = type.Bytes == 8 ? &LaneLoops.Select64 : &LaneLoops.Select;
    }

    private void Comparison(Instruction i, Modifiers m)
    {
        DataType type = m.Type();
        string name = m.TakeOne("eq", "neu", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "ltu", "leu", "gtu", "geu", "num",
            "nan") ?? throw i.Source.Error("the comparison is not supported");
        string? combine = m.TakeOne("and", "or", "xor");
        bool flush = type == DataType.F32 && m.Take("ftz");
        Operands(i, combine is null ? 3 : 4);
        (PtxRegister? first, PtxRegister? second) = Operand(i, 0) switch
        {
            RegisterOperand r => (r.Register, null),
            PairOperand p => (p.First, p.Second),
            _ => throw i.Source.Error("the result is no predicate"),
        };
        i.D = PredicateResult(i, first);
        i.Second = PredicateResult(i, second);
        i.A = Source(i, Operand(i, 1), type.Bytes);
        i.B = Source(i, Operand(i, 2), type.Bytes);
        i.Wide = type.Bytes == 8 ? 6 : 0;
        i.Class = type.Bytes == 8 ? InstructionClass.Integer64 : InstructionClass.Integer;
        if (combine is not null)
        {
            i.C = Predicate(i, Operand(i, 3), out bool negated);
            i.Mode = combine switch { "and" => Execution.Comparison.And, "or" => Execution.Comparison.Or, _ => Execution.Comparison.Xor }
                | (negated ? Execution.Comparison.NegateThird : 0);
        }
        if (type.Bytes >= 4 && !type.IsFloat && VectorComparison(i, name, type)) return;
        if (type == DataType.F32 && !flush && FloatComparison(i, name)) return;
        i.Scalar = type switch
        {
            DataType.F32 when flush => FloatFunctions.Comparison(name, v => FloatFunctions.Flush(FloatFunctions.F32(v))),
            DataType.F32 => FloatFunctions.Comparison(name, v => FloatFunctions.F32(v)),
            DataType.F64 => FloatFunctions.Comparison(name, FloatFunctions.F64),
            DataType.F16 => FloatFunctions.Comparison(name, v => FloatFunctions.Half(v)),
            DataType.BF16 => FloatFunctions.Comparison(name, v => FloatFunctions.BFloat16(v)),
            { IsFloat: true } or DataType.Pred or { Bytes: 1 } => null,
            _ => IntegerFunctions.Comparison(name, type),
        } ?? throw i.Source.Error("the comparison is not supported");
        i.Run = &LaneLoops.CompareScalar;
    }

    private static bool VectorComparison(Instruction i, string name, DataType type)
    {
        bool signed = type.IsSigned;
        string plain = (signed, name) switch
        {
            (false, "lo") => "lt",
            (false, "ls") => "le",
            (false, "hi") => "gt",
            (false, "hs") => "ge",
            _ => name,
        };
        if (plain is not ("eq" or "ne" or "lt" or "le" or "gt" or "ge")) return false;
        // a > b is b < a, and a ≥ b is not a < b.
        if (plain is "gt" or "le") (i.A, i.B) = (i.B, i.A);
        if (plain is "ne" or "le" or "ge") i.Mode |= Execution.Comparison.Negate;
        bool equal = plain is "eq" or "ne";
        if (type.Bytes == 4)
            i.Run = equal ? &LaneLoops.Compare<Equal> : signed ? &LaneLoops.Compare<LessSigned> : &LaneLoops.Compare<LessUnsigned>;
        else
            i.Run = equal ? &WideLoops.Compare64<Equal64>
                : signed ? &WideLoops.Compare64<LessSigned64> : &WideLoops.Compare64<LessUnsigned64>;
        return true;
    }

    private static bool FloatComparison(Instruction i, string name)
    {
        // a > b is b < a; what holds for NaN too is the opposite of what does not.
        if (name is "gt" or "ge" or "ltu" or "leu") (i.A, i.B) = (i.B, i.A);
        if (name is "neu" or "ltu" or "leu" or "gtu" or "geu" or "nan") i.Mode |= Execution.Comparison.Negate;
        i.Run = name switch
        {
            "eq" or "neu" => &LaneLoops.Compare<EqualFloat>,
            "lt" or "gt" or "geu" or "leu" => &LaneLoops.Compare<LessFloat>,
            "le" or "ge" or "gtu" or "ltu" => &LaneLoops.Compare<LessOrEqualFloat>,
            "num" or "nan" => &LaneLoops.Compare<OrderedFloat>,
            _ => null,
        };
        return i.Run is not null;
    }

    private void Conversion(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Conversion;
        DataType from = m.Type(), to = m.Type();
        Rounding rounding = m.TakeOne("rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi") switch
        {
            "rn" => Rounding.Nearest,
            "rz" => Rounding.TowardZero,
            "rm" => Rounding.Down,
            "rp" => Rounding.Up,
            "rni" => Rounding.WholeNearest,
            "rzi" => Rounding.WholeTowardZero,
            "rmi" => Rounding.WholeDown,
            "rpi" => Rounding.WholeUp,
            _ => Rounding.None,
        };
        bool flush = from == DataType.F32 && m.Take("ftz"), saturate = m.Take("sat"), relu = m.Take("relu");
        if (to is DataType.BF16X2 or DataType.F16X2)
        {
            if (from != DataType.F32 || rounding != Rounding.Nearest || flush || saturate)
                throw i.Source.Error("the conversion is not supported");
            Rows(i, 2, 4, 4, 4);
            if (to == DataType.BF16X2 && !relu) i.Run = &LaneLoops.Binary<BFloat16Pair>;
            else Scalar(i, Conversions.Pair(to == DataType.BF16X2, relu));
            return;
        }
        Operands(i, 2);
        if (relu || from == DataType.Pred || to == DataType.Pred) throw i.Source.Error("the conversion is not supported");
        int d = Holder(i, Operand(i, 0), to.Bytes), a = Holder(i, Operand(i, 1), from.Bytes);
        if (to.IsFloat && d != to.Bytes || from.IsFloat && a != from.Bytes) throw i.Source.Error("a register's width does not fit");
        Rows(i, 1, d, a);
        if (!flush && !saturate && VectorConversion(i, to, from, rounding, d, a)) return;
        Scalar(i, Conversions.Find(to, from, rounding, flush, saturate, d));
    }

    private static bool VectorConversion(Instruction i, DataType to, DataType from, Rounding rounding, int d, int a)
    {
        i.Run = (to, from, rounding) switch
        {
            (DataType.S64 or DataType.U64, DataType.S32, Rounding.None) when a == 4 => &WideLoops.Widen<WidenSigned>,
            (DataType.S64 or DataType.U64, DataType.U32, Rounding.None) when a == 4 => &WideLoops.Widen<WidenUnsigned>,
            (DataType.S32 or DataType.U32, DataType.S64 or DataType.U64, Rounding.None) when d == 4 => &WideLoops.Narrow,
            (DataType.F32, DataType.F32, Rounding.WholeNearest) => &LaneLoops.Unary<NearestWhole>,
            (DataType.F32, DataType.S32, Rounding.Nearest) when a == 4 => &LaneLoops.Unary<SignedToFloat>,
            (DataType.S32, DataType.F32, Rounding.WholeTowardZero) when d == 4 => &LaneLoops.Unary<FloatToSigned>,
            (DataType.BF16, DataType.F32, Rounding.Nearest) => &LaneLoops.Unary<FloatToBFloat16>,
            _ => null,
        };
        return i.Run is not null;
    }

    /// <summary>Bytes of the register that holds a value: loads, stores and conversions allow wider ones than their type.</summary>
    private static int Holder(Instruction i, PtxOperand operand, int bytes)
    {
        if (operand is not RegisterOperand r) return bytes;
        if (r.Register.Type == DataType.Pred || r.Register.Type.Bytes < bytes)
            throw i.Source.Error($"register {r.Register.Name} is {r.Register.Type.Suffix}, the instruction needs {8 * bytes} bits");
        return r.Register.Type.Bytes;
    }
}
