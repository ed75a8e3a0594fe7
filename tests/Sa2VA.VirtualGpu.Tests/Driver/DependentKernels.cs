namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Kernels that may begin before the one before them has ended: y = x + n, an element of 8 bytes for each thread.</summary>
internal static class DependentKernels
{
    public const string Wait = "griddepcontrol.wait;", LetGo = "griddepcontrol.launch_dependents;";

    private const string Load = "ld.global.u64 %rd5, [%rd2];", Store = "st.global.u64 [%rd3], %rd5;";

    private static string Entry(string name, string body) =>
        $$"""
        .visible .entry {{name}}(.param .u64 x, .param .u64 y, .param .u64 n)
        .maxntid 64, 1, 1
        {
        .reg .pred %p<6>;
        .reg .b32 %r<8>;
        .reg .b64 %rd<16>;
        .shared .align 16 .b8 room[1040];
        mov.u32 %r1, %tid.x;
        mov.u32 %r2, %ctaid.x;
        mov.u32 %r3, %ntid.x;
        mad.lo.s32 %r4, %r2, %r3, %r1;
        mul.wide.u32 %rd1, %r4, 8;
        ld.param.u64 %rd7, [x];
        ld.param.u64 %rd3, [y];
        ld.param.u64 %rd4, [n];
        add.s64 %rd2, %rd7, %rd1;
        add.s64 %rd3, %rd3, %rd1;
        setp.eq.u32 %p1, %r1, 0;
        setp.lt.u32 %p2, %r1, 32;
        mov.u32 %r5, room;
        {{body}}
        ret;
        }
        """;

    private static string Add(string before, string between = "") =>
        $"{before}\n{Load}\nadd.s64 %rd5, %rd5, %rd4;\n{between}\n{Store}";

    /// <summary>One warp waits at an mbarrier for what another brings to shared memory, in bulk, behind its wait.</summary>
    private const string Bulk = """
        @%p1 mbarrier.init.shared::cta.b64 [%r5+1024], 1;
        @%p1 fence.mbarrier_init.release.cluster;
        bar.sync 0;
        @!%p1 bra READY;
        mbarrier.arrive.expect_tx.shared::cta.b64 %rd6, [%r5+1024], 512;
        griddepcontrol.wait;
        cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r5], [%rd7], 512, [%r5+1024];
        READY:
        mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r5+1024], 0;
        @!%p3 bra READY;
        shl.b32 %r6, %r1, 3;
        add.u32 %r6, %r5, %r6;
        ld.shared.u64 %rd5, [%r6];
        add.s64 %rd5, %rd5, %rd4;
        st.global.u64 [%rd3], %rd5;
        """;

    /// <summary>
    /// What each is wrong at shows in its name: reads or writes before its wait, or is right whoever waits.
    /// </summary>
    public static string Text { get; } = string.Join('\n',
        ".version 8.4\n.target sm_90\n.address_size 64",
        Entry("first", Add(LetGo)),
        Entry("waits", Add(Wait)),
        Entry("lets_go_first", Add($"{LetGo}\n{Wait}")),
        Entry("lets_go_last", Add($"{Wait}\n{LetGo}")),
        Entry("never_waits", Add("")),
        Entry("reads_first", Add("", Wait)),
        Entry("loads_other_first", $"{Load}\n{Wait}\nadd.s64 %rd5, %rd5, %rd4;\n{Store}"),
        Entry("writes_first", $"st.global.u64 [%rd3], %rd4;\n{Wait}\n{Load}"),
        Entry("one_waits", Add($"@%p1 {Wait}\nbar.sync 0;")),
        Entry("one_warp_waits", Add($"@%p2 {Wait}")),
        Entry("bulk", Bulk),
        Entry("bulk_first", Bulk.Replace(Wait, "", StringComparison.Ordinal)));
}
