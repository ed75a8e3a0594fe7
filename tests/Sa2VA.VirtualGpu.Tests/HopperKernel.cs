namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Small kernels for Hopper: a warpgroup, shared memory from a given image, or from a tensor.</summary>
internal static class HopperKernel
{
    public static readonly VirtualDeviceOptions Options = new() { Capability = 90, StepLimit = 100_000 };

    /// <summary>A module of one kernel k with that body.</summary>
    public static string Text(string parameters, string body, string target = "sm_90a") =>
        $$"""
        .version 8.4
        .target {{target}}
        .address_size 64
        .extern .shared .align 1024 .b8 smem[];
        .visible .entry k({{parameters}})
        .maxntid 128, 1, 1
        {
        .reg .pred %p<9>;
        .reg .b32 %r<40>;
        .reg .f32 %f<140>;
        .reg .b64 %rd<20>;
        .reg .b32 %t;
        mov.u32 %t, %tid.x;
        {{body}}
        ret;
        }
        """;

    /// <summary>
    /// A kernel whose shared memory is filled with an image of a number of bytes (a multiple of 2048) by ordinary stores, then multiplies
    /// once and stores all sums.
    /// </summary>
    /// <param name="columns">Of the product.</param>
    /// <param name="bytes">Of the image.</param>
    /// <param name="flags">The operands behind the predicate, such as <c>1, 1, 0, 0</c>.</param>
    /// <param name="fragment">The left operand is in registers: the first 2048 bytes of the image, 16 for each thread.</param>
    public static string Product(int columns, int bytes, string flags, bool fragment = false)
    {
        string left = fragment ? "{%r20, %r21, %r22, %r23}" : "%rd4", shape = $"m64n{columns}k16.f32.bf16.bf16";
        string sums = string.Join(", ", Enumerable.Range(0, columns / 2).Select(n => $"%f{n}"));
        string[] zero = [.. Enumerable.Range(0, columns / 2).Select(n => $"mov.f32 %f{n}, 0f40000000;")];
        string[] store = [.. Enumerable.Range(0, columns / 2).Select(n => $"st.global.f32 [%rd3+{4 * n}], %f{n};")];
        return Text(".param .u64 image, .param .u64 out, .param .u64 a, .param .u64 b, .param .u32 adds", $$"""
            ld.param.u64 %rd1, [image];
            ld.param.u64 %rd2, [out];
            ld.param.u64 %rd4, [a];
            ld.param.u64 %rd5, [b];
            ld.param.u32 %r1, [adds];
            mul.wide.u32 %rd3, %t, {{2 * columns}};
            add.s64 %rd3, %rd2, %rd3;
            shl.b32 %r2, %t, 4;
            mov.u32 %r3, smem;
            add.u32 %r3, %r3, %r2;
            mul.wide.u32 %rd6, %r2, 1;
            add.s64 %rd1, %rd1, %rd6;
            ld.global.v4.u32 {%r20, %r21, %r22, %r23}, [%rd1];
            mov.u32 %r4, 0;
            FILL:
            ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd1];
            st.shared.v4.u32 [%r3], {%r5, %r6, %r7, %r8};
            add.s64 %rd1, %rd1, 2048;
            add.u32 %r3, %r3, 2048;
            add.u32 %r4, %r4, 2048;
            setp.lt.u32 %p1, %r4, {{bytes}};
            @%p1 bra FILL;
            fence.proxy.async;
            bar.sync 0;
            {{string.Join('\n', zero)}}
            setp.ne.u32 %p2, %r1, 0;
            wgmma.fence.sync.aligned;
            wgmma.mma_async.sync.aligned.{{shape}} { {{sums}} }, {{left}}, %rd5, %p2, {{flags}};
            wgmma.commit_group.sync.aligned;
            wgmma.wait_group.sync.aligned 0;
            {{string.Join('\n', store)}}
            """);
    }

