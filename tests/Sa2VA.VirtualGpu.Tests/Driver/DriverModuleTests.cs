using System.Text;
using Sa2VA.VirtualGpu.Driver;
using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Modules, kernels, the limits of a launch.</summary>
public sealed class DriverModuleTests
{
    [Fact]
    public void A_module_that_cannot_run_is_refused_with_the_reason()
    {
        using NativeDriver native = NativeDriver.WithContext();
        string wrong = DriverKernels.Text.Replace("trap;", "frobnicate.u32 %r1, %r2;", StringComparison.Ordinal);
        int line = wrong.Split('\n').ToList().FindIndex(l => l.StartsWith("frob", StringComparison.Ordinal)) + 1;
        var log = new byte[300];
        Assert.Equal(DriverResult.InvalidImage, native.Load(Encoding.UTF8.GetBytes(wrong + "\0"), out _, log));
        string expected = $"PTX line {line}: the instruction is not supported, in: frobnicate.u32 %r1, %r2";
        Assert.Equal(expected, Encoding.UTF8.GetString(log).TrimEnd('\0'));
        Assert.Equal("device kernel image is invalid: " + expected, native.Text(DriverResult.InvalidImage));
        Assert.Equal("CUDA_ERROR_INVALID_IMAGE", native.Name(DriverResult.InvalidImage));
        // A short log is cut, not overrun.
        var small = new byte[12];
        small[10] = small[11] = 7;
        Assert.Equal(DriverResult.InvalidImage, native.Load(Encoding.UTF8.GetBytes(wrong + "\0"), out _, small[..10]));
        Assert.Equal(DriverResult.InvalidImage, native.Load("nonsense", out _));
        Assert.Equal(DriverResult.NoBinaryForGpu, native.Load([0x7f, (byte)'E', (byte)'L', (byte)'F', 0, 0, 0, 0], out _));
        Assert.Equal(DriverResult.NoBinaryForGpu, native.Load([0x50, 0xed, 0x55, 0xba, 0, 0, 0, 0], out _));
        Assert.Equal(0, native.Driver.Live.Modules);
        // Another failure in between, and the text is the usual one again.
        Assert.Equal(DriverResult.InvalidValue, native.Allocate(0, out _));
        Assert.Equal("device kernel image is invalid", native.Text(DriverResult.InvalidImage));
        native.Ok(native.Load(DriverKernels.Text, out _));
    }

    [Theory]
    [InlineData("sm_80", "A100 4090 H100")]
    [InlineData("sm_89", "4090 H100")]
    [InlineData("sm_90", "H100")]
    [InlineData("sm_90a", "H100")]
    [InlineData("sm_80a", "A100")]
    [InlineData("sm_100", "")]
    public void A_module_runs_on_devices_of_its_target_and_newer(string target, string devices)
    {
        VirtualDeviceKind[] kinds = [VirtualDeviceKind.A100, VirtualDeviceKind.Rtx4090, VirtualDeviceKind.H100];
        using var native = new NativeDriver(new() { Devices = kinds });
        string ptx = DriverKernels.Text.Replace("sm_80", target, StringComparison.Ordinal);
        for (int n = 0; n < 3; n++)
        {
            native.Context(n);
            bool runs = devices.Split(' ').Any(d => d.Length > 0 && kinds[n].Name.EndsWith(d, StringComparison.Ordinal));
            Assert.Equal(runs ? DriverResult.Success : DriverResult.NoBinaryForGpu, native.Load(ptx, out _));
        }
    }

