namespace Sa2VA.VirtualGpu.Tests;

/// <summary>What lanes do together, and how memory is read and written.</summary>
public sealed class WarpTests
{
    private static int[] Lanes(string body, int threads = 32) =>
        [.. Kernel.Run(body + "\ncvt.s64.s32 %rd9, %r9;\nst.global.u64 [%out], %rd9;", new ulong[threads], threads).Select(v => (int)v)];

    private static IEnumerable<int> Expected(Func<int, int> f) => Enumerable.Range(0, 32).Select(f);

    [Theory]
    [InlineData("bfly", 5, 31)]
    [InlineData("up", 3, 0)]
    [InlineData("down", 3, 31)]
    [InlineData("idx", 9, 31)]
    [InlineData("bfly", 12, 0x181f)]
    [InlineData("up", 3, 0x1800)]
    [InlineData("down", 3, 0x181f)]
    [InlineData("idx", 5, 0x181f)]
    public void A_shuffle_takes_from_the_lane_that_the_manual_says(string direction, int amount, int control)
    {
        int width = (control & 0x1800) != 0 ? 8 : 32;
        int[] lanes = Lanes($"shfl.sync.{direction}.b32 %r9|%p1, %t, {amount}, {control}, -1;\n@!%p1 add.s32 %r9, %r9, 1000;");
        Assert.Equal(Expected(lane =>
        {
            int begin = lane / width * width, end = begin + width - 1;
            int from = direction switch
            {
                "up" => lane - amount,
                "down" => lane + amount,
                "bfly" => lane ^ amount,
                _ => begin + amount % width,
            };
            bool inRange = direction == "up" ? from >= begin : from <= end;
            return inRange ? from : lane + 1000;
        }), lanes);
    }

    [Fact]
    public void Votes_and_reductions()
    {
        const string Odd = "and.b32 %r1, %t, 1;\nsetp.eq.u32 %p1, %r1, 1;\n";
        Assert.All(Lanes(Odd + "vote.sync.ballot.b32 %r9, %p1, -1;"), v => Assert.Equal(unchecked((int)0xaaaaaaaa), v));
        Assert.All(Lanes(Odd + "vote.sync.any.pred %p2, %p1, -1;\nselp.b32 %r9, 1, 0, %p2;"), v => Assert.Equal(1, v));
        Assert.All(Lanes(Odd + "vote.sync.all.pred %p2, %p1, -1;\nselp.b32 %r9, 1, 0, %p2;"), v => Assert.Equal(0, v));
        Assert.All(Lanes(Odd + "vote.sync.uni.pred %p2, !%p1, -1;\nselp.b32 %r9, 1, 0, %p2;"), v => Assert.Equal(0, v));
        Assert.All(Lanes("redux.sync.add.s32 %r9, %t, -1;"), v => Assert.Equal(496, v));
        Assert.All(Lanes("sub.s32 %r1, %t, 5;\nredux.sync.min.s32 %r9, %r1, -1;"), v => Assert.Equal(-5, v));
        Assert.All(Lanes("sub.s32 %r1, %t, 5;\nredux.sync.max.u32 %r9, %r1, -1;"), v => Assert.Equal(-1, v));
        Assert.All(Lanes("redux.sync.xor.b32 %r9, %t, -1;"), v => Assert.Equal(0, v));
    }

    [Fact]
    public void Members_of_a_shuffle_may_be_half_a_warp()
    {
        const string Body = """
            mov.u32 %r9, -1;
            setp.ge.u32 %p1, %t, 16;
            @%p1 bra L;
            shfl.sync.idx.b32 %r9, %t, 3, 31, 65535;
            bra M;
            L:
            shfl.sync.idx.b32 %r9, %t, 20, 31, 0xffff0000;
            M:
            """;
        Assert.Equal(Expected(lane => lane < 16 ? 3 : 20), Lanes(Body));
        Assert.Equal(FaultKind.DivergentCollective, Kernel.Fault("shfl.sync.idx.b32 %r9, %t, 3, 31, 65535;", 32).Kind);
    }

    [Fact]
    public void A_register_that_a_guarded_write_may_leave_keeps_its_row_around_a_loop()
    {
        const string Body = """
            mov.u32 %r1, 5; mov.u32 %r2, 0; mov.u32 %r9, 0;
            L:
            setp.eq.u32 %p1, %r2, 100;
            @%p1 mov.u32 %r1, 7;
            add.u32 %r9, %r9, %r1;
            add.u32 %r3, %r2, 77;
            xor.b32 %r9, %r9, %r3;
            xor.b32 %r9, %r9, %r3;
            add.u32 %r2, %r2, 1;
            setp.lt.u32 %p2, %r2, 3;
            @%p2 bra L;
            """;
        Assert.All(Lanes(Body), v => Assert.Equal(15, v));
    }

