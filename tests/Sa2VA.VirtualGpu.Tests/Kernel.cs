namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Small kernels written in the tests: a body with registers to spare, parameters <c>in</c> and <c>out</c> (addresses).</summary>
internal static class Kernel
{
    /// <summary>
    /// A kernel whose body finds the thread in %t, its element of 8 bytes in %in and %out (of out), shared memory in smem.
    /// </summary>
    public static string Text(string body, int sharedBytes = 4096) =>
        $$"""
        .version 8.4
        .target sm_80
        .address_size 64
        .visible .entry k(.param .u64 in, .param .u64 out)
        {
        .reg .pred %p<20>;
        .reg .b16 %h<20>;
        .reg .b32 %r<40>;
        .reg .f32 %f<40>;
        .reg .b64 %rd<40>;
        .reg .f64 %fd<20>;
        .reg .b32 %t;
        .reg .b64 %in, %out, %wide;
        .shared .align 16 .b8 smem[{{sharedBytes}}];
        ld.param.u64 %in, [in];
        ld.param.u64 %out, [out];
        mov.u32 %t, %tid.x;
        mul.wide.u32 %wide, %t, 8;
        add.s64 %in, %in, %wide;
        add.s64 %out, %out, %wide;
        {{body}}
        ret;
        }
        """;

    /// <summary>Runs a body over threads that each read 8 bytes and write 8 bytes.</summary>
    public static ulong[] Run(string body, ulong[] input, int threads, VirtualDeviceOptions? options = null, int blocks = 1)
    {
        using var device = new VirtualDevice(options);
        VirtualKernel kernel = device.LoadModule(Text(body))["k"];
        ulong output = device.Upload<ulong>(new ulong[threads], "out");
        device.Launch(kernel, new(blocks), new(threads), 0, [device.Upload<ulong>(input, "in"), output]);
        var result = new ulong[threads];
        device.Read<ulong>(output, result);
        return result;
    }

    /// <summary>The fault that a body ends with.</summary>
    public static GpuFaultException Fault(string body, int threads, VirtualDeviceOptions? options = null) =>
        Assert.Throws<GpuFaultException>(() => Run(body, new ulong[threads], threads, options));
}