    [Fact]
    public void A_driver_refuses_PTX_that_is_newer_than_itself()
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { Version = 12030 });
        Assert.Equal(DriverResult.UnsupportedPtxVersion, native.Load(DriverKernels.Text, out _));
        Assert.Contains("PTX 8.4 needs a driver of version 12040, this one is 12030", native.Text(DriverResult.UnsupportedPtxVersion),
            StringComparison.Ordinal);
        native.Ok(native.Load(DriverKernels.Text.Replace("8.4", "8.3", StringComparison.Ordinal), out _));
    }

    /// <summary>Tests open many contexts with the same modules: what was parsed is found again, and not kept for ever.</summary>
    [Fact]
    public void A_text_is_parsed_once()
    {
        string text = DriverKernels.Text + "\n// of this test";
        LoweredModule first = LoweredModule.Load(text, 80);
        Assert.Same(first, LoweredModule.Load(new string(text), 90));
        for (int n = 0; n < 300; n++) LoweredModule.Load($".version 8.4\n.target sm_80 // {n}", 80);
        Assert.NotSame(first, LoweredModule.Load(text, 80));
        Assert.Throws<PtxException>(() => LoweredModule.Load(text.Replace("sm_80", "sm_90", StringComparison.Ordinal), 80));
    }

    [Fact]
    public void Kernels_are_found_by_name_until_their_module_is_unloaded()
    {
        using NativeDriver native = NativeDriver.WithContext();
        native.Ok(native.Load(DriverKernels.Text, out nint module));
        native.Ok(native.Function(module, "add", out nint add));
        native.Ok(native.Function(module, "add", out nint again));
        Assert.Equal(add, again);
        Assert.Equal(DriverResult.NotFound, native.Function(module, "ad", out _));
        Assert.Equal(DriverResult.InvalidHandle, native.Function(add, "add", out _));
        nint stream = native.Stream();
        native.Ok(native.On("cuModuleUnload", module));
        Assert.Equal(DriverResult.InvalidHandle, native.Function(module, "add", out _));
        Assert.Equal(DriverResult.InvalidHandle, native.Launch(add, 1, 1, stream, [0, 0, 0]));
        Assert.Equal(DriverResult.InvalidHandle, native.On("cuModuleUnload", module));
    }

    [Fact]
    public void Work_whose_module_was_unloaded_is_a_fault()
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { LazyDispatch = true });
        nint stream = native.Stream();
        native.Ok(native.Load(DriverKernels.Text, out nint module));
        native.Ok(native.Function(module, "add", out nint add));
        ulong x = native.Allocate(64);
        native.Ok(native.Fill(x, 0, 64, stream));
        native.Ok(native.Launch(add, 1, 8, stream, [x, x, 1]));
        native.Ok(native.On("cuModuleUnload", module));
        Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(stream));
    }

    [Fact]
    public void Each_context_has_variables_of_its_own()
    {
        string ptx = """
            .version 8.4
            .target sm_80
            .address_size 64
            .global .align 8 .u64 counter = 5;
            .visible .entry count(.param .u64 y)
            {
            .reg .b64 %rd<4>;
            ld.param.u64 %rd1, [y];
            ld.global.u64 %rd2, [counter];
            add.s64 %rd2, %rd2, 1;
            st.global.u64 [counter], %rd2;
            st.global.u64 [%rd1], %rd2;
            ret;
            }
            """;
        using var native = new NativeDriver();
        for (int n = 0; n < 2; n++)
        {
            native.Context();
            nint count = native.Function(ptx, "count"), second = native.Function(ptx, "count"), stream = native.Stream();
            ulong y = native.Allocate(8);
            for (ulong k = 6; k < 8; k++)
            {
                native.Ok(native.Launch(count, 1, 1, stream, [y]));
                Assert.Equal([k], native.Download(y, 1, stream));
            }
            native.Ok(native.Launch(second, 1, 1, stream, [y]));
            Assert.Equal([6ul], native.Download(y, 1, stream));
        }
    }

    [Fact]
    public void The_limits_of_a_launch_are_the_devices()
    {
        using var native = new NativeDriver(new() { Devices = [VirtualDeviceKind.Rtx4090] });
        native.Context();
        nint stream = native.Stream(), shared = native.Function(DriverKernels.Text, "shared");
        ulong x = native.Allocate(8192), y = native.Allocate(8192);
        native.Ok(native.Fill(x, 1, 8192, stream));
        ulong[] parameters = [x, y, 0];
        Assert.Equal((1024, 0, 48 << 10, 89),
            (native.Attribute(shared, 0), native.Attribute(shared, 1), native.Attribute(shared, 8), native.Attribute(shared, 6)));
        native.Ok(native.Launch(shared, 1, 1024, stream, parameters, 48 << 10));
        Assert.Equal(DriverResult.InvalidValue, native.Launch(shared, 1, 1024, stream, parameters, (48 << 10) + 1));
        native.Ok(native.SetAttribute(shared, 8, 99 << 10));
        native.Ok(native.Launch(shared, 1, 1024, stream, parameters, 99 << 10));
        Assert.Equal(DriverResult.InvalidValue, native.SetAttribute(shared, 8, (99 << 10) + 1));
        Assert.Equal(DriverResult.InvalidValue, native.Launch(shared, 1, 1024, stream, parameters, (99 << 10) + 1));
        Assert.Equal(DriverResult.InvalidValue, native.Launch(shared, 1, 1025, stream, parameters, 8192));
        Assert.Equal(DriverResult.InvalidValue, native.Launch(shared, 0, 1, stream, parameters, 8192));
        Assert.Equal(DriverResult.InvalidValue, native.Launch(shared, 1, 0, stream, parameters, 8192));
        Assert.Equal(DriverResult.InvalidHandle, native.Launch(shared, 1, 1, 0, parameters, 8192));
        native.Ok(native.Synchronize(stream));
    }
}
