using System.Text.RegularExpressions;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Devices, contexts, errors.</summary>
public sealed class DriverDeviceTests
{
    /// <summary>The backend's table of functions is the list of what must be there.</summary>
    [Fact]
    public void Every_function_that_the_backend_looks_up_is_exported()
    {
        string table = File.ReadAllText(Path.Combine(Fixtures.Repository, "src", "Sa2VA.Cuda", "Driver", "CudaDriver.cs"));
        string[] names = [.. Regex.Matches(table, "F\\(\"(cu\\w+)\"\\)").Select(m => m.Groups[1].Value)];
        Assert.True(names.Length > 50, $"{names.Length} names were found.");
        using var driver = new VirtualDriver();
        Assert.All(names, n => Assert.NotEqual(0, driver.Export(n)));
    }

    [Fact]
    public void Devices_tell_what_they_are()
    {
        using var native = new NativeDriver(new() { Devices = [VirtualDeviceKind.A100, VirtualDeviceKind.Rtx4090], MemoryBytes = 1 << 20 });
        native.Ok(native.DeviceCount(out int count));
        Assert.Equal(2, count);
        Assert.Equal(13000, native.Version());
        Assert.Equal("Virtual RTX 4090", native.DeviceName(1));
        Assert.Equal(1 << 20, native.TotalMemory(1));
        var expected = new Dictionary<int, int>
        {
            [1] = 1024, [5] = int.MaxValue, [6] = 65535, [7] = 65535, [13] = 2_520_000, [16] = 128, [38] = 72 << 20, [39] = 1536,
            [75] = 8, [76] = 9, [81] = 100 << 10, [82] = 65536, [97] = 99 << 10, [102] = 1,
        };
        foreach ((int attribute, int value) in expected)
        {
            native.Ok(native.Attribute(attribute, 1, out int found));
            Assert.Equal(value, found);
        }
        Assert.Equal(DriverResult.InvalidValue, native.Attribute(9999, 1, out _));
        Assert.Equal(DriverResult.InvalidDevice, native.Attribute(16, 2, out _));
        Assert.Equal(DriverResult.InvalidDevice, native.Context(-1, out _));
        Assert.Equal("CUDA_ERROR_INVALID_DEVICE", native.Name(DriverResult.InvalidDevice));
        Assert.Equal("invalid device ordinal", native.Text(DriverResult.InvalidDevice));
        Assert.Null(native.Name((DriverResult)12345));
    }

    [Fact]
    public void A_driver_that_cannot_be_used_says_so()
    {
        using var none = new NativeDriver(new() { Devices = [] }, init: false);
        Assert.Equal(DriverResult.NotInitialized, none.DeviceCount(out _));
        Assert.Equal(DriverResult.NoDevice, none.Init());
        using var old = new NativeDriver(new() { Version = 10020, Hidden = ["cuMemCreate"] }, init: false);
        Assert.Equal(10020, old.Version());
        Assert.Equal(0, old.Driver.Export("cuMemCreate"));
        Assert.Equal(0, old.Driver.Export("cuNothing"));
        old.Driver.Inject.FailCall("cuInit", 1, DriverResult.SystemDriverMismatch);
        Assert.Equal(DriverResult.SystemDriverMismatch, old.Init());
        old.Ok(old.Init());
        Assert.Equal(2, old.Driver.Calls("cuInit"));
        var ended = new NativeDriver();
        ended.Context();
        ended.Dispose();
        Assert.Equal(DriverResult.Deinitialized, ended.DeviceCount(out _));
        Assert.Equal(DriverResult.Deinitialized, ended.Allocate(16, out _));
    }

    [Fact]
    public void Contexts_are_a_stack_of_each_thread()
    {
        using var native = new NativeDriver();
        Assert.Equal(DriverResult.InvalidContext, native.Allocate(16, out _));
        Assert.Equal(DriverResult.InvalidContext, native.Pop(out _));
        nint a = native.Context(), b = native.Context();
        Assert.Equal(2, native.Driver.Live.Contexts);
        native.Ok(native.Pop(out nint top));
        Assert.Equal(b, top);
        ulong address = native.Allocate(4096);
        var thread = new Thread(() =>
        {
            Assert.Equal(DriverResult.InvalidContext, native.Free(address));
            native.In(b, () => Assert.Equal(DriverResult.InvalidValue, native.Free(address)));
            native.In(a, () => native.Ok(native.Free(address)));
        });
        thread.Start();
        thread.Join();
        native.Ok(native.On("cuCtxDestroy_v2", b));
        Assert.Equal(DriverResult.InvalidContext, native.On("cuCtxDestroy_v2", b));
        Assert.Equal(DriverResult.InvalidContext, native.On("cuCtxPushCurrent_v2", b));
        Assert.Equal(DriverResult.InvalidContext, native.On("cuCtxPushCurrent_v2", 0));
        native.Ok(native.On("cuCtxDestroy_v2", a));
        Assert.Equal(DriverResult.InvalidContext, native.Pop(out _));
        Assert.Equal(default, native.Driver.Live);
    }

    [Fact]
    public void The_end_of_a_context_frees_all_of_it()
    {
        using NativeDriver native = NativeDriver.WithContext();
        native.Allocate(1000);
        native.HostAllocate(5000);
        native.Ok(native.Reserve(1 << 20, out ulong range));
        native.Ok(native.Create(8192, out ulong memory));
        native.Ok(native.Map(range, 8192, memory));
        native.Ok(native.SetAccess(range, 8192));
        native.Ok(native.Release(memory));
        native.Ok(native.Create(4096, out _));
        nint stream = native.Stream(), made = native.Event();
        native.Function(DriverKernels.Text, "add");
        native.Ok(native.BeginCapture(stream));
        native.Ok(native.Fill(range, 0, 16, stream));
        native.Ok(native.EndCapture(stream, out nint graph));
        native.Instantiate(graph);
        native.Ok(native.Fill(range, 0, 16, stream));
        native.Ok(native.Record(made, stream));
        Assert.Equal(new(1, 1, 1, 1, 2, 3, 1024 + 8192 + 4096, 1, 5000, 1, 1), native.Driver.Live);
        native.Ok(native.Pop(out nint context));
        native.Ok(native.On("cuCtxDestroy_v2", context));
        Assert.Equal(default, native.Driver.Live);
    }

    [Fact]
    public void Handles_that_are_wrong_are_refused()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), made = native.Event();
        foreach (string function in new[] { "cuStreamSynchronize", "cuStreamDestroy_v2" })
        {
            Assert.Equal(DriverResult.InvalidHandle, native.On(function, 0));
            Assert.Equal(DriverResult.InvalidHandle, native.On(function, made));
            Assert.Equal(DriverResult.InvalidHandle, native.On(function, 12345));
        }
        Assert.Equal(DriverResult.InvalidHandle, native.Record(stream, made));
        Assert.Equal(DriverResult.InvalidHandle, native.LaunchGraph(made, stream));
        Assert.Equal(DriverResult.InvalidHandle, native.Launch(stream, 1, 1, stream, []));
        Assert.Equal(DriverResult.InvalidHandle, native.Release(3));
        native.Ok(native.On("cuStreamDestroy_v2", stream));
        Assert.Equal(DriverResult.InvalidHandle, native.Synchronize(stream));
        nint of = native.Stream();
        nint other = native.Context();
        Assert.Equal(DriverResult.InvalidHandle, native.Synchronize(of));
        native.Ok(native.On("cuCtxDestroy_v2", other));
        native.Ok(native.Synchronize(of));
    }
}
