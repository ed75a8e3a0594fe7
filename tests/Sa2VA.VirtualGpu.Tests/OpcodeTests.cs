namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Operations of one lane on edge values: what the PTX manual says, written down as bits.</summary>
public sealed class OpcodeTests
{
    private const ulong Min32 = 0x80000000, All32 = 0xffffffff, Min64 = 0x8000000000000000, All64 = ulong.MaxValue;
    private const ulong One = 0x3f800000, MinusOne = 0xbf800000, Zero = 0, MinusZero = 0x80000000, Inf = 0x7f800000, MinusInf = 0xff800000;
    private const ulong NaN = 0x7fc00001, CardNaN = 0x7fffffff, Denormal = 1, Largest = 0x7f7fffff, Half = 0x3f000000, Two = 0x40000000;

    /// <summary>Runs an instruction on %h, %r, %rd, %f, %fd 1 to 3 in all lanes of a warp; its result is number 9 of a kind.</summary>
    private static ulong Run(string instruction, ulong a, ulong b, ulong c)
    {
        string result = instruction.Split("; ")[^1].Split(' ')[1].TrimEnd(',');
        string keep = result switch
        {
            "%rd9" => "",
            "%r9" => "cvt.u64.u32 %rd9, %r9;",
            "%h9" => "cvt.u64.u16 %rd9, %h9;",
            "%f9" => "mov.b32 %r9, %f9; cvt.u64.u32 %rd9, %r9;",
            "%fd9" => "mov.b64 %rd9, %fd9;",
            _ => "selp.u64 %rd9, 1, 0, %p9;",
        };
        string body = $"""
            sub.s64 %in, %in, %wide;
            ld.global.u64 %rd1, [%in]; ld.global.u64 %rd2, [%in+8]; ld.global.u64 %rd3, [%in+16];
            cvt.u32.u64 %r1, %rd1; cvt.u32.u64 %r2, %rd2; cvt.u32.u64 %r3, %rd3;
            cvt.u16.u64 %h1, %rd1; cvt.u16.u64 %h2, %rd2; cvt.u16.u64 %h3, %rd3;
            mov.b32 %f1, %r1; mov.b32 %f2, %r2; mov.b32 %f3, %r3;
            mov.b64 %fd1, %rd1; mov.b64 %fd2, %rd2; mov.b64 %fd3, %rd3;
            setp.ne.u32 %p1, %r1, 0; setp.ne.u32 %p2, %r2, 0;
            {instruction};
            {keep}
            st.global.u64 [%out], %rd9;
            """;
        var input = new ulong[33];
        (input[0], input[1], input[2]) = (a, b, c);
        ulong[] lanes = Kernel.Run(body, input, 33);
        Assert.All(lanes, v => Assert.Equal(lanes[0], v));
        return lanes[0];
    }

    private static void Gives(string instruction, ulong a, ulong b, ulong c, ulong expected)
    {
        ulong got = Run(instruction, a, b, c);
        Assert.True(got == expected, $"{instruction} of {a:x}, {b:x}, {c:x} is {got:x}, not {expected:x}");
    }

