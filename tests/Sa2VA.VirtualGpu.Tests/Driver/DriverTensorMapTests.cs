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
        Assert.Equal(DriverResult.NotSupported, Encode(native, right with
        {
            Interleave = 1, Dimensions = [64, 4, 4], Strides = [128, 512], Box = [64, 2, 2], Steps = [1, 1, 1],
        }, map));
        Assert.Equal(DriverResult.NotSupported, Encode(native, right with { Fill = 1 }, map));
        Assert.Equal(DriverResult.NotSupported, Encode(native, right with { Type = 11 }, map));
    }

    /// <summary>Each limit of NVIDIA's manual: one beyond is refused, the last within is taken.</summary>
    [Fact]
    public void Each_limit_is_where_the_manual_says()
    {
        using NativeDriver native = NativeDriver.WithContext(Hopper);
        byte* room = stackalloc byte[256];
        byte* map = (byte*)(((nuint)room + 63) & ~(nuint)63);
        var right = new Tensor { Address = native.Allocate(4096) };
        Tensor deep = right with
        {
            Dimensions = [64, 4, 4, 4, 4], Strides = [128, 512, 2048, 8192], Box = [64, 2, 2, 2, 2], Steps = [1, 1, 1, 1, 1],
        };
        // Rank, address, dimensions.
        Taken(deep);
        Refused(deep with
        {
            Dimensions = [64, 4, 4, 4, 4, 4], Strides = [128, 512, 2048, 8192, 32768], Box = [64, 2, 2, 2, 2, 2],
            Steps = [1, 1, 1, 1, 1, 1],
        }, "6 dimensions");
        Refused(right with { Dimensions = [], Strides = [], Box = [1], Steps = [1] }, "0 dimensions");
        Taken(right with { Address = right.Address + 16 });
        Refused(right with { Address = right.Address + 8 }, "no multiple of 16");
        Taken(right with { Dimensions = [1ul << 32, 1ul << 32] });
        Refused(right with { Dimensions = [(1ul << 32) + 1, 32] }, "dimension 0");
        Refused(right with { Dimensions = [64, (1ul << 32) + 1] }, "dimension 1");
        Refused(right with { Dimensions = [64, 0] }, "dimension 1 has 0 elements");
        // Strides in bytes: multiples of 16, below 2^40.
        Taken(right with { Strides = [(1ul << 40) - 16] });
        Refused(right with { Strides = [1ul << 40] }, "stride of dimension 1");
        Refused(right with { Strides = [136] }, "136 bytes, no multiple of 16");
        Refused(deep with { Strides = [128, 512, 2056, 8192] }, "stride of dimension 3");
        // The box: 1 to 256, its rows multiples of 16 bytes and no longer than the swizzle.
        Taken(right with { Box = [64, 256] });
        Refused(right with { Box = [64, 257] }, "257 elements in dimension 1");
        Refused(right with { Box = [64, 0] }, "0 elements in dimension 1");
        Taken(right with { Box = [256, 8], Swizzle = 0 });
        Refused(right with { Box = [257, 8], Swizzle = 0 }, "257 elements in dimension 0");
        Taken(right with { Box = [8, 8], Swizzle = 0 });
        Refused(right with { Box = [12, 8], Swizzle = 0 }, "24 bytes, no multiple of 16");
        foreach ((int swizzle, uint columns) in new[] { (1, 16u), (2, 32u), (3, 64u) })
        {
            Taken(right with { Swizzle = swizzle, Box = [columns, 8] });
            Refused(right with { Swizzle = swizzle, Box = [columns + 8, 8] }, "more than the swizzle's");
        }
        // Steps: 1 to 8, the first of no meaning.
        Taken(right with { Steps = [0, 8] });
        Refused(right with { Steps = [1, 9] }, "the step of dimension 1 is 9");
        Refused(right with { Steps = [1, 0] }, "the step of dimension 1 is 0");
        // What goes with what.
        Refused(right with { Interleave = 1 }, "at least 3");
        Refused(deep with { Interleave = 2, Swizzle = 3 }, "interleaved by 32 bytes");
        Refused(deep with { Interleave = 2, Swizzle = 1, Address = right.Address + 16 }, "interleaved by 32 bytes");
        Refused(right with { Interleave = 3 }, "interleave 3");
        Refused(right with { Fill = 2 }, "fill 2");
        Refused(right with { Fill = 1, Type = 1 }, "no float");

        void Taken(Tensor t) => native.Ok(Encode(native, t, map));

        void Refused(Tensor t, string word)
        {
            Assert.Equal(DriverResult.InvalidValue, Encode(native, t, map));
            Assert.Contains(word, native.Driver.LastError!, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Older_cards_have_no_tensor_maps()
    {
        using NativeDriver native = NativeDriver.WithContext();
        byte* room = stackalloc byte[256];
        byte* map = (byte*)(((nuint)room + 63) & ~(nuint)63);
        Assert.Equal(DriverResult.NotSupported, Encode(native, new() { Address = native.Allocate(4096) }, map));
        Assert.Contains("compute capability 9.0", native.Driver.LastError!, StringComparison.Ordinal);
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
