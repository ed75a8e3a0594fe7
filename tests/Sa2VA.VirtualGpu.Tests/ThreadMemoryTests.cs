namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Parameters by their addresses, structures as parameters, and local memory.</summary>
public sealed class ThreadMemoryTests
{
    /// <summary>A kernel with a structure of an address and four numbers as its parameter; thread t leaves its result at out[t].</summary>
    private static string Struct(string body) =>
        $$"""
        .version 8.4
        .target sm_80
        .address_size 64
        .visible .entry k(.param .align 8 .b8 p[40], .param .u32 last)
        {
        .reg .pred %p<4>;
        .reg .b32 %r<8>;
        .reg .b64 %rd<12>;
        mov.u32 %r1, %tid.x;
        ld.param.u64 %rd1, [p];
        mul.wide.u32 %rd2, %r1, 8;
        add.s64 %rd1, %rd1, %rd2;
        mov.b64 %rd3, p;
        add.s64 %rd4, %rd3, %rd2;
        {{body}}
        st.global.u64 [%rd1], %rd9;
        ret;
        }
        """;

    private static ulong[] Run(string body, int threads)
    {
        using var device = new VirtualDevice();
        VirtualKernel kernel = device.LoadModule(Struct(body))["k"];
        ulong output = device.Upload<ulong>(new ulong[threads], "out");
        var structure = new byte[40];
        BitConverter.TryWriteBytes(structure, output);
        for (int n = 0; n < 4; n++) BitConverter.TryWriteBytes(structure.AsSpan(8 + 8 * n), 100ul + (ulong)n);
        device.Launch(kernel, new(1), new(threads), 0, [new(structure), 7]);
        var result = new ulong[threads];
        device.Read<ulong>(output, result);
        return result;
    }

    [Theory]
    [InlineData("ld.param.u64 %rd9, [%rd4+8];")]
    [InlineData("add.s64 %rd5, %rd4, 32; ld.param.u64 %rd9, [%rd5+-24];")]
    [InlineData("cvta.param.u64 %rd5, %rd4; ld.u64 %rd9, [%rd5+8];")]
    [InlineData("cvta.param.u64 %rd5, %rd4; cvta.to.param.u64 %rd6, %rd5; ld.param.v2.u32 {%r2, %r3}, [%rd6+8]; mov.b64 %rd9, {%r2, %r3};")]
    public void Parameters_are_read_by_address(string body) => Assert.Equal([100ul, 101, 102, 103], Run(body, 4));

    [Fact]
    public void Parameters_are_read_by_name_and_offset()
    {
        Assert.Equal([101ul, 101], Run("ld.param.u64 %rd9, [p+16];", 2));
        Assert.Equal([7ul, 7], Run("ld.param.u32 %r2, [last]; cvt.u64.u32 %rd9, %r2;", 2));
    }

    [Theory]
    [InlineData("ld.param.u64 %rd9, [%rd4+16];", FaultKind.OutOfBounds, "outside the 44 bytes of parameters")]
    [InlineData("ld.param.u64 %rd9, [%rd4+4];", FaultKind.Misaligned, "parameter address 0x4")]
    [InlineData("cvta.param.u64 %rd5, %rd4; mov.u64 %rd9, 1; st.u64 [%rd5], %rd9;", FaultKind.Illegal, "parameters cannot be written")]
    [InlineData("cvta.param.u64 %rd5, %rd4; atom.add.u64 %rd9, [%rd5], 1;", FaultKind.Illegal, "on parameters")]
    public void Wrong_accesses_to_parameters_are_faults(string body, FaultKind kind, string words)
    {
        var fault = Assert.Throws<GpuFaultException>(() => Run(body, 4));
        Assert.Equal(kind, fault.Kind);
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    private const string Local = """
        .local .align 8 .b8 depot[64];
        .reg .b64 %SP, %SPL;
        mov.u64 %SPL, depot;
        cvta.local.u64 %SP, %SPL;
        and.b32 %r1, %t, 7;
        mul.wide.u32 %rd1, %r1, 8;
        add.s64 %rd2, %SPL, %rd1;
        add.s64 %rd3, %SP, %rd1;
        """;

    /// <summary>All threads write at the same or at different local addresses, and each finds its own values there.</summary>
    [Fact]
    public void Each_thread_has_local_memory_of_its_own()
    {
        string body = Local + """

            cvt.u64.u32 %rd4, %t;
            st.local.u64 [depot+56], %wide;
            st.local.u64 [%rd2], %rd4;
            bar.sync 0;
            ld.u64 %rd5, [%rd3];
            ld.local.u64 %rd6, [%SPL+56];
            add.s64 %rd5, %rd5, %rd6;
            st.global.u64 [%out], %rd5;
            """;
        // In lane 7 of each eight the second write is to the same place as the first.
        Assert.Equal(Enumerable.Range(0, 96).Select(t => (ulong)(t % 8 == 7 ? 2 * t : 9 * t)),
            Kernel.Run(body, new ulong[96], 96, blocks: 1));
    }

    [Theory]
    [InlineData("ld.local.u64 %rd5, [%rd2];", FaultKind.Uninitialised, "local memory at 0x0, which thread 0 did not write")]
    [InlineData("st.local.u64 [%rd2+16], %rd1;", FaultKind.OutOfBounds, "outside the thread's local memory of 64 bytes")]
    [InlineData("st.u64 [%rd3+-8], %rd1;", FaultKind.OutOfBounds, "")]
    [InlineData("st.local.u64 [%rd2+4], %rd1;", FaultKind.Misaligned, "local address 0x4")]
    [InlineData("atom.add.u64 %rd5, [%rd3], 1;", FaultKind.Illegal, "memory of one thread")]
    public void Wrong_accesses_to_local_memory_are_faults(string access, FaultKind kind, string words)
    {
        GpuFaultException fault = Kernel.Fault(Local + "\n" + access, 8);
        Assert.Equal(kind, fault.Kind);
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_much_local_memory_is_refused()
    {
        using var device = new VirtualDevice();
        var e = Assert.Throws<PtxException>(() => device.LoadModule(Kernel.Text(".local .b8 depot[70000];")));
        Assert.Contains("more than 65536 bytes of local memory", e.Message, StringComparison.Ordinal);
    }
}
