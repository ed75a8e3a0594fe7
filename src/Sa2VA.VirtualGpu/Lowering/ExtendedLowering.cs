using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>Arithmetic with carries, products of packed bytes, tests of floats, and hints that change nothing here.</summary>
internal sealed unsafe partial class KernelLowering
{
    private bool LowerExtended(Instruction i, Modifiers m, string name)
    {
        switch (name)
        {
            case "addc" or "subc" or "madc":
            case "add" or "sub" or "mad" when i.Source.Modifiers.Contains("cc"):
                Carry(i, m, name);
                return true;
            case "mov" when i.Source.Operands is [_, SymbolOperand { Name: var register }] && SpecialRegisters.IsClock(register):
                i.Width = m.Type().Bytes;
                if (i.Width < 4 || i.Width == 4 && register == "%globaltimer") throw i.Source.Error($"{register} does not fit");
                i.Class = InstructionClass.Integer;
                i.D = Destination(i, Operand(i, 0), i.Width);
                i.Run = &ControlFunctions.Clock;
                return true;
            case "dp4a":
                ByteProduct(i, m);
                return true;
            case "testp":
                FloatTest(i, m);
                return true;
            case "copysign":
                CopySign(i, m);
                return true;
            case "prefetch" or "prefetchu":
                m.Ignore("global", "local", "L1", "L2", "L2::evict_last", "L2::evict_normal");
                Hint(i, InstructionClass.Global);
                return true;
            case "nanosleep":
                Expect(i, m, DataType.U32);
                Hint(i, InstructionClass.Control);
                return true;
            case "createpolicy":
                // What caches should keep; nothing here depends on it.
                Expect(i, m, DataType.B64);
                m.Ignore("fractional", "L2::evict_last", "L2::evict_first", "L2::evict_normal", "L2::evict_unchanged");
                Operands(i, 2, 3);
                i.Class = InstructionClass.Integer64;
                i.D = Destination(i, Operand(i, 0), 8);
                i.A = Constant(0, 256);
                i.Run = &LaneLoops.Move64;
                return true;
            default:
                return false;
        }
    }

    private static void Hint(Instruction i, InstructionClass of)
    {
        Operands(i, 1);
        i.Class = of;
        i.Run = &ControlFunctions.Nothing;
    }

    private void Carry(Instruction i, Modifiers m, string name)
    {
        DataType type = m.Type();
        int bytes = type.Bytes;
        if (!type.IsInteger || bytes < 4) throw i.Source.Error($"{type.Suffix} does not fit the instruction");
        bool product = name is "mad" or "madc";
        i.Mode = (name.EndsWith('c') ? CarryFunctions.Reads : 0) | (m.Take("cc") ? CarryFunctions.Writes : 0)
            | (name is "sub" or "subc" ? CarryFunctions.Subtract : 0) | (product ? CarryFunctions.Product : 0);
        if (product)
        {
            string part = m.TakeOne("lo", "hi") ?? throw i.Source.Error("the instruction is not supported");
            if (part == "hi" && type.IsSigned) throw i.Source.Error("high products of signed numbers with a carry are not supported");
            if (part == "hi") i.Mode |= CarryFunctions.High;
        }
        i.Class = bytes == 8 ? InstructionClass.Integer64 : InstructionClass.Integer;
        i.Width = bytes;
        Rows(i, product ? 3 : 2, bytes, bytes, bytes, bytes);
        i.Second = NewRow(specials, CarryRow, 128);
        i.Run = &CarryFunctions.Run;
    }

    private void ByteProduct(Instruction i, Modifiers m)
    {
        DataType b = m.Type(), a = m.Type();
        if (a is not (DataType.U32 or DataType.S32) || b is not (DataType.U32 or DataType.S32))
            throw i.Source.Error("the types do not fit the instruction");
        i.Class = InstructionClass.Integer;
        Rows(i, 3, 4, 4, 4, 4);
        bool signedA = a == DataType.S32, signedB = b == DataType.S32;
        Scalar(i, (x, y, sum) => IntegerFunctions.BytesProduct(x, y, sum, signedA, signedB));
    }

    private void FloatTest(Instruction i, Modifiers m)
    {
        DataType type = m.Type();
        string test = m.TakeOne("finite", "infinite", "number", "notanumber", "normal", "subnormal")
            ?? throw i.Source.Error("the test is not supported");
        if (type is not (DataType.F32 or DataType.F64)) throw i.Source.Error($"{type.Suffix} does not fit the instruction");
        Operands(i, 2);
        i.Class = InstructionClass.Float;
        i.D = PredicateResult(i, (Operand(i, 0) as RegisterOperand)?.Register ?? throw i.Source.Error("the result is no predicate"));
        i.A = i.B = Source(i, Operand(i, 1), type.Bytes);
        i.Wide = type.Bytes == 8 ? 6 : 0;
        i.Scalar = type == DataType.F32
            ? (a, _, _) => FloatFunctions.Test(test, FloatFunctions.F32(a), float.IsSubnormal(FloatFunctions.F32(a)))
            : (a, _, _) => FloatFunctions.Test(test, FloatFunctions.F64(a), double.IsSubnormal(FloatFunctions.F64(a)));
        i.Run = &LaneLoops.CompareScalar;
    }

    /// <summary>The sign of the first, the value of the second.</summary>
    private void CopySign(Instruction i, Modifiers m)
    {
        DataType type = m.Type();
        if (type is not (DataType.F32 or DataType.F64)) throw i.Source.Error($"{type.Suffix} does not fit the instruction");
        i.Class = type == DataType.F64 ? InstructionClass.Double : InstructionClass.Float;
        Rows(i, 2, type.Bytes, type.Bytes, type.Bytes);
        ulong sign = 1ul << 8 * type.Bytes - 1;
        Scalar(i, (a, b, _) => a & sign | b & ~sign);
    }
}