    [Fact]
    public void Lanes_at_a_barrier_go_on_when_the_others_have_ended()
    {
        const string Body = """
            mov.u32 %r9, 8;
            setp.lt.u32 %p1, %t, 16;
            @!%p1 bra L;
            bar.sync 0;
            cvt.u64.u32 %rd1, %r9;
            st.global.u64 [%out], %rd1;
            L:
            """;
        Assert.Equal(Expected(lane => lane < 16 ? 8 : 0), Kernel.Run(Body, new ulong[32], 32).Select(v => (int)v));
    }

    [Fact]
    public void Special_registers_tell_the_place_in_three_dimensions()
    {
        string text = Kernel.Text("""
            mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z;
            mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ctaid.y; mov.u32 %r6, %ctaid.z;
            mov.u32 %r11, %ntid.x; mov.u32 %r12, %ntid.y; mov.u32 %r13, %ntid.z;
            mov.u32 %r14, %nctaid.x; mov.u32 %r15, %nctaid.y;
            mad.lo.u32 %r21, %r6, %r15, %r5; mad.lo.u32 %r21, %r21, %r14, %r4;
            mad.lo.u32 %r21, %r21, %r13, %r3; mad.lo.u32 %r21, %r21, %r12, %r2; mad.lo.u32 %r21, %r21, %r11, %r1;
            ld.param.u64 %out, [out];
            mul.wide.u32 %rd1, %r21, 8;
            add.u64 %rd2, %out, %rd1;
            cvt.u64.u32 %rd3, %r21;
            st.global.u64 [%rd2], %rd3;
            """);
        using var device = new VirtualDevice(new() { Workers = 2 });
        ulong output = device.Allocate(8 * 2 * 3 * 2 * 3 * 5 * 4, "out");
        device.Launch(device.LoadModule(text)["k"], new(2, 3, 2), new(3, 5, 4), 0, [0ul, output]);
        var values = new ulong[720];
        device.Read<ulong>(output, values);
        Assert.Equal(Enumerable.Range(0, 720).Select(n => (ulong)n), values);
    }

    [Theory]
    [InlineData("u8", 0xf1)]
    [InlineData("s8", -15)]
    [InlineData("u16", 0xe2f1)]
    [InlineData("s16", -7439)]
    [InlineData("b32", unchecked((int)0xc4d3e2f1))]
    public void Narrow_loads_are_extended_to_their_registers(string type, int expected)
    {
        const ulong Input = 0x88776655c4d3e2f1;
        string body = $"ld.global.{type} %r9, [%in];\ncvt.s64.s32 %rd9, %r9;\nst.global.u64 [%out], %rd9;";
        Assert.Equal(expected, (int)Kernel.Run(body, [Input], 1)[0]);
    }

    [Theory]
    [InlineData("s32", true, true)]
    [InlineData("u32", true, true)]
    [InlineData("s32", true, false)]
    [InlineData("s32", false, false)]
    public void A_load_into_wide_registers_is_extended_lane_by_lane(string type, bool sideBySide, bool all)
    {
        // Elements 2n + 1 of 4 bytes, or of lane 0 alone; lanes that are off keep what they had.
        string body = $"""
            mov.b64 %rd9, 77;
            mul.wide.u32 %rd8, %t, {(sideBySide ? 0 : 8)};
            sub.s64 %rd8, %in, %rd8;
            and.b32 %r1, %t, 1;
            setp.{(all ? "ge" : "eq")}.u32 %p1, %r1, 0;
            @%p1 ld.global.{type} %rd9, [%rd8+4];
            st.global.b64 [%out], %rd9;
            """;
        ulong[] input = [.. Enumerable.Range(0, 32).Select(n => (ulong)(uint)(n - 5) << 32)];
        ulong[] expected = [.. Enumerable.Range(0, 32).Select(n => !all && n % 2 == 1 ? 77
            : (sideBySide ? n : 0) - 5 is int x && type == "s32" ? (ulong)x : (uint)((sideBySide ? n : 0) - 5))];
        foreach (bool counts in (bool[])[true, false])
            Assert.Equal(expected, Kernel.Run(body, input, 32, new() { CountMemory = counts }));
    }