    [Theory]
    [InlineData("add.s32 %r9, %r1, %r2", All32, 2, 0, 1)]
    [InlineData("sub.u32 %r9, %r1, %r2", 1, 2, 0, All32)]
    [InlineData("mul.lo.u32 %r9, %r1, %r2", 0x10001, 0x10001, 0, 0x20001)]
    [InlineData("mul.hi.u32 %r9, %r1, %r2", All32, All32, 0, 0xfffffffe)]
    [InlineData("mul.hi.s32 %r9, %r1, %r2", All32, All32, 0, 0)]
    [InlineData("mul.hi.s32 %r9, %r1, %r2", Min32, 2, 0, All32)]
    [InlineData("mul.wide.u32 %rd9, %r1, %r2", All32, All32, 0, 0xfffffffe00000001)]
    [InlineData("mul.wide.s32 %rd9, %r1, %r2", All32, 5, 0, All64 - 4)]
    [InlineData("mul.wide.s16 %r9, %h1, %h2", 0xffff, 7, 0, All32 - 6)]
    [InlineData("mul.wide.u16 %r9, %h1, %h2", 0xffff, 0xffff, 0, 0xfffe0001)]
    [InlineData("mad.lo.s32 %r9, %r1, %r2, %r3", All32, 3, 10, 7)]
    [InlineData("mad.hi.u32 %r9, %r1, %r2, %r3", Min32, 4, 10, 12)]
    [InlineData("mad.wide.u32 %rd9, %r1, %r2, %rd3", All32, 2, 5, 0x200000003)]
    [InlineData("mad.wide.s32 %rd9, %r1, %r2, %rd3", All32, 2, 5, 3)]
    [InlineData("mul.hi.u64 %rd9, %rd1, %rd2", All64, All64, 0, All64 - 1)]
    [InlineData("mul.hi.s64 %rd9, %rd1, %rd2", Min64, 2, 0, All64)]
    [InlineData("mul.lo.s64 %rd9, %rd1, %rd2", All64, 5, 0, All64 - 4)]
    [InlineData("add.s16 %h9, %h1, %h2", 0xffff, 2, 0, 1)]
    [InlineData("sub.s16 %h9, %h1, %h2", 0, 1, 0, 0xffff)]
    [InlineData("mul.lo.s16 %h9, %h1, %h2", 0x101, 0x101, 0, 0x201)]
    [InlineData("div.s32 %r9, %r1, %r2", Min32, All32, 0, Min32)]
    [InlineData("div.s32 %r9, %r1, %r2", All32 - 6, 2, 0, All32 - 2)]
    [InlineData("rem.s32 %r9, %r1, %r2", All32 - 6, 2, 0, All32)]
    [InlineData("rem.s32 %r9, %r1, %r2", Min32, All32, 0, 0)]
    [InlineData("div.u32 %r9, %r1, %r2", All32, 2, 0, 0x7fffffff)]
    [InlineData("div.u32 %r9, %r1, %r2", All32, 1, 0, All32)]
    [InlineData("div.u32 %r9, %r1, %r2", All32 - 1, All32, 0, 0)]
    [InlineData("div.u32 %r9, %r1, %r2", 7, 0, 0, All32)]
    [InlineData("div.s32 %r9, %r1, %r2", 0, 0, 0, All32)]
    [InlineData("rem.u32 %r9, %r1, %r2", All32, 10, 0, 5)]
    [InlineData("rem.s32 %r9, %r1, %r2", 7, 0, 0, 7)]
    [InlineData("rem.u64 %rd9, %rd1, %rd2", All64, 10, 0, 5)]
    [InlineData("div.s64 %rd9, %rd1, %rd2", Min64, All64, 0, Min64)]
    [InlineData("min.s32 %r9, %r1, %r2", All32, 1, 0, All32)]
    [InlineData("min.u32 %r9, %r1, %r2", All32, 1, 0, 1)]
    [InlineData("max.s32 %r9, %r1, %r2", All32, 1, 0, 1)]
    [InlineData("max.u32 %r9, %r1, %r2", All32, 1, 0, All32)]
    [InlineData("max.s64 %rd9, %rd1, %rd2", All64, 1, 0, 1)]
    [InlineData("min.u64 %rd9, %rd1, %rd2", All64, 1, 0, 1)]
    [InlineData("min.s16 %h9, %h1, %h2", 0x8000, 1, 0, 0x8000)]
    [InlineData("neg.s32 %r9, %r1", Min32, 0, 0, Min32)]
    [InlineData("abs.s32 %r9, %r1", All32, 0, 0, 1)]
    [InlineData("abs.s32 %r9, %r1", Min32, 0, 0, Min32)]
    [InlineData("neg.s64 %rd9, %rd1", 1, 0, 0, All64)]
    [InlineData("abs.s64 %rd9, %rd1", All64, 0, 0, 1)]
    public void Integers(string instruction, ulong a, ulong b, ulong c, ulong expected) => Gives(instruction, a, b, c, expected);

