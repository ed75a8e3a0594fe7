namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Small kernels for the tests of the driver; x and y are arrays of 64-bit numbers, a thread for each element.</summary>
internal static class DriverKernels
{
    private static string Entry(string name, string body, string more = "") =>
        $$"""
        .visible .entry {{name}}(.param .u64 x, .param .u64 y, .param .u64 n)
        {
        .reg .pred %p<4>;
        .reg .b32 %r<8>;
        .reg .b64 %rd<16>;
        {{more}}
        mov.u32 %r1, %tid.x;
        mov.u32 %r2, %ctaid.x;
        mov.u32 %r3, %ntid.x;
        mad.lo.s32 %r1, %r2, %r3, %r1;
        mul.wide.u32 %rd1, %r1, 8;
        ld.param.u64 %rd2, [x];
        ld.param.u64 %rd3, [y];
        ld.param.u64 %rd4, [n];
        add.s64 %rd2, %rd2, %rd1;
        add.s64 %rd3, %rd3, %rd1;
        {{body}}
        ret;
        }
        """;

    /// <summary>
    /// add: y = x + n. scale: y = y · n. spin: counts to n, then y = x. hold: until the host writes to x.
    /// shared: through dynamic shared memory of 8 bytes a thread.
    /// </summary>
    public static string Text { get; } = string.Join('\n',
        ".version 8.4\n.target sm_80\n.address_size 64\n.extern .shared .align 16 .b8 dynamic[];",
        Entry("add", "ld.global.u64 %rd5, [%rd2];\nadd.s64 %rd5, %rd5, %rd4;\nst.global.u64 [%rd3], %rd5;"),
        Entry("scale", "ld.global.u64 %rd5, [%rd3];\nmul.lo.s64 %rd5, %rd5, %rd4;\nst.global.u64 [%rd3], %rd5;"),
        Entry("spin", "mov.u64 %rd6, 0;\nL:\nadd.s64 %rd6, %rd6, 1;\nsetp.lt.u64 %p1, %rd6, %rd4;\n@%p1 bra L;\n"
            + "ld.global.u64 %rd5, [%rd2];\nst.global.u64 [%rd3], %rd5;"),
        Entry("hold", "L:\nld.volatile.global.u64 %rd5, [%rd2];\nsetp.eq.u64 %p1, %rd5, 0;\n@%p1 bra L;"),
        Entry("shared", "mov.u32 %r4, dynamic;\nmov.u32 %r5, %tid.x;\nshl.b32 %r5, %r5, 3;\nadd.u32 %r4, %r4, %r5;\n"
            + "ld.global.u64 %rd5, [%rd2];\nst.shared.u64 [%r4], %rd5;\nld.shared.u64 %rd6, [%r4];\nst.global.u64 [%rd3], %rd6;"),
        Entry("misaligned", "ld.global.u64 %rd5, [%rd2+4];\nst.global.u64 [%rd3], %rd5;"),
        Entry("trap", "trap;"));
}