    [Fact]
    public void Vectors_move_whole_between_memories()
    {
        const string Body = """
            shl.b32 %r1, %t, 3;
            mov.u32 %r2, smem;
            add.u32 %r2, %r2, %r1;
            ld.global.nc.v2.u32 {%r3, %r4}, [%in];
            st.shared.v2.b32 [%r2], {%r4, %r3};
            cvt.u64.u32 %rd1, %r2;
            cvta.shared.u64 %rd2, %rd1;
            ld.v4.u16 {%h1, %h2, %h3, %h4}, [%rd2];
            mov.b64 %rd3, {%h1, %h2, %h3, %h4};
            cvta.to.shared.u64 %rd4, %rd2;
            st.shared.u8 [%rd4+7], 171;
            ld.volatile.shared.u64 %rd5, [%rd4];
            mov.b64 {_, %r5}, %rd5;
            and.b32 %r6, %r5, 0xff000000;
            cvt.u64.u32 %rd6, %r6;
            xor.b64 %rd7, %rd3, %rd6;
            st.global.v2.u32 [%out], {%r7, %r8};
            """;
        string body = Body.Replace("st.global.v2.u32", "mov.b64 {%r7, %r8}, %rd7;\nst.global.v2.u32", StringComparison.Ordinal);
        Assert.Equal([0x55667788_11223344ul ^ 0xab000000], Kernel.Run(body, [0x11223344_55667788], 1));
    }