    [Theory]
    [InlineData("and.b32 %r9, %r1, %r2", 0xf0f0, 0xff00, 0, 0xf000)]
    [InlineData("or.b64 %rd9, %rd1, %rd2", Min64, 1, 0, Min64 + 1)]
    [InlineData("xor.b16 %h9, %h1, %h2", 0xffff, 0xff, 0, 0xff00)]
    [InlineData("not.b32 %r9, %r1", 0, 0, 0, All32)]
    [InlineData("not.b16 %h9, %h1", 1, 0, 0, 0xfffe)]
    [InlineData("not.b64 %rd9, %rd1", 1, 0, 0, All64 - 1)]
    [InlineData("shl.b32 %r9, %r1, %r2", 1, 31, 0, Min32)]
    [InlineData("shl.b32 %r9, %r1, %r2", 1, 32, 0, 0)]
    [InlineData("shl.b64 %rd9, %rd1, %r2", 1, 63, 0, Min64)]
    [InlineData("shl.b64 %rd9, %rd1, %r2", 1, 64, 0, 0)]
    [InlineData("shl.b16 %h9, %h1, %r2", 3, 15, 0, 0x8000)]
    [InlineData("shr.u32 %r9, %r1, %r2", Min32, 31, 0, 1)]
    [InlineData("shr.u32 %r9, %r1, %r2", Min32, 99, 0, 0)]
    [InlineData("shr.s32 %r9, %r1, %r2", Min32, 99, 0, All32)]
    [InlineData("shr.s64 %rd9, %rd1, %r2", Min64, 62, 0, All64 - 1)]
    [InlineData("shr.b32 %r9, %r1, %r2", All32, 4, 0, 0xfffffff)]
    [InlineData("shr.s16 %h9, %h1, %r2", 0x8000, 3, 0, 0xf000)]
    [InlineData("popc.b32 %r9, %r1", All32, 0, 0, 32)]
    [InlineData("popc.b64 %r9, %rd1", All64, 0, 0, 64)]
    [InlineData("clz.b32 %r9, %r1", 0, 0, 0, 32)]
    [InlineData("clz.b32 %r9, %r1", 1, 0, 0, 31)]
    [InlineData("clz.b64 %r9, %rd1", 1, 0, 0, 63)]
    [InlineData("brev.b32 %r9, %r1", 1, 0, 0, Min32)]
    [InlineData("brev.b64 %rd9, %rd1", 2, 0, 0, Min64 >> 1)]
    [InlineData("bfind.u32 %r9, %r1", 0, 0, 0, All32)]
    [InlineData("bfind.u32 %r9, %r1", 0x80, 0, 0, 7)]
    [InlineData("bfind.s32 %r9, %r1", All32, 0, 0, All32)]
    [InlineData("bfind.s32 %r9, %r1", 0xfffffffe, 0, 0, 0)]
    [InlineData("bfind.u64 %r9, %rd1", Min64, 0, 0, 63)]
    [InlineData("bfe.u32 %r9, %r1, %r2, %r3", 0xabcd1234, 8, 8, 0x12)]
    [InlineData("bfe.u32 %r9, %r1, %r2, %r3", All32, 28, 8, 0xf)]
    [InlineData("bfe.u32 %r9, %r1, %r2, %r3", All32, 4, 0, 0)]
    [InlineData("bfe.s32 %r9, %r1, %r2, %r3", 0xf0, 4, 4, All32)]
    [InlineData("bfe.s32 %r9, %r1, %r2, %r3", 0x70, 4, 4, 7)]
    [InlineData("bfe.s32 %r9, %r1, %r2, %r3", Min32, 40, 4, All32)]
    [InlineData("bfe.u64 %rd9, %rd1, %r2, %r3", All64, 60, 8, 0xf)]
    [InlineData("bfi.b32 %r9, %r1, %r2, 8, 8", 0xfff, 0xaaaaaaaa, 0, 0xaaaaffaa)]
    [InlineData("bfi.b32 %r9, %r1, %r2, 28, 8", 0xff, 0, 0, 0xf0000000)]
    [InlineData("bfi.b64 %rd9, %rd1, %rd2, 32, 32", 0x12345678, 0x9, 0, 0x1234567800000009)]
    [InlineData("prmt.b32 %r9, %r1, %r2, %r3", 0x33221100, 0x77665544, 0x7610, 0x77661100)]
    [InlineData("prmt.b32 %r9, %r1, %r2, %r3", 0x00008000, 0, 0x9990, 0xffffff00)]
    [InlineData("lop3.b32 %r9, %r1, %r2, %r3, 0x96", 0b11110000, 0b11001100, 0b10101010, 0b10010110)]
    [InlineData("lop3.b32 %r9, %r1, %r2, %r3, 0xca", All32, 5, 9, 5)]
    [InlineData("shf.l.wrap.b32 %r9, %r1, %r2, %r3", Min32, 1, 33, 3)]
    [InlineData("shf.r.wrap.b32 %r9, %r1, %r2, %r3", 2, 1, 1, Min32 + 1)]
    [InlineData("shf.l.clamp.b32 %r9, %r1, %r2, %r3", 7, 1, 40, 7)]
    [InlineData("shf.r.clamp.b32 %r9, %r1, %r2, %r3", 7, 9, 40, 9)]
    [InlineData("selp.b32 %r9, %r1, %r2, %p1", 0, 7, 0, 7)]
    [InlineData("selp.b64 %rd9, %rd1, %rd2, %p1", 5, 7, 0, 5)]
    [InlineData("selp.b32 %r9, %r2, %r3, !%p1", 0, 7, 8, 7)]
    [InlineData("and.pred %p9, %p1, !%p2", 1, 0, 0, 1)]
    [InlineData("or.pred %p9, %p1, %p2", 0, 0, 0, 0)]
    [InlineData("xor.pred %p9, %p1, %p2", 1, 1, 0, 0)]
    [InlineData("not.pred %p9, %p1", 0, 0, 0, 1)]
    [InlineData("mov.b32 %r9, {%h1, %h2}", 0x1234, 0x5678, 0, 0x56781234)]
    [InlineData("mov.b64 %rd9, {%r1, %r2}", 0x1234, 0x5678, 0, 0x567800001234)]
    public void Bits(string instruction, ulong a, ulong b, ulong c, ulong expected) => Gives(instruction, a, b, c, expected);