    /// <summary>Runs such a kernel.</summary>
    /// <returns>The sums, [64][columns].</returns>
    public static float[,] Multiply(string text, int columns, ReadOnlySpan<ushort> image, ulong a, ulong b, bool adds, int seed = 1)
    {
        using var device = new VirtualDevice(Options with { Seed = seed });
        VirtualKernel kernel = device.LoadModule(text)["k"];
        ulong output = device.Allocate(4 * 64 * columns, "out");
        device.Launch(kernel, new(1), new(128), 2 * image.Length, [device.Upload(image, "image"), output, a, b, adds ? 1 : 0]);
        var all = new float[64 * columns];
        device.Read<float>(output, all);
        var sums = new float[64, columns];
        for (int thread = 0; thread < 128; thread++)
        {
            int lane = thread % 32;
            for (int n = 0; n < columns / 2; n++)
                sums[thread / 32 * 16 + lane / 4 + 8 * (n / 2 % 2), 8 * (n / 4) + 2 * (lane % 4) + n % 2] = all[thread * columns / 2 + n];
        }
        return sums;
    }

    /// <summary>
    /// A kernel that copies one box of a tensor to the begin of shared memory, waits for it, and stores what lies there.
    /// </summary>
    /// <param name="dimensions">Of the tensor.</param>
    /// <param name="bytes">Of the box.</param>
    public static string Box(int dimensions, int bytes)
    {
        string at = string.Join(", ", Enumerable.Range(1, dimensions).Select(n => $"%r{n}"));
        return Text(".param .align 64 .b8 map[128], .param .u64 out, .param .align 4 .b8 x[20]", $$"""
            mov.b64 %rd1, map;
            cvta.param.u64 %rd2, %rd1;
            ld.param.u64 %rd3, [out];
            {{string.Join('\n', Enumerable.Range(0, 5).Select(n => $"ld.param.u32 %r{n + 1}, [x+{4 * n}];"))}}
            mov.u32 %r6, smem;
            add.u32 %r7, %r6, {{bytes}};
            setp.ne.u32 %p1, %t, 0;
            @%p1 bra READY;
            mbarrier.init.shared::cta.b64 [%r7], 1;
            fence.mbarrier_init.release.cluster;
            mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r7], {{bytes}};
            cp.async.bulk.tensor.{{dimensions}}d.shared::cluster.global.mbarrier::complete_tx::bytes [%r6], [%rd2, { {{at}} }], [%r7];
            READY:
            bar.sync 0;
            WAIT:
            mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r7], 0;
            @!%p2 bra WAIT;
            shl.b32 %r8, %t, 2;
            mul.wide.u32 %rd4, %r8, 1;
            add.s64 %rd3, %rd3, %rd4;
            add.u32 %r9, %r6, %r8;
            mov.u32 %r10, %r8;
            STORE:
            setp.ge.u32 %p3, %r10, {{bytes}};
            @%p3 bra DONE;
            ld.shared.u32 %r11, [%r9];
            st.global.u32 [%rd3], %r11;
            add.s64 %rd3, %rd3, 512;
            add.u32 %r9, %r9, 512;
            add.u32 %r10, %r10, 512;
            bra STORE;
            DONE:
            """);
    }

    /// <summary>What such a kernel finds in shared memory.</summary>
    public static byte[] Copy(string text, TensorMap map, Func<VirtualDevice, ulong> tensor, int bytes, int[] at, int seed = 1)
    {
        using var device = new VirtualDevice(Options with { Seed = seed });
        VirtualKernel kernel = device.LoadModule(text)["k"];
        ulong output = device.Allocate(bytes, "out");
        var x = new int[5];
        at.CopyTo(x, 0);
        device.Launch(kernel, new(1), new(128), bytes + 16, [new((map with { Address = tensor(device) }).Encode()), output,
            new(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(x))]);
        var result = new byte[bytes];
        device.Read<byte>(output, result);
        return result;
    }

    /// <summary>A kernel of one or more warps of nothing but that, with shared memory at %r1 and an output at %rd1.</summary>
    public static string Bare(string body, string target = "sm_90a") => Text(".param .u64 out", $"""
        ld.param.u64 %rd1, [out];
        mov.u32 %r1, smem;
        {body}
        """, target);

    /// <summary>Runs a bare kernel.</summary>
    /// <returns>The 128 words of its output, 0 where it stored none.</returns>
    public static uint[] Run(string text, int threads = 128, int seed = 1)
    {
        using var device = new VirtualDevice(Options with { Seed = seed });
        VirtualKernel kernel = device.LoadModule(text)["k"];
        ulong output = device.Upload<uint>(new uint[128], "out");
        device.Launch(kernel, new(1), new(threads), 32768, [output]);
        var result = new uint[128];
        device.Read<uint>(output, result);
        return result;
    }
}