    [Fact]
    public void Hints_to_caches_change_nothing()
    {
        const string Body = """
            createpolicy.fractional.L2::evict_first.b64 %rd1, 0f3F800000;
            prefetch.global.L2 [%in];
            ld.global.nc.L1::no_allocate.L2::cache_hint.u64 %rd2, [%in], %rd1;
            mov.u32 %r1, smem;
            cp.async.ca.shared.global.L2::cache_hint [%r1], [%in], 8, %rd1;
            cp.async.ca.shared.global.L2::cache_hint [%r1+8], [%in], 8, 4, %rd1;
            cp.async.wait_all;
            ld.shared.v2.u64 {%rd3, %rd4}, [%r1];
            xor.b64 %rd2, %rd2, %rd3;
            or.b64 %rd2, %rd2, %rd4;
            st.global.L2::cache_hint.u64 [%out], %rd2, %rd1;
            """;
        Assert.Equal([0x55443322ul], Kernel.Run(Body, [0x77665544_55443322], 1));
        Assert.Contains("operands", Assert.Throws<PtxException>(
            () => Kernel.Run(Body.Replace(", 8, 4, %rd1", ", 8, 4, %rd1, %rd1", StringComparison.Ordinal), [0], 1)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("atom.shared.add.u32 %r9, [smem], 3;", 10, 13)]
    [InlineData("atom.shared.min.s32 %r9, [smem], -3;", 10, -3)]
    [InlineData("atom.shared.max.u32 %r9, [smem], -3;", 10, -3)]
    [InlineData("atom.shared.exch.b32 %r9, [smem], 5;", 10, 5)]
    [InlineData("atom.shared.cas.b32 %r9, [smem], 10, 77;", 10, 77)]
    [InlineData("atom.shared.cas.b32 %r9, [smem], 11, 77;", 10, 10)]
    [InlineData("atom.shared.inc.u32 %r9, [smem], 10;", 10, 0)]
    [InlineData("atom.shared.dec.u32 %r9, [smem], 9;", 10, 9)]
    [InlineData("atom.shared.and.b32 %r9, [smem], 6;", 10, 2)]
    [InlineData("atom.shared.xor.b32 %r9, [smem], 6;", 10, 12)]
    public void An_atomic_returns_the_old_value_and_leaves_the_new(string atomic, int old, int left)
    {
        int[] lanes = Lanes($"""
            mov.u32 %r1, {old};
            st.shared.u32 [smem], %r1;
            {atomic}
            ld.shared.u32 %r2, [smem];
            shl.b32 %r2, %r2, 8;
            add.s32 %r9, %r9, %r2;
            """, 1);
        Assert.Equal(old + (left << 8), lanes[0]);
    }

    [Fact]
    public void Blocks_on_many_threads_lose_no_atomic()
    {
        using var device = new VirtualDevice(new() { Workers = 4, Checks = false });
        ulong sum = device.Upload<ulong>(new ulong[1], "sum");
        string text = Kernel.Text("ld.param.u64 %out, [out];\nred.global.add.u64 [%out], 1;\natom.global.max.u32 %r1, [%out+4], 0;");
        device.Launch(device.LoadModule(text)["k"], new(500), new(96), 0, [0ul, sum]);
        var value = new ulong[1];
        device.Read<ulong>(sum, value);
        Assert.Equal(48_000ul, value[0]);
    }

    [Theory]
    [InlineData("bf16", false)]
    [InlineData("f16", false)]
    [InlineData("bf16", true)]
    [InlineData("f16", true)]
    public void A_product_of_fragments_is_the_product_of_matrices(string type, bool exact)
    {
        // Small whole numbers: every sum is exact, so every way to add gives the same bits.
        var random = new Random(3);
        int[] a = [.. Enumerable.Range(0, 256).Select(_ => random.Next(-9, 10))];
        int[] b = [.. Enumerable.Range(0, 128).Select(_ => random.Next(-9, 10))];
        ushort[] Narrow(int[] v) => [.. v.Select(x => type == "bf16" ? PtxFiles.ToBFloat16(x) : BitConverter.HalfToUInt16Bits((Half)x))];
        string text = Kernel.Text($$"""
            ld.param.u64 %in, [in];
            ld.param.u64 %out, [out];
            mov.u32 %r20, smem;
            shl.b32 %r21, %t, 4;
            cvt.u64.u32 %rd1, %r21;
            add.u64 %rd2, %in, %rd1;
            add.u32 %r22, %r20, %r21;
            ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd2];
            st.shared.v4.u32 [%r22], {%r1, %r2, %r3, %r4};
            ld.global.v2.u64 {%rd5, %rd6}, [%rd2+512];
            setp.lt.u32 %p1, %t, 16;
            @%p1 st.shared.v2.u64 [%r22+512], {%rd5, %rd6};
            bar.sync 0;
            and.b32 %r23, %t, 15;
            shl.b32 %r23, %r23, 5;
            and.b32 %r24, %t, 16;
            add.u32 %r25, %r20, %r23;
            add.u32 %r25, %r25, %r24;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5, %r6, %r7, %r8}, [%r25];
            and.b32 %r26, %t, 15;
            shl.b32 %r26, %r26, 4;
            add.u32 %r26, %r26, %r20;
            ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r9, %r10}, [%r26+512];
            mov.f32 %f0, 0f3F800000;
            mma.sync.aligned.m16n8k16.row.col.f32.{{type}}.{{type}}.f32
                {%f1, %f2, %f3, %f4}, {%r5, %r6, %r7, %r8}, {%r9, %r10}, {%f0, %f0, %f0, %f0};
            shl.b32 %r27, %t, 3;
            cvt.u64.u32 %rd7, %r27;
            add.u64 %rd8, %out, %rd7;
            st.global.v2.f32 [%rd8], {%f1, %f2};
            st.global.v2.f32 [%rd8+256], {%f3, %f4};
            """);
        using var device = new VirtualDevice(new() { ExactProducts = exact });
        // A lies by rows of 16, B by rows of 8: row k, column n.
        ulong input = device.Upload<ushort>([.. Narrow(a), .. Narrow(b), .. new ushort[128]], "in"), output = device.Allocate(512, "out");
        device.Launch(device.LoadModule(text)["k"], new(1), new(32), 0, [input, output]);
        var d = new float[128];
        device.Read<float>(output, d);
        for (int m = 0; m < 16; m++)
            for (int n = 0; n < 8; n++)
                Assert.Equal(1 + Enumerable.Range(0, 16).Sum(k => a[m * 16 + k] * b[k * 8 + n]), d[m * 8 + n]);
    }

    [Fact]
    public void A_launch_that_does_not_fit_is_refused()
    {
        using var device = new VirtualDevice();
        using var other = new VirtualDevice();
        VirtualKernel kernel = device.LoadModule(".entry k(.param .u32 n, .param .align 8 .b8 s[24]) .maxntid 64, 1, 1 { ret; }")["k"];
        KernelArgument structure = new(new byte[24]);
        device.Launch(kernel, new(1), new(64), 0, [5, structure]);
        Refused(new(65), "at most 64", 5, structure);
        Refused(new(1), "2 parameters", 5);
        Refused(new(1), "Parameter n has 4 bytes, 8", 5ul, structure);
        Assert.Throws<ArgumentException>(() => { device.Launch(kernel, new(0), new(1), 0, [5, structure]); });
        Assert.Throws<ArgumentException>(() => { device.Launch(kernel, new(1), new(1), 300_000, [5, structure]); });
        Assert.Throws<ArgumentException>(() => { other.Launch(kernel, new(1), new(1), 0, [5, structure]); });
        Assert.Throws<ArgumentOutOfRangeException>(() => device.Allocate(-1, "x"));
        Assert.Throws<ArgumentException>(() => device.Free(12345));
        Assert.Throws<ArgumentException>(() => device.Write<int>(device.Allocate(4, "x"), new int[2]));

        void Refused(Dim3 block, string words, params KernelArgument[] arguments)
        {
            var e = Assert.Throws<ArgumentException>(() => { device.Launch(kernel, new(1), block, 0, arguments); });
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
        }
    }
}