    [Theory]
    [InlineData("add.f32 %f9, %f1, %f2", One, MinusOne, 0, Zero)]
    [InlineData("add.f32 %f9, %f1, %f2", MinusZero, MinusZero, 0, MinusZero)]
    [InlineData("add.f32 %f9, %f1, %f2", Inf, MinusInf, 0, CardNaN)]
    [InlineData("add.f32 %f9, %f1, %f2", NaN, One, 0, CardNaN)]
    [InlineData("add.f32 %f9, %f1, %f2", Denormal, Denormal, 0, 2)]
    [InlineData("add.ftz.f32 %f9, %f1, %f2", Denormal, Denormal, 0, Zero)]
    [InlineData("add.ftz.f32 %f9, %f1, %f2", 0x80000001, MinusZero, 0, MinusZero)]
    [InlineData("add.f32 %f9, %f1, %f2", One, 0x33800000, 0, One)]
    [InlineData("add.f32 %f9, %f1, %f2", 0x3f800001, 0x33800000, 0, 0x3f800002)]
    [InlineData("add.sat.f32 %f9, %f1, %f2", One, One, 0, One)]
    [InlineData("add.sat.f32 %f9, %f1, %f2", MinusOne, Zero, 0, Zero)]
    [InlineData("add.sat.f32 %f9, %f1, %f2", NaN, Zero, 0, Zero)]
    [InlineData("sub.f32 %f9, %f1, %f2", One, Half, 0, Half)]
    [InlineData("mul.f32 %f9, %f1, %f2", Largest, Two, 0, Inf)]
    [InlineData("mul.f32 %f9, %f1, %f2", Zero, Inf, 0, CardNaN)]
    [InlineData("mul.ftz.f32 %f9, %f1, %f2", 0x00800000, Half, 0, Zero)]
    [InlineData("mul.f32 %f9, %f1, %f2", 0x00800000, Half, 0, 0x00400000)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", 0x3f800001, 0x3f800001, 0xbf800002, 0x28800000)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", Zero, Inf, One, CardNaN)]
    [InlineData("mad.f32 %f9, %f1, %f2, %f3", Two, Two, One, 0x40a00000)]
    [InlineData("div.rn.f32 %f9, %f1, %f2", One, Zero, 0, Inf)]
    [InlineData("div.rn.f32 %f9, %f1, %f2", One, 0x40400000, 0, 0x3eaaaaab)]
    [InlineData("min.f32 %f9, %f1, %f2", NaN, One, 0, One)]
    [InlineData("min.f32 %f9, %f1, %f2", Zero, MinusZero, 0, MinusZero)]
    [InlineData("max.f32 %f9, %f1, %f2", Zero, MinusZero, 0, Zero)]
    [InlineData("max.f32 %f9, %f1, %f2", NaN, NaN, 0, CardNaN)]
    [InlineData("neg.f32 %f9, %f1", Zero, 0, 0, MinusZero)]
    [InlineData("abs.f32 %f9, %f1", MinusInf, 0, 0, Inf)]
    [InlineData("sqrt.rn.f32 %f9, %f1", Two, 0, 0, 0x3fb504f3)]
    [InlineData("sqrt.rn.f32 %f9, %f1", MinusOne, 0, 0, CardNaN)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", Denormal, 0, 0, Inf)]
    [InlineData("rsqrt.approx.ftz.f32 %f9, %f1", 0x40800000, 0, 0, Half)]
    [InlineData("ex2.approx.ftz.f32 %f9, %f1", MinusInf, 0, 0, Zero)]
    [InlineData("ex2.approx.f32 %f9, %f1", 0xc3000000, 0, 0, 0x00200000)]
    [InlineData("ex2.approx.ftz.f32 %f9, %f1", 0xc3000000, 0, 0, Zero)]
    [InlineData("ex2.approx.f32 %f9, %f1", 0x43000000, 0, 0, Inf)]
    [InlineData("lg2.approx.f32 %f9, %f1", Zero, 0, 0, MinusInf)]
    [InlineData("lg2.approx.f32 %f9, %f1", 0x41000000, 0, 0, 0x40400000)]
    [InlineData("tanh.approx.f32 %f9, %f1", Inf, 0, 0, One)]
    [InlineData("sin.approx.f32 %f9, %f1", MinusZero, 0, 0, MinusZero)]
    [InlineData("cos.approx.f32 %f9, %f1", Zero, 0, 0, One)]
    // As kernels write them.
    [InlineData("add.rn.f32 %f9, %f1, %f2", One, 0x33800000, 0, One)]
    [InlineData("add.rn.f32 %f9, %f1, %f2", Zero, MinusZero, 0, Zero)]
    [InlineData("add.rn.f32 %f9, %f1, %f2", Denormal, Denormal, 0, 2)]
    [InlineData("add.rn.f32 %f9, %f1, %f2", Inf, MinusInf, 0, CardNaN)]
    [InlineData("add.rn.f32 %f9, %f1, %f2", Largest, Largest, 0, Inf)]
    [InlineData("sub.rn.f32 %f9, %f1, %f2", One, One, 0, Zero)]
    [InlineData("sub.rn.f32 %f9, %f1, %f2", MinusZero, Zero, 0, MinusZero)]
    [InlineData("sub.rn.f32 %f9, %f1, %f2", Inf, Inf, 0, CardNaN)]
    [InlineData("mul.rn.f32 %f9, %f1, %f2", 0x00800000, Half, 0, 0x00400000)]
    [InlineData("mul.rn.f32 %f9, %f1, %f2", Denormal, Half, 0, Zero)]
    [InlineData("mul.rn.f32 %f9, %f1, %f2", 3, Half, 0, 2)]
    [InlineData("mul.rn.f32 %f9, %f1, %f2", MinusZero, One, 0, MinusZero)]
    [InlineData("mul.rn.f32 %f9, %f1, %f2", NaN, Zero, 0, CardNaN)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", 2, Half, Zero, Denormal)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", MinusZero, One, MinusZero, MinusZero)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", Zero, One, MinusZero, Zero)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", Largest, Two, 0xff7fffff, Largest)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", Inf, One, MinusInf, CardNaN)]
    [InlineData("fma.rn.f32 %f9, %f1, %f2, %f3", One, One, NaN, CardNaN)]
    [InlineData("ex2.approx.ftz.f32 %f9, %f1", NaN, 0, 0, CardNaN)]
    [InlineData("ex2.approx.ftz.f32 %f9, %f1", MinusZero, 0, 0, One)]
    [InlineData("ex2.approx.ftz.f32 %f9, %f1", Denormal, 0, 0, One)]
    [InlineData("ex2.approx.ftz.f32 %f9, %f1", Inf, 0, 0, Inf)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", Zero, 0, 0, Inf)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", MinusZero, 0, 0, MinusInf)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", 0x80000001, 0, 0, MinusInf)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", MinusInf, 0, 0, MinusZero)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", NaN, 0, 0, CardNaN)]
    [InlineData("rcp.approx.ftz.f32 %f9, %f1", 0x7f000000, 0, 0, Zero)]
    // Just above and below 1: the neighbours that each direction chooses.
    [InlineData("add.rz.f32 %f9, %f1, %f2", One, 0x33000000, 0, One)]
    [InlineData("add.rm.f32 %f9, %f1, %f2", One, 0x33000000, 0, One)]
    [InlineData("add.rp.f32 %f9, %f1, %f2", One, 0x33000000, 0, 0x3f800001)]
    [InlineData("add.rz.f32 %f9, %f1, %f2", MinusOne, 0xb3000000, 0, MinusOne)]
    [InlineData("add.rm.f32 %f9, %f1, %f2", MinusOne, 0xb3000000, 0, 0xbf800001)]
    [InlineData("add.rp.f32 %f9, %f1, %f2", MinusOne, 0xb3000000, 0, MinusOne)]
    [InlineData("sub.rz.f32 %f9, %f1, %f2", One, 0x00000001, 0, 0x3f7fffff)]
    [InlineData("add.rm.f32 %f9, %f1, %f2", One, MinusOne, 0, MinusZero)]
    [InlineData("add.rz.f32 %f9, %f1, %f2", One, MinusOne, 0, Zero)]
    [InlineData("add.rm.f32 %f9, %f1, %f2", Zero, Zero, 0, Zero)]
    [InlineData("mul.rz.f32 %f9, %f1, %f2", Largest, Two, 0, Largest)]
    [InlineData("mul.rp.f32 %f9, %f1, %f2", Largest, Two, 0, Inf)]
    [InlineData("mul.rp.f32 %f9, %f1, %f2", Denormal, Half, 0, Denormal)]
    [InlineData("mul.rm.f32 %f9, %f1, %f2", Denormal, Half, 0, Zero)]
    [InlineData("mul.rm.f32 %f9, %f1, %f2", 0x80000001, Half, 0, 0x80000001)]
    [InlineData("fma.rm.f32 %f9, %f1, %f2, %f3", One, One, 0xa0000000, 0x3f7fffff)]
    [InlineData("fma.rp.f32 %f9, %f1, %f2, %f3", One, One, 0xa0000000, One)]
    [InlineData("fma.rz.f32 %f9, %f1, %f2, %f3", Zero, Inf, One, CardNaN)]
    [InlineData("fma.rz.ftz.f32 %f9, %f1, %f2, %f3", Denormal, One, Denormal, Zero)]
    [InlineData("min.NaN.f32 %f9, %f1, %f2", NaN, One, 0, CardNaN)]
    [InlineData("max.NaN.f32 %f9, %f1, %f2", Two, One, 0, Two)]
    [InlineData("copysign.f32 %f9, %f1, %f2", MinusZero, One, 0, MinusOne)]
    [InlineData("copysign.f64 %fd9, %fd1, %fd2", 0, 0xbff0000000000000, 0, 0x3ff0000000000000)]
    [InlineData("ex2.approx.ftz.bf16x2 %r9, %r1", 0x3f804000, 0, 0, 0x40004080)]
    [InlineData("tanh.approx.f16 %h9, %h1", 0x7c00, 0, 0, 0x3c00)]
    [InlineData("max.NaN.bf16x2 %r9, %r1, %r2", 0x3f807fc0, 0xbf803f80, 0, 0x3f807fff)]
    [InlineData("add.f64 %fd9, %fd1, %fd2", 0x3ff0000000000000, 0x3ca0000000000000, 0, 0x3ff0000000000000)]
    [InlineData("fma.rn.f64 %fd9, %fd1, %fd2, %fd3", 0x4000000000000000, 0x4000000000000000, 0x3ff0000000000000, 0x4014000000000000)]
    [InlineData("add.f16 %h9, %h1, %h2", 0x3c00, 0x1000, 0, 0x3c00)]
    [InlineData("add.f16 %h9, %h1, %h2", 0x7bff, 0x7bff, 0, 0x7c00)]
    [InlineData("fma.rn.f16x2 %r9, %r1, %r2, %r3", 0x40003c00, 0x40003c00, 0x3c003c00, 0x45004000)]
    [InlineData("fma.rn.bf16x2 %r9, %r1, %r2, %r3", 0x40003f80, 0x40003f80, 0x3f803f80, 0x40a04000)]
    // 1.0078125² + 2^-30 lies just above the middle of two bfloat16 numbers only by the addend: one rounding, upward.
    [InlineData("fma.rn.bf16x2 %r9, %r1, %r2, %r3", 0x3f810080, 0x3f813f00, 0, 0x3f820040)]
    [InlineData("fma.rn.bf16x2 %r9, %r1, %r2, %r3", 0x7f808000, 0x00003f80, 0x00008000, 0x7fff8000)]
    [InlineData("fma.rn.bf16x2 %r9, %r1, %r2, %r3", 0x7f7f3f80, 0x40003f80, 0x00007fc0, 0x7f807fff)]
    [InlineData("fma.rn.bf16 %h9, %h1, %h2, %h3", 0x3f80, 0x3f80, 0x3b80, 0x3f80)]
    [InlineData("max.bf16x2 %r9, %r1, %r2", 0x3f807fc0, 0xbf803f80, 0, 0x3f803f80)]
    [InlineData("neg.bf16 %h9, %h1", 0x3f80, 0, 0, 0xbf80)]
    public void Floats(string instruction, ulong a, ulong b, ulong c, ulong expected) => Gives(instruction, a, b, c, expected);

    [Theory]
    [InlineData("cvt.s64.s32 %rd9, %r1", All32, All64)]
    [InlineData("cvt.u64.u32 %rd9, %r1", All32, All32)]
    [InlineData("cvt.s32.s8 %r9, %r1", 0x180, 0xffffff80)]
    [InlineData("cvt.u32.u8 %r9, %r1", 0x180, 0x80)]
    [InlineData("cvt.s32.s16 %r9, %h1", 0x8000, 0xffff8000)]
    [InlineData("cvt.u16.u32 %h9, %r1", 0x12345, 0x2345)]
    [InlineData("cvt.sat.u8.s32 %r9, %r1", All32, 0)]
    [InlineData("cvt.sat.s8.s32 %r9, %r1", 1000, 127)]
    [InlineData("cvt.sat.s32.s64 %r9, %rd1", Min64, Min32)]
    [InlineData("cvt.rn.f32.s32 %f9, %r1", All32, MinusOne)]
    [InlineData("cvt.rn.f32.u32 %f9, %r1", All32, 0x4f800000)]
    [InlineData("cvt.rn.f32.s32 %f9, %r1", 16777217, 0x4b800000)]
    [InlineData("cvt.rn.f32.u64 %f9, %rd1", 0x8000008000000001, 0x5f000001)]
    [InlineData("cvt.rzi.s32.f32 %r9, %f1", 0xc0200000, All32 - 1)]
    [InlineData("cvt.rni.s32.f32 %r9, %f1", 0x40200000, 2)]
    [InlineData("cvt.rni.s32.f32 %r9, %f1", 0x40600000, 4)]
    [InlineData("cvt.rmi.s32.f32 %r9, %f1", 0xc0200000, All32 - 2)]
    [InlineData("cvt.rpi.s32.f32 %r9, %f1", 0x40200000, 3)]
    [InlineData("cvt.rzi.s32.f32 %r9, %f1", Inf, 0x7fffffff)]
    [InlineData("cvt.rzi.s32.f32 %r9, %f1", MinusInf, Min32)]
    [InlineData("cvt.rzi.s32.f32 %r9, %f1", NaN, 0)]
    [InlineData("cvt.rzi.u32.f32 %r9, %f1", MinusOne, 0)]
    [InlineData("cvt.rzi.u64.f64 %rd9, %fd1", 0x43f0000000000000, All64)]
    [InlineData("cvt.rn.bf16.f32 %h9, %f1", 0x3f808000, 0x3f80)]
    [InlineData("cvt.rn.bf16.f32 %h9, %f1", 0x3f818000, 0x3f82)]
    [InlineData("cvt.rn.bf16.f32 %h9, %f1", 0x3f808001, 0x3f81)]
    [InlineData("cvt.rz.bf16.f32 %h9, %f1", 0x3f80ffff, 0x3f80)]
    [InlineData("cvt.rn.bf16.f32 %h9, %f1", NaN, 0x7fff)]
    [InlineData("cvt.rn.bf16.f32 %h9, %f1", Largest, 0x7f80)]
    [InlineData("cvt.rn.f16.f32 %h9, %f1", 0x477ff000, 0x7c00)]
    [InlineData("cvt.rn.f16.f32 %h9, %f1", 0x33000001, 0x0001)]
    [InlineData("cvt.f32.f16 %f9, %h1", 1, 0x33800000)]
    [InlineData("cvt.f32.bf16 %f9, %h1", 0x3f80, One)]
    [InlineData("cvt.f64.f32 %fd9, %f1", One, 0x3ff0000000000000)]
    [InlineData("cvt.rn.f32.f64 %f9, %fd1", 0x3ff0000010000000, One)]
    [InlineData("cvt.rni.f32.f32 %f9, %f1", 0x3f000000, Zero)]
    [InlineData("cvt.rmi.f32.f32 %f9, %f1", 0xbf000000, MinusOne)]
    [InlineData("cvt.sat.f32.f32 %f9, %f1", Two, One)]
    [InlineData("cvt.ftz.f32.f32 %f9, %f1", 0x80000001, MinusZero)]
    [InlineData("cvt.rz.f32.s32 %f9, %r1", 16777219, 0x4b800001)]
    [InlineData("cvt.rp.f32.s32 %f9, %r1", 16777217, 0x4b800001)]
    [InlineData("cvt.rm.f32.s32 %f9, %r1", 0xfeffffff, 0xcb800001)]
    [InlineData("cvt.rz.f32.s64 %f9, %rd1", 0xfeffffff, 0x4f7effff)]
    [InlineData("cvt.rz.f32.u64 %f9, %rd1", All64, 0x5f7fffff)]
    [InlineData("cvt.rp.f32.u64 %f9, %rd1", All64, 0x5f800000)]
    [InlineData("cvt.rm.f32.s64 %f9, %rd1", All64, MinusOne)]
    [InlineData("cvt.rn.f32.u64 %f9, %rd1", 0x0000_0100_0001_0001, 0x53800001)]
    [InlineData("cvt.rz.f32.f64 %f9, %fd1", 0x3ff0000030000000, 0x3f800001)]
    [InlineData("cvt.rp.f32.f64 %f9, %fd1", 0x3ff0000010000000, 0x3f800001)]
    [InlineData("cvt.rz.f16.f32 %h9, %f1", 0x477ff000, 0x7bff)]
    [InlineData("cvt.rm.f16.f32 %h9, %f1", 0xbf800001, 0xbc01)]
    [InlineData("cvt.rp.f16.f32 %h9, %f1", 0x33000001, 0x0001)]
    public void Conversions(string instruction, ulong a, ulong expected) => Gives(instruction, a, 0, 0, expected);

    [Theory]
    [InlineData("testp.finite.f32 %p9, %f1", Inf, 0, 0)]
    [InlineData("testp.finite.f32 %p9, %f1", Largest, 0, 1)]
    [InlineData("testp.infinite.f32 %p9, %f1", MinusInf, 0, 1)]
    [InlineData("testp.number.f32 %p9, %f1", Inf, 0, 1)]
    [InlineData("testp.notanumber.f32 %p9, %f1", NaN, 0, 1)]
    [InlineData("testp.subnormal.f32 %p9, %f1", Denormal, 0, 1)]
    [InlineData("testp.normal.f32 %p9, %f1", Denormal, 0, 0)]
    [InlineData("testp.normal.f32 %p9, %f1", Zero, 0, 0)]
    [InlineData("testp.normal.f64 %p9, %fd1", 0x3ff0000000000000, 0, 1)]
    [InlineData("testp.subnormal.f64 %p9, %fd1", 1, 0, 1)]
    [InlineData("bfind.shiftamt.u32 %r9, %r1", 1, 0, 31)]
    [InlineData("bfind.shiftamt.s32 %r9, %r1", All32, 0, All32)]
    [InlineData("sad.s32 %r9, %r1, %r2, 5", Min32, 0x7fffffff, 4)]
    [InlineData("sad.u32 %r9, %r1, %r2, 5", 3, 10, 12)]
    [InlineData("cnot.b32 %r9, %r1", 0, 0, 1)]
    [InlineData("cnot.b64 %rd9, %rd1", 1ul << 40, 0, 0)]
    [InlineData("dp4a.s32.u32 %r9, %r1, %r2, -1", 0xff020304, 0xff010101, 0xffffff09)]
    [InlineData("sub.cc.u32 %r8, %r1, %r2; subc.u32 %r9, 10, 3", 5, 6, 6)]
    [InlineData("sub.cc.u32 %r8, %r1, %r2; subc.u32 %r9, 10, 3", 6, 6, 7)]
    [InlineData("mad.lo.cc.u32 %r8, %r1, %r2, -1; madc.hi.u32 %r9, %r1, %r2, 7", 3, 1, 8)]
    [InlineData("add.cc.u64 %rd8, %rd1, %rd2; addc.cc.u64 %rd7, -1, 0; addc.u64 %rd9, 0, 0", All64, 1, 1)]
    [InlineData("add.cc.u64 %rd8, %rd1, %rd2; addc.cc.u64 %rd7, -1, 0; addc.u64 %rd9, 0, 0", All64, 0, 0)]
    [InlineData("cvt.rn.bf16x2.f32 %r9, %f1, %f2", One, 0x40008001, 0x3f804001)]
    [InlineData("cvt.rn.bf16x2.f32 %r9, %f1, %f2", NaN, Largest, 0x7fff7f80)]
    [InlineData("cvt.rn.bf16x2.f32 %r9, %f1, %f2", 0x00008000, 0x00018000, 0x00000002)]
    [InlineData("cvt.rn.bf16x2.f32 %r9, %f1, %f2", MinusZero, MinusInf, 0x8000ff80)]
    [InlineData("cvt.rn.relu.bf16x2.f32 %r9, %f1, %f2", MinusOne, One, 0x00003f80)]
    [InlineData("cvt.rn.f16x2.f32 %r9, %f1, %f2", One, Two, 0x3c004000)]
    [InlineData("setp.lt.s32 %p9, %r1, %r2", All32, 0, 1)]
    [InlineData("setp.lt.u32 %p9, %r1, %r2", All32, 0, 0)]
    [InlineData("setp.le.s32 %p9, %r1, %r2", 5, 5, 1)]
    [InlineData("setp.gt.s32 %p9, %r1, %r2", 5, 5, 0)]
    [InlineData("setp.ge.u32 %p9, %r1, %r2", 5, 5, 1)]
    [InlineData("setp.hi.u32 %p9, %r1, %r2", 6, 5, 1)]
    [InlineData("setp.ls.u32 %p9, %r1, %r2", 6, 5, 0)]
    [InlineData("setp.ne.b32 %p9, %r1, %r2", 6, 5, 1)]
    [InlineData("setp.gt.s64 %p9, %rd1, %rd2", All64, 0, 0)]
    [InlineData("setp.gt.u64 %p9, %rd1, %rd2", All64, 0, 1)]
    [InlineData("setp.lt.s16 %p9, %h1, %h2", 0x8000, 0, 1)]
    [InlineData("setp.eq.f32 %p9, %f1, %f2", Zero, MinusZero, 1)]
    [InlineData("setp.eq.f32 %p9, %f1, %f2", NaN, NaN, 0)]
    [InlineData("setp.ne.f32 %p9, %f1, %f2", NaN, One, 0)]
    [InlineData("setp.neu.f32 %p9, %f1, %f2", NaN, One, 1)]
    [InlineData("setp.equ.f32 %p9, %f1, %f2", NaN, One, 1)]
    [InlineData("setp.ltu.f32 %p9, %f1, %f2", NaN, One, 1)]
    [InlineData("setp.lt.f32 %p9, %f1, %f2", NaN, One, 0)]
    [InlineData("setp.leu.f32 %p9, %f1, %f2", Two, One, 0)]
    [InlineData("setp.num.f32 %p9, %f1, %f2", NaN, One, 0)]
    [InlineData("setp.nan.f32 %p9, %f1, %f2", NaN, One, 1)]
    [InlineData("setp.gt.f32 %p9, %f1, %f2", Denormal, Zero, 1)]
    [InlineData("setp.gt.ftz.f32 %p9, %f1, %f2", Denormal, Zero, 0)]
    [InlineData("setp.gt.f64 %p9, %fd1, %fd2", 0x3ff0000000000000, 0, 1)]
    [InlineData("setp.eq.and.u32 %p9, %r1, %r1, !%p2", 1, 1, 0)]
    [InlineData("setp.eq.or.u32 %p9, %r1, 7, %p2", 1, 1, 1)]
    [InlineData("setp.eq.u32 %p8|%p9, %r1, 7", 1, 1, 1)]
    public void Pairs_and_comparisons(string instruction, ulong a, ulong b, ulong expected) =>
        Gives(instruction, a, b, 0, expected);

    [Fact]
    public void Only_the_lanes_of_a_guard_are_written()
    {
        string[] steps =
        [
            "add.u32 %r9, %t, 100", "add.u64 %rd9, %wide, 100", "selp.b32 %r9, 3, 4, %p1", "selp.b64 %rd9, 3, 4, %p1", "popc.b32 %r9, %t",
            "mov.b64 %rd9, %wide", "setp.eq.u32 %p9, %t, %t",
        ];
        foreach (string step in steps)
        {
            string body = $"""
                mov.u32 %r9, 7; mov.u64 %rd9, 7; setp.ne.u32 %p9, %t, %t;
                and.b32 %r1, %t, 4;
                setp.ne.u32 %p1, %r1, 0;
                @!%p1 {step};
                selp.u32 %r2, 7, 6, %p9;
                xor.b32 %r9, %r9, %r2; xor.b32 %r9, %r9, 6;
                cvt.u64.u32 %rd2, %r9; xor.b64 %rd9, %rd9, %rd2;
                st.global.u64 [%out], %rd9;
                """;
            ulong[] lanes = Kernel.Run(body, new ulong[64], 64);
            for (int t = 0; t < 64; t++) Assert.Equal((t & 4) != 0, lanes[t] == 0);
        }
    }
}
