namespace Sa2VA.VirtualGpu.Tests;

/// <summary>stmatrix: matrices of 8 × 8 elements from the registers of a warp to rows in shared memory.</summary>
public sealed class MatrixStoreTests
{
    /// <summary>Register k of lane l holds two elements that tell k, l and which; rows lie side by side, the last first.</summary>
    private static string Text(int count, bool transposed)
    {
        string registers = string.Join(", ", Enumerable.Range(10, count).Select(n => $"%r{n}"));
        string fill = string.Join('\n', Enumerable.Range(0, count).Select(k =>
            $"shl.b32 %r{10 + k}, %t, 1;\nadd.u32 %r{10 + k}, %r{10 + k}, {64 * k};\n"
            + $"mad.lo.u32 %r{10 + k}, %r{10 + k}, 0x10001, 0x10000;"));
        return HopperKernel.Bare($$"""
            {{fill}}
            and.b32 %r2, %t, 31;
            shl.b32 %r2, %r2, 4;
            sub.u32 %r3, 496, %r2;
            add.u32 %r3, %r1, %r3;
            stmatrix.sync.aligned.m8n8.x{{count}}{{(transposed ? ".trans" : "")}}.shared.b16 [%r3], {{{registers}}};
            bar.warp.sync 0xffffffff;
            setp.ge.u32 %p1, %t, {{8 * count}};
            @%p1 ret;
            ld.shared.v4.u32 {%r20, %r21, %r22, %r23}, [%r3];
            mul.wide.u32 %rd2, %r2, 1;
            add.s64 %rd2, %rd1, %rd2;
            st.global.v4.u32 [%rd2], {%r20, %r21, %r22, %r23};
            """);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(4, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(4, true)]
    public void Rows_are_those_that_fragments_hold(int count, bool transposed)
    {
        uint[] words = HopperKernel.Run(Text(count, transposed), threads: 32);
        for (int matrix = 0; matrix < count; matrix++)
            for (int row = 0; row < 8; row++)
                for (int column = 0; column < 8; column++)
                {
                    // Lane 4r + c / 2 holds element c of row r, or where matrices are turned of column r.
                    (int r, int c) = transposed ? (column, row) : (row, column);
                    uint element = words[(8 * matrix + row) * 4 + column / 2] >> 16 * (column % 2) & 0xffff;
                    Assert.Equal((uint)(64 * matrix + 2 * (4 * r + c / 2) + c % 2), element);
                }
    }

    [Fact]
    public void What_is_wrong_is_told()
    {
        string right = Text(4, false);
        void Fault(string passage, string replacement, FaultKind kind, string word, int threads = 32)
        {
            Assert.Contains(passage, right, StringComparison.Ordinal);
            string wrong = right.Replace(passage, replacement, StringComparison.Ordinal);
            GpuFaultException fault = Assert.Throws<GpuFaultException>(() => HopperKernel.Run(wrong, threads));
            Assert.True(kind == fault.Kind, fault.Message);
            Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        }
        Fault("sub.u32 %r3, 496, %r2;", "sub.u32 %r3, 488, %r2;", FaultKind.Misaligned, "misaligned");
        Fault("sub.u32 %r3, 496, %r2;", "sub.u32 %r3, 32768, %r2;", FaultKind.OutOfBounds, "outside the block's shared memory");
        Fault("stmatrix", "setp.ge.u32 %p1, %t, 16;\n@%p1 ret;\nstmatrix", FaultKind.DivergentCollective, "have ended");
        // Two warps store to the same rows and no barrier orders them.
        Fault("bar.warp.sync 0xffffffff;", "", FaultKind.Race, "stmatrix", threads: 64);
        using var device = new VirtualDevice();
        Assert.Contains("needs target sm_90", Assert.Throws<PtxException>(() =>
            device.LoadModule(right.Replace("sm_90a", "sm_80", StringComparison.Ordinal))).Message, StringComparison.Ordinal);
    }
}
