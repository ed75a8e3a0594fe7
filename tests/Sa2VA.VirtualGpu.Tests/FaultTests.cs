namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Each check finds its fault, planted in a kernel that is right, and tells where; the kernel without the fault is silent.
/// </summary>
public sealed class FaultTests
{
    private const string WriteThenReadNeighbour = """
        mov.u32 %r1, smem;
        shl.b32 %r2, %t, 2;
        add.u32 %r3, %r1, %r2;
        st.shared.u32 [%r3], %t;
        BARRIER
        xor.b32 %r4, %r2, 128;
        add.u32 %r5, %r1, %r4;
        ld.shared.u32 %r6, [%r5];
        cvt.u64.u32 %rd1, %r6;
        st.global.u64 [%out], %rd1;
        """;

    private static string WithBarrier(string body) => body.Replace("BARRIER", "bar.sync 0;", StringComparison.Ordinal);

    private static string WithoutBarrier(string body) => body.Replace("BARRIER", "", StringComparison.Ordinal);

    private static int LineOf(string body, string instruction) =>
        Kernel.Text(body).Split('\n').ToList().FindIndex(l => l.Trim() == instruction) + 1;

    private static void Names(GpuFaultException fault, string body, FaultKind kind, string at, params string[] words)
    {
        Assert.Equal(kind, fault.Kind);
        Assert.Equal("k", fault.Kernel);
        Assert.Equal(LineOf(body, at), fault.Line);
        Assert.Contains($"k, PTX line {fault.Line}", fault.Message, StringComparison.Ordinal);
        foreach (string word in words) Assert.Contains(word, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_barrier_that_is_missing_is_a_race_between_two_lines()
    {
        string right = WithBarrier(WriteThenReadNeighbour);
        Assert.Equal(Enumerable.Range(0, 64).Select(t => (ulong)t ^ 32), Kernel.Run(right, new ulong[64], 64));
        string wrong = WithoutBarrier(WriteThenReadNeighbour);
        const string Read = "ld.shared.u32 %r6, [%r5];", Write = "st.shared.u32 [%r3], %t;";
        var kinds = new HashSet<FaultKind>();
        for (int seed = 0; seed < 8; seed++)
        {
            GpuFaultException fault = Kernel.Fault(wrong, 64, new() { Seed = seed });
            kinds.Add(fault.Kind);
            // The warp that comes first reads what nobody wrote; one that comes later finds what the other wrote, unordered.
            if (fault.Kind == FaultKind.Race)
                Names(fault, wrong, FaultKind.Race, Read, "reads what warp", $"line {LineOf(wrong, Write)} ({Write[..^1]})");
            else
                Names(fault, wrong, FaultKind.Uninitialised, Read, "which nothing wrote");
        }
        Assert.NotEmpty(kinds);
    }

    [Fact]
    public void An_overwrite_of_what_others_may_still_read_is_a_race()
    {
        const string Body = """
            mov.u32 %r1, smem;
            shl.b32 %r2, %t, 2;
            add.u32 %r3, %r1, %r2;
            st.shared.u32 [%r3], %t;
            bar.sync 0;
            ld.shared.u32 %r6, [%r1];
            BARRIER
            st.shared.u32 [%r3], %r6;
            cvt.u64.u32 %rd1, %r6;
            st.global.u64 [%out], %rd1;
            """;
        string right = WithBarrier(Body), wrong = WithoutBarrier(Body);
        Assert.Equal(new ulong[64], Kernel.Run(right, new ulong[64], 64));
        for (int seed = 0; seed < 4; seed++)
        {
            GpuFaultException fault = Kernel.Fault(wrong, 64, new() { Seed = seed });
            Assert.Equal(FaultKind.Race, fault.Kind);
            string read = $"line {LineOf(wrong, "ld.shared.u32 %r6, [%r1];")}";
            string write = $"line {LineOf(wrong, "st.shared.u32 [%r3], %r6;")}";
            Assert.Contains(read, fault.Message, StringComparison.Ordinal);
            Assert.Contains(write, fault.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Halves of one word by two warps are apart; atomics on one word are no race.</summary>
    [Fact]
    public void Neighbouring_halves_and_atomics_do_not_race()
    {
        const string Halves = """
            mov.u32 %r1, smem;
            shr.u32 %r2, %t, 5;
            shl.b32 %r2, %r2, 1;
            and.b32 %r3, %t, 31;
            shl.b32 %r3, %r3, 2;
            add.u32 %r4, %r1, %r2;
            add.u32 %r4, %r4, %r3;
            cvt.u16.u32 %h1, %t;
            st.shared.u16 [%r4], %h1;
            bar.sync 0;
            ld.shared.u16 %h2, [%r4];
            cvt.u64.u16 %rd1, %h2;
            st.global.u64 [%out], %rd1;
            """;
        Assert.Equal(Enumerable.Range(0, 64).Select(t => (ulong)t), Kernel.Run(Halves, new ulong[64], 64));
        const string Sum = """
            setp.eq.u32 %p1, %t, 0;
            mov.u32 %r1, 0;
            @%p1 st.shared.u32 [smem], %r1;
            bar.sync 0;
            red.shared.add.u32 [smem], %t;
            BARRIER
            ld.shared.u32 %r2, [smem];
            cvt.u64.u32 %rd1, %r2;
            st.global.u64 [%out], %rd1;
            """;
        Assert.All(Kernel.Run(WithBarrier(Sum), new ulong[64], 64), v => Assert.Equal(2016ul, v));
        Assert.Equal(FaultKind.Race, Kernel.Fault(WithoutBarrier(Sum), 64).Kind);
    }

    [Fact]
    public void Named_barriers_order_only_those_who_come()
    {
        const string Body = """
            mov.u32 %r1, smem;
            shl.b32 %r2, %t, 2;
            add.u32 %r3, %r1, %r2;
            setp.lt.u32 %p1, %t, 64;
            @!%p1 bra DONE;
            st.shared.u32 [%r3], %t;
            bar.sync 3, 64;
            xor.b32 %r4, %r2, 128;
            add.u32 %r5, %r1, %r4;
            ld.shared.u32 %r6, [%r5];
            cvt.u64.u32 %rd1, %r6;
            st.global.u64 [%out], %rd1;
            DONE:
            """;
        Assert.Equal(33ul, Kernel.Run(Body, new ulong[96], 96)[1]);
        string wrong = Body.Replace("DONE:", "DONE:\n@%p1 bra END;\nld.shared.u32 %r7, [smem];\nEND:", StringComparison.Ordinal);
        Assert.Contains(Kernel.Fault(wrong, 96).Kind, new[] { FaultKind.Race, FaultKind.Uninitialised });
    }

    [Theory]
    [InlineData("st.global.u64 [%out], %wide;", "st.global.u64 [%out+8], %wide;", FaultKind.OutOfBounds, "0 bytes past the end of out")]
    [InlineData("ld.global.u64 %rd1, [%in];", "ld.global.u64 %rd1, [%in+-8];", FaultKind.OutOfBounds, "8 bytes before in")]
    [InlineData("ld.global.u64 %rd1, [%in];", "ld.global.u64 %rd1, [%in+4];", FaultKind.Misaligned, "is misaligned")]
    [InlineData("mov.u32 %r1, 0;", "ld.shared.u32 %r1, [smem+4096];", FaultKind.OutOfBounds, "the block's shared memory of 4096 bytes")]
    [InlineData("mov.u32 %r1, 0;", "ld.shared.u32 %r1, [smem+16];", FaultKind.Uninitialised, "shared memory at 0x10, which nothing wrote")]
    [InlineData("mov.u32 %r1, 0;", "trap;", FaultKind.Illegal, "the kernel ended itself")]
    public void A_wrong_access_is_named(string right, string wrong, FaultKind kind, string words)
    {
        Kernel.Run(right, new ulong[64], 64);
        Names(Kernel.Fault(wrong, 64), wrong, kind, wrong, words);
    }

    [Fact]
    public void Memory_that_nothing_wrote_and_memory_that_was_freed_are_named()
    {
        using var device = new VirtualDevice();
        VirtualKernel kernel = device.LoadModule(Kernel.Text("ld.global.u64 %rd1, [%in];\nst.global.u64 [%out], %rd1;"))["k"];
        ulong input = device.Allocate(256, "weights"), output = device.Allocate(256, "result");
        device.Write<ulong>(input, new ulong[31]);
        device.Launch(kernel, new(1), new(31), 0, [input, output]);
        var fault = Assert.Throws<GpuFaultException>(() => device.Launch(kernel, new(1), new(32), 0, [input, output]));
        Assert.Equal(FaultKind.Uninitialised, fault.Kind);
        Assert.Contains("byte 248 of weights", fault.Message, StringComparison.Ordinal);
        device.Free(input);
        fault = Assert.Throws<GpuFaultException>(() => device.Launch(kernel, new(1), new(31), 0, [input, output]));
        Assert.Equal(FaultKind.OutOfBounds, fault.Kind);
        Assert.Contains("inside weights, which was freed", fault.Message, StringComparison.Ordinal);
    }

    private const string Copy = """
        mov.u32 %r1, smem;
        shl.b32 %r2, %t, 3;
        add.u32 %r3, %r1, %r2;
        cp.async.ca.shared.global [%r3], [%in], 8;
        cp.async.commit_group;
        WAIT
        ld.shared.u64 %rd1, [%r3];
        st.global.u64 [%out], %rd1;
        """;

    [Theory]
    [InlineData("cp.async.wait_group 0;", null)]
    [InlineData("cp.async.wait_all;", null)]
    [InlineData("", "reads what warp")]
    [InlineData("cp.async.wait_group 1;", "reads what warp")]
    [InlineData("cp.async.wait_group 0;\nxor.b32 %r3, %r3, 256;", "race")]
    [InlineData("cp.async.wait_group 0;\nbar.sync 0;\nxor.b32 %r3, %r3, 256;", null)]
    [InlineData("bar.sync 0;\ncp.async.wait_group 0;\nxor.b32 %r3, %r3, 256;", "warp")]
    [InlineData("st.shared.u64 [%r3], %wide;\ncp.async.wait_group 0;", "overwrites what warp")]
    [InlineData("cp.async.ca.shared.global [%r3+0], [%in], 8;\ncp.async.wait_all;", "overwrites what warp")]
    public void A_copy_must_be_waited_for(string wait, string? fault)
    {
        string body = Copy.Replace("WAIT", wait, StringComparison.Ordinal);
        ulong[] input = [.. Enumerable.Range(0, 64).Select(t => (ulong)t * 3 + 1)];
        for (int seed = 0; seed < 6; seed++)
        {
            var options = new VirtualDeviceOptions { Seed = seed };
            if (fault is null)
            {
                bool neighbour = body.Contains("xor", StringComparison.Ordinal);
                Assert.Equal(input.Select((_, t) => input[neighbour ? t ^ 32 : t]), Kernel.Run(body, input, 64, options));
                continue;
            }
            var e = Assert.Throws<GpuFaultException>(() => Kernel.Run(body, input, 64, options));
            Assert.Contains(e.Kind, new[] { FaultKind.CopyInFlight, FaultKind.Race, FaultKind.Uninitialised });
            if (fault.Contains("what", StringComparison.Ordinal))
                Names(e, body, FaultKind.CopyInFlight, e.Message.Contains("overwrites", StringComparison.Ordinal)
                    ? wait.Split('\n')[0] : "ld.shared.u64 %rd1, [%r3];", fault, "cp.async.ca.shared.global");
        }
    }

    [Fact]
    public void Lanes_have_copy_groups_of_their_own()
    {
        // Half of the lanes copy and commit twice as often as the others, which is allowed.
        const string Body = """
            mov.u32 %r1, smem;
            shl.b32 %r2, %t, 3;
            add.u32 %r3, %r1, %r2;
            setp.lt.u32 %p1, %t, 16;
            cp.async.ca.shared.global [%r3], [%in], 8;
            cp.async.commit_group;
            @!%p1 bra WAIT;
            cp.async.ca.shared.global [%r3+1024], [%in], 8;
            cp.async.commit_group;
            cp.async.wait_group 1;
            bra READ;
            WAIT:
            cp.async.wait_group 0;
            READ:
            ld.shared.u64 %rd1, [%r3];
            st.global.u64 [%out], %rd1;
            cp.async.wait_all;
            """;
        ulong[] input = [.. Enumerable.Range(0, 32).Select(t => (ulong)t + 9)];
        Assert.Equal(input, Kernel.Run(Body, input, 32));
        string wrong = Body.Replace("wait_group 1;", "wait_group 2;", StringComparison.Ordinal);
        Assert.Equal(FaultKind.CopyInFlight, Kernel.Fault(wrong, 32).Kind);
    }

    [Theory]
    [InlineData("bar.sync 0;")]
    [InlineData("shfl.sync.bfly.b32 %r1, %t, 1, 31, -1;")]
    [InlineData("vote.sync.ballot.b32 %r1, %p1, -1;")]
    [InlineData("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [smem];")]
    public void A_collective_in_half_a_warp_is_divergent(string collective)
    {
        string body = $"setp.lt.u32 %p1, %t, 16;\n@!%p1 bra L;\n{collective}\nL:\nbar.warp.sync -1;";
        Names(Kernel.Fault(body, 64), body, FaultKind.DivergentCollective, "bar.warp.sync -1;", "divergent collective: lanes 0000ffff",
            $"lanes 0000ffff are at line {LineOf(body, collective)}");
        string guarded = $"setp.lt.u32 %p1, %t, 16;\n@%p1 {collective}";
        Names(Kernel.Fault(guarded, 64), guarded, FaultKind.DivergentCollective, "@%p1 " + collective, "lanes ffff0000");
        // Whole warps may differ, and lanes that come by different ways meet.
        if (!collective.StartsWith("shfl", StringComparison.Ordinal)) return;
        Kernel.Run($"setp.lt.u32 %p1, %t, 32;\n@!%p1 bra L;\n{collective}\nL:", new ulong[64], 64);
        string joined = $"setp.lt.u32 %p1, %t, 16;\n@%p1 bra L;\nmov.u32 %r2, 1;\nbra M;\nL: mov.u32 %r2, 2;\nM: {collective}";
        Kernel.Run(joined, new ulong[64], 64);
    }

    [Fact]
    public void Warps_that_wait_for_what_never_comes_are_a_deadlock()
    {
        const string Body = """
            setp.lt.u32 %p1, %t, 32;
            @!%p1 bra OTHER;
            bar.sync 1, 64;
            bra END;
            OTHER:
            bar.sync 2, 64;
            END:
            """;
        Names(Kernel.Fault(Body, 64), Body, FaultKind.Deadlock, "bar.sync 1, 64;",
            "warp 0 waits at line", "warp 1 waits at line", "barrier 2");
        string right = Body.Replace("bar.sync 2", "bar.sync 1", StringComparison.Ordinal);
        Kernel.Run(right, new ulong[64], 64);
        // A barrier of all no longer waits for those who have ended.
        Kernel.Run("setp.lt.u32 %p1, %t, 32;\n@%p1 ret;\nbar.sync 0;", new ulong[64], 64);
    }

    [Fact]
    public void A_kernel_that_hangs_is_ended()
    {
        const string Body = "L:\nbra L;";
        Names(Kernel.Fault(Body, 32, new() { StepLimit = 10_000 }), Body, FaultKind.StepLimit, "bra L;", "10000 steps");
        using var device = new VirtualDevice();
        VirtualKernel kernel = device.LoadModule(Kernel.Text(Body))["k"];
        using var cancel = new CancellationTokenSource(50);
        Assert.Throws<OperationCanceledException>(() =>
            { device.Launch(kernel, new(4), new(64), 0, [1ul, 1ul], cancellation: cancel.Token); });
    }

    [Fact]
    public void Constants_cannot_be_written()
    {
        using var device = new VirtualDevice();
        VirtualModule module = device.LoadModule(".const .align 8 .u64 c = 1;\n" + Kernel.Text("st.global.u64 [%out], %wide;"));
        KernelArgument[] arguments = [0ul, module.AddressOf("c")];
        var fault = Assert.Throws<GpuFaultException>(() => { device.Launch(module["k"], new(1), new(1), 0, arguments); });
        Assert.Equal(FaultKind.Illegal, fault.Kind);
    }

    [Theory]
    [InlineData("gemm_sm80", "cp.async.wait_group 1;", FaultKind.CopyInFlight)]
    [InlineData("gemm_sm80", "bar.sync \t0;", FaultKind.CopyInFlight, FaultKind.Race, FaultKind.Uninitialised)]
    [InlineData("flash_attention", "cp.async.wait_group 1;", FaultKind.CopyInFlight)]
    [InlineData("flash_attention", "bar.sync \t0;", FaultKind.CopyInFlight, FaultKind.Race, FaultKind.Uninitialised)]
    [InlineData("argmax", "bar.sync \t0;", FaultKind.Race, FaultKind.Uninitialised)]
    public void A_trial_kernel_without_a_barrier_or_a_wait_is_found_out(string name, string removed, params FaultKind[] kinds)
    {
        int occurrences = PtxFiles.Text(name).Split(removed).Length - 1;
        for (int n = 0; n < occurrences; n++)
        {
            string wrong = PtxFiles.Edited(name, removed, "", n);
            for (int seed = 1; seed <= 3; seed++)
            {
                using var device = new VirtualDevice(new() { Seed = seed });
                var fault = Assert.Throws<GpuFaultException>(() => Launch(device, name, wrong));
                Assert.Contains(fault.Kind, kinds);
                Assert.True(fault.Line > 0);
            }
        }
    }

    [Fact]
    public void A_tile_read_past_the_end_is_found_out()
    {
        // m < M becomes m <= M in the first copy's predicate.
        string wrong = PtxFiles.Edited("gemm_sm80", "setp.lt.s32 \t%p2, %r88, %r70;", "setp.le.s32 \t%p2, %r88, %r70;");
        using var device = new VirtualDevice();
        ushort[] a = PtxFiles.RandomBFloat16(1, 160 * 64), b = PtxFiles.RandomBFloat16(2, 128 * 64);
        var fault = Assert.Throws<GpuFaultException>(
            () => TrialKernels.Gemm(device, wrong, a, b, new float[128], 160, 128, 64, gelu: false, out _));
        Assert.Equal(FaultKind.OutOfBounds, fault.Kind);
        Assert.Contains("past the end of A", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_swizzle_is_found_out()
    {
        const int M = 200, N = 152, K = 256, Copies = 6;
        ushort[] a = PtxFiles.RandomBFloat16(1, M * K), b = PtxFiles.RandomBFloat16(2, N * K);
        float[] bias = new float[N];
        int turns = PtxFiles.Text("gemm_sm80").Split("xor.b32").Length - 1;
        Assert.Equal(10, turns);
        for (int n = 0; n < turns; n++)
        {
            string wrong = PtxFiles.Edited("gemm_sm80", "xor.b32", "or.b32", n);
            using var device = new VirtualDevice();
            Exception? error = Record.Exception(() => TrialKernels.CheckProduct(a, b, bias, M, N, K, false,
                TrialKernels.Gemm(device, wrong, a, b, bias, M, N, K, gelu: false, out _)));
            // A copy that goes where another goes leaves a place empty; a read from where another should be shows in the product alone.
            if (n >= Copies) Assert.NotNull(error);
            else
            {
                var fault = Assert.IsType<GpuFaultException>(error);
                Assert.Contains(fault.Kind, (FaultKind[])[FaultKind.Uninitialised, FaultKind.Race, FaultKind.CopyInFlight]);
                Assert.Equal("gemm_bf16_sm80", fault.Kernel);
                Assert.True(fault.Line > 0);
            }
        }
    }

    private static void Launch(VirtualDevice device, string name, string ptx)
    {
        switch (name)
        {
            case "gemm_sm80":
                TrialKernels.Gemm(device, ptx, PtxFiles.RandomBFloat16(1, 200 * 256), PtxFiles.RandomBFloat16(2, 152 * 256), new float[152],
                    200, 152, 256, gelu: false, out _);
                break;
            case "flash_attention":
                ushort[] keys = PtxFiles.RandomBFloat16(2, 256 * 64);
                TrialKernels.Attention(device, ptx, PtxFiles.RandomBFloat16(1, 128 * 64), keys, keys, 1, 128, 256, causal: false);
                break;
            default:
                TrialKernels.ArgMax(device, ptx, [.. Enumerable.Range(1, 1000)]);
                break;
        }
    }
}
