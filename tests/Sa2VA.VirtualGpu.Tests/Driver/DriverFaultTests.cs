using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Errors that stay with a context, and faults that a test asks for.</summary>
public sealed class DriverFaultTests
{
    [Theory]
    [InlineData("add", DriverResult.IllegalAddress, "add, PTX line", "past the end of allocation 1 of context 1")]
    [InlineData("misaligned", DriverResult.MisalignedAddress, "misaligned, PTX line", "is misaligned")]
    [InlineData("trap", DriverResult.LaunchFailed, "trap, PTX line", "the kernel ended itself")]
    public void A_fault_stays_with_its_context_and_harms_no_other(string kernel, DriverResult code, string place, string words)
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { LazyDispatch = true });
        nint stream = native.Stream(), other = native.Stream(), bad = native.Function(DriverKernels.Text, kernel), done = native.Event();
        ulong x = native.Allocate(64);
        nint well = native.Context();
        nint wellStream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        ulong y = native.Allocate(64);
        native.Ok(native.Fill(y, 0, 64, wellStream));
        native.Ok(native.Pop(out _));

        native.Ok(native.Fill(x, 0, 64, stream));
        // Nine threads on eight elements.
        native.Ok(native.Launch(bad, 1, 9, stream, [x, x, 1]));
        native.Ok(native.Record(done, stream));
        Assert.Equal(code, native.Synchronize(stream));
        foreach (string word in new[] { place, words, "block (0, 0, 0)" })
            Assert.Contains(word, native.Text(code), StringComparison.Ordinal);
        DriverResult[] later =
        [
            native.Synchronize(other), native.Allocate(16, out _), native.Free(x), native.Fill(x, 0, 64, other),
            native.On("cuEventQuery", done), native.On("cuEventSynchronize", done), native.Launch(bad, 1, 1, stream, [x, x, 1]),
            native.BeginCapture(other), native.Load(DriverKernels.Text, out _), native.HostAllocate(16, out _),
        ];
        Assert.All(later, r => Assert.Equal(code, r));
        Assert.Contains(words, native.Text(code), StringComparison.Ordinal);
        Assert.Equal("out of memory", native.Text(DriverResult.OutOfMemory));
        // Another thread has had no error: it gets the usual text.
        string? text = null;
        var thread = new Thread(() => text = native.Text(code));
        thread.Start();
        thread.Join();
        Assert.DoesNotContain("PTX", text, StringComparison.Ordinal);

        native.In(well, () =>
        {
            native.Ok(native.Launch(add, 1, 8, wellStream, [y, y, 4]));
            Assert.All(native.Download(y, 8, wellStream), v => Assert.Equal(4ul, v));
        });
        native.Ok(native.Pop(out nint ill));
        native.Ok(native.On("cuCtxDestroy_v2", ill));
        Assert.Equal(1, native.Driver.Live.Contexts);
        Assert.Equal(256, native.Driver.Live.DeviceBytes);
    }

    [Fact]
    public void Memory_of_another_context_is_out_of_reach()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream();
        ulong x = native.Allocate(64);
        native.Ok(native.Fill(x, 0, 64, stream));
        native.Ok(native.Synchronize(stream));
        native.Context();
        nint mine = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        Assert.Equal(DriverResult.InvalidValue, native.Fill(x, 0, 64, mine));
        Assert.Equal(DriverResult.InvalidValue, native.Free(x));
        native.Ok(native.Launch(add, 1, 8, mine, [x, x, 1]));
        Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(mine));
    }

    [Fact]
    public void Memory_that_is_freed_before_the_work_that_uses_it_runs_is_a_fault()
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { LazyDispatch = true });
        nint stream = native.Stream(), host = native.HostAllocate(64);
        ulong x = native.Allocate(64);
        native.Ok(native.Upload(x, host, 64, stream));
        native.Ok(native.On("cuMemFreeHost", host));
        Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(stream));
        Assert.Contains("host memory that was freed", native.Text(DriverResult.IllegalAddress), StringComparison.Ordinal);
        native.Context();
        stream = native.Stream();
        x = native.Allocate(64);
        native.Ok(native.Fill(x, 0, 64, stream));
        native.Ok(native.Free(x));
        Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(stream));
    }

    [Fact]
    public void Calls_allocations_and_launches_fail_when_asked()
    {
        using NativeDriver native = NativeDriver.WithContext();
        FaultInjection inject = native.Driver.Inject;
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        inject.FailCall("cuMemAlloc_v2", 2, DriverResult.Unknown);
        ulong x = native.Allocate(64);
        Assert.Equal(DriverResult.Unknown, native.Allocate(64, out _));
        native.Ok(native.Free(native.Allocate(64)));
        inject.FailAllocation(3);
        native.Ok(native.Free(native.Allocate(64)));
        native.Ok(native.Create(4096, out ulong memory));
        Assert.Equal(DriverResult.OutOfMemory, native.HostAllocate(64, out _));
        native.Ok(native.On("cuMemFreeHost", native.HostAllocate(64)));
        native.Ok(native.Release(memory));
        native.Ok(native.Fill(x, 0, 64, stream));
        inject.FailLaunch(2);
        native.Ok(native.Launch(add, 1, 8, stream, [x, x, 1]));
        native.Ok(native.Synchronize(stream));
        native.Ok(native.Launch(add, 1, 8, stream, [x, x, 1]));
        Assert.Equal(DriverResult.LaunchFailed, native.Synchronize(stream));
        Assert.Contains("add: this launch was to fail", native.Text(DriverResult.LaunchFailed), StringComparison.Ordinal);
        Assert.Equal(DriverResult.LaunchFailed, native.Free(x));
    }

    [Fact]
    public void A_lost_device_takes_all_its_contexts_with_it()
    {
        using var native = new NativeDriver(NativeDriver.Small with { Devices = [VirtualDeviceKind.A100, VirtualDeviceKind.A100] });
        nint a = native.Context(0), b = native.Context(0), c = native.Context(1);
        nint stream = native.Stream();
        native.Driver.Inject.LoseDevice(0);
        foreach (nint context in new[] { a, b })
        {
            native.In(context, () => Assert.Equal(DriverResult.DeviceUnavailable, native.Allocate(64, out _)));
            native.Ok(native.On("cuCtxDestroy_v2", context));
        }
        Assert.Equal(DriverResult.DeviceUnavailable, native.Context(0, out _));
        native.In(c, () => native.Ok(native.Fill(native.Allocate(64), 0, 64, stream)));
    }

    [Fact]
    public async Task A_driver_that_ends_wakes_who_waits()
    {
        var native = new NativeDriver(new() { Devices = [VirtualDeviceKind.A100] });
        nint context = native.Context(), stream = native.Stream(), spin = native.Function(DriverKernels.Text, "spin");
        ulong x = native.Allocate(64);
        native.Ok(native.Fill(x, 0, 64, stream));
        native.Ok(native.Launch(spin, 1, 1, stream, [x, x, ulong.MaxValue]));
        var result = Task.Run(() =>
        {
            native.Ok(native.On("cuCtxPushCurrent_v2", context));
            return native.Synchronize(stream);
        }, TestContext.Current.CancellationToken);
        while (native.Driver.Calls("cuStreamSynchronize") == 0) await Task.Delay(1, TestContext.Current.CancellationToken);
        native.Dispose();
        Assert.Equal(DriverResult.Deinitialized, await result);
    }
}
