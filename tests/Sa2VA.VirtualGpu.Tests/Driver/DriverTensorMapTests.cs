using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>cuTensorMapEncodeTiled, and what kernels for Hopper are to a driver.</summary>
public sealed unsafe class DriverTensorMapTests
{
    private static readonly VirtualDriverOptions Hopper = NativeDriver.Small with { Devices = [VirtualDeviceKind.H100] };

    private sealed record Tensor
    {
        public int Type { get; init; } = 9;

        public ulong Address { get; init; }

        public ulong[] Dimensions { get; init; } = [64, 32];

        public ulong[] Strides { get; init; } = [128];

        public uint[] Box { get; init; } = [64, 32];

        public uint[] Steps { get; init; } = [1, 1];

        public int Interleave { get; init; }

        public int Swizzle { get; init; } = 3;

        public int Fill { get; init; }
    }

    private static DriverResult Encode(NativeDriver native, Tensor t, byte* map)
    {
        var encode = (delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, DriverResult>)
            native.Driver.Export("cuTensorMapEncodeTiled");
        fixed (ulong* dimensions = t.Dimensions, strides = t.Strides)
        fixed (uint* box = t.Box, steps = t.Steps)
            return encode(map, t.Type, (uint)t.Dimensions.Length, t.Address, dimensions, strides, box, steps, t.Interleave, t.Swizzle, 0,
                t.Fill);
    }

    [Fact]
    public void A_box_comes_to_a_kernel_through_the_driver()
    {
        using NativeDriver native = NativeDriver.WithContext(Hopper);
        nint stream = native.Stream(), kernel = native.Function(HopperKernel.Box(2, 4096), "k");
        native.Ok(native.SetAttribute(kernel, 8, 4112));
        ulong x = native.Allocate(4096), y = native.Allocate(4096);
        ulong[] source = [.. Enumerable.Range(0, 512).Select(n => (ulong)n << 40 | (uint)n)];
        native.Ok(native.Upload(x, source, stream));
        byte* parameters = stackalloc byte[256];
        byte* map = (byte*)(((nuint)parameters + 63) & ~(nuint)63);
        native.Ok(Encode(native, new() { Address = x }, map));
        int* at = stackalloc int[5];
        void** pointers = stackalloc void*[3] { map, &y, at };
        native.Ok(((delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, DriverResult>)
            native.Driver.Export("cuLaunchKernel"))(kernel, 1, 1, 1, 128, 1, 1, 4112, stream, pointers, null));
        ulong[] box = native.Download(y, 512, stream);
        // Pieces of two words are exchanged within their line of sixteen.
        for (int n = 0; n < 512; n++) Assert.Equal(source[n], box[n / 16 * 16 + (n / 2 % 8 ^ n / 16 % 8) * 2 + n % 2]);
    }

    [Fact]
    public void Maps_that_a_card_could_not_use_are_refused()
    {
        using NativeDriver native = NativeDriver.WithContext(Hopper);
        byte* room = stackalloc byte[256];
        byte* map = (byte*)(((nuint)room + 63) & ~(nuint)63);
        var right = new Tensor { Address = native.Allocate(4096) };
        native.Ok(Encode(native, right, map));
        Assert.Equal(DriverResult.InvalidValue, Encode(native, right, map + 32));
        Assert.Equal(DriverResult.InvalidValue, Encode(native, right, null));
        Assert.Equal(DriverResult.InvalidValue, Encode(native, right with { Address = right.Address + 8 }, map));
        Assert.Equal(DriverResult.InvalidValue, Encode(native, right with { Box = [128, 32], Steps = [1, 1] }, map));
        Assert.Contains("swizzle", native.Driver.LastError!, StringComparison.Ordinal);
        Assert.Equal(DriverResult.InvalidValue, Encode(native, right with { Swizzle = 4 }, map));
        Assert.Equal(DriverResult.InvalidValue, Encode(native, right with { Type = 99 }, map));
        Assert.Equal(DriverResult.NotSupported, Encode(native, right with { Interleave = 1 }, map));
        Assert.Equal(DriverResult.NotSupported, Encode(native, right with { Fill = 1 }, map));
        Assert.Equal(DriverResult.NotSupported, Encode(native, right with { Type = 11 }, map));
    }

    [Fact]
    public void Older_cards_have_no_image_of_a_module_for_Hopper()
    {
        using NativeDriver older = NativeDriver.WithContext(NativeDriver.Small with { Devices = [VirtualDeviceKind.Rtx4090] });
        Assert.Equal(DriverResult.NoBinaryForGpu, older.Load(PtxFiles.Text("gemm_sm90"), out _));
        Assert.Contains("sm_90a", older.Driver.LastError!, StringComparison.Ordinal);
        using NativeDriver hopper = NativeDriver.WithContext(Hopper);
        hopper.Ok(hopper.Load(PtxFiles.Text("gemm_sm90"), out _));
    }
}
