using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Copies, launches, streams and events: what is ordered happens in order, what is not may not be relied on.</summary>
public sealed unsafe class DriverWorkTests
{
    private static readonly ulong[] Values = [.. Enumerable.Range(1, 64).Select(n => (ulong)n)];

    private static ulong[] Plus(ulong n) => [.. Values.Select(v => v + n)];

    private static VirtualDriverOptions Lazy { get; } = NativeDriver.Small with { LazyDispatch = true };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_kernel_runs_between_its_copies(bool lazy)
    {
        VirtualDriverOptions options = NativeDriver.Small with { LazyDispatch = lazy, LogLaunches = true };
        using NativeDriver native = NativeDriver.WithContext(options);
        nint stream = native.Stream(-5), add = native.Function(DriverKernels.Text, "add");
        nint scale = native.Function(DriverKernels.Text, "scale");
        ulong x = native.Allocate(512), y = native.Allocate(512);
        ulong[] source = [.. Values];
        native.Ok(native.Upload(x, source, stream));
        // Pageable memory is taken at the call.
        source.AsSpan().Clear();
        native.Ok(native.Launch(add, 2, 32, stream, [x, y, 5]));
        native.Ok(native.Launch(scale, 2, 32, stream, [x, y, 3]));
        Assert.Equal(Values.Select(v => 3 * (v + 5)), native.Download(y, 64, stream));
        LaunchRecord launch = native.Driver.Launches[0];
        Assert.Equal(("add", 0, new Dim3(2), new Dim3(32)), (launch.Kernel, launch.Device, launch.Grid, launch.Block));
        Assert.Equal(0, launch.SharedBytes);
        Assert.Equal(2, launch.Counters.Instructions(Counters.InstructionClass.Global) / 2);
        Assert.Equal(2, native.Driver.Calls("cuLaunchKernel"));
    }

    [Fact]
    public void Pinned_memory_is_read_and_written_when_the_copy_runs()
    {
        using NativeDriver native = NativeDriver.WithContext(Lazy);
        nint stream = native.Stream(), from = native.HostAllocate(512), to = native.HostAllocate(512), done = native.Event();
        var source = new Span<ulong>((void*)from, 64);
        var result = new Span<ulong>((void*)to, 64);
        result.Clear();
        ulong x = native.Allocate(512);
        source.Clear();
        native.Ok(native.Upload(x, from, 512, stream));
        native.Ok(native.Download(to, x, 512, stream));
        native.Ok(native.Record(done, stream));
        // Nothing waits for the copy, so it reads what is there later.
        Values.CopyTo(source);
        Assert.True(result.SequenceEqual(new ulong[64]));
        native.Ok(native.On("cuEventSynchronize", done));
        Assert.True(result.SequenceEqual(Values));
        native.Ok(native.On("cuMemFreeHost", from));
        Assert.Equal(DriverResult.InvalidValue, native.On("cuMemFreeHost", from));
        native.Ok(native.On("cuMemFreeHost", to));
        Assert.Equal(0, native.Driver.Live.HostBytes);
    }

    [Fact]
    public void Kernels_reach_pinned_memory_at_an_address_of_its_own()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), host = native.HostAllocate(512 + 8), add = native.Function(DriverKernels.Text, "add");
        native.Ok(native.AddressOf(host + 8, out ulong address));
        Assert.Equal(DriverResult.InvalidValue, native.AddressOf(host + 520, out _));
        Values.CopyTo(new Span<ulong>((void*)(host + 8), 64));
        native.Ok(native.Launch(add, 1, 64, stream, [address, address, 7]));
        native.Ok(native.Synchronize(stream));
        Assert.True(new Span<ulong>((void*)(host + 8), 64).SequenceEqual(Plus(7)));
        // One element further is past the end.
        native.Ok(native.Launch(add, 1, 64, stream, [address + 8, address + 8, 7]));
        Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(stream));
        Assert.Contains("0 bytes past the end of host memory", native.Text(DriverResult.IllegalAddress), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_wait_for_an_event_streams_are_not_ordered()
    {
        // Lazily, only what is waited for runs: a missing wait always shows.
        Assert.Equal(new ulong[64], ThroughTwoStreams(Lazy, waits: false));
        Assert.Equal(Plus(1), ThroughTwoStreams(Lazy, waits: true));
        for (int seed = 0; seed < 8; seed++)
        {
            var options = NativeDriver.Small with { Execution = new() { Seed = seed } };
            Assert.Equal(Plus(1), ThroughTwoStreams(options, waits: true));
        }
    }

    private static ulong[] ThroughTwoStreams(VirtualDriverOptions options, bool waits)
    {
        using NativeDriver native = NativeDriver.WithContext(options);
        nint first = native.Stream(), second = native.Stream(), ready = native.Event(), cleared = native.Event();
        nint add = native.Function(DriverKernels.Text, "add");
        ulong x = native.Allocate(512), y = native.Allocate(512);
        native.Ok(native.Upload(x, Values, first));
        native.Ok(native.Fill(y, 0, 512, second));
        native.Ok(native.Record(cleared, second));
        native.Ok(native.WaitFor(first, cleared));
        native.Ok(native.Launch(add, 1, 64, first, [x, y, 1]));
        native.Ok(native.Record(ready, first));
        if (waits) native.Ok(native.WaitFor(second, ready));
        return native.Download(y, 64, second);
    }

    /// <summary>Two streams that may go on at the same moment: which does, the seed says; a wait orders them for every seed.</summary>
    [Fact]
    public void The_order_of_streams_is_drawn_from_the_seed()
    {
        var found = new HashSet<string>();
        for (int seed = 0; seed < 16; seed++)
        {
            VirtualDriverOptions options = NativeDriver.Small with { LogLaunches = true, Execution = new() { Seed = seed } };
            using NativeDriver native = NativeDriver.WithContext(options);
            nint gate = native.Stream(), first = native.Stream(), second = native.Stream(), open = native.Event(), end = native.Event();
            nint add = native.Function(DriverKernels.Text, "add"), scale = native.Function(DriverKernels.Text, "scale");
            ulong x = native.Allocate(512), flag = Flag(native, out ulong* host);
            native.Ok(native.Fill(x, 0, 512, gate));
            native.Ok(native.Launch(native.Function(DriverKernels.Text, "hold"), 1, 1, gate, [flag, x, 0]));
            native.Ok(native.Record(open, gate));
            native.Ok(native.WaitFor(first, open));
            native.Ok(native.WaitFor(second, open));
            native.Ok(native.Launch(add, 1, 64, first, [x, x, 5]));
            native.Ok(native.Launch(scale, 1, 64, second, [x, x, 2]));
            native.Ok(native.Record(end, first));
            native.Ok(native.WaitFor(second, end));
            Volatile.Write(ref *host, 1);
            ulong result = native.Download(x, 1, second)[0];
            string order = string.Join(' ', native.Driver.Launches.Select(l => l.Kernel));
            Assert.Equal(order == "hold add scale" ? 10ul : 5, result);
            found.Add(order);
        }
        Assert.Equal(["hold add scale", "hold scale add"], found.Order());
    }

    [Fact]
    public void A_free_waits_for_the_kernel_that_runs()
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { LogLaunches = true });
        nint stream = native.Stream(), started = native.Event(), spin = native.Function(DriverKernels.Text, "spin");
        ulong x = native.Allocate(8);
        native.Ok(native.Upload(x, [1], stream));
        native.Ok(native.Record(started, stream));
        native.Ok(native.Launch(spin, 1, 1, stream, [x, x, 300_000]));
        native.Ok(native.On("cuEventSynchronize", started));
        // Whether the kernel has begun or not, this process does not come to harm, and the kernel is right or is told.
        native.Ok(native.Free(x));
        DriverResult result = native.Synchronize(stream);
        if (native.Driver.Launches.Count == 1) native.Ok(result);
        else Assert.Equal(DriverResult.IllegalAddress, result);
    }

    /// <summary>Programs on several threads, each with a context of its own, on one driver.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Threads_with_contexts_of_their_own_do_not_disturb_each_other(bool lazy)
    {
        VirtualDeviceKind[] two = [VirtualDeviceKind.A100, VirtualDeviceKind.H100];
        using var native = new NativeDriver(NativeDriver.Small with { LazyDispatch = lazy, Devices = two });
        string[] failures = new string[4];
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(n => new Thread(() =>
        {
            try
            {
                Program(native, n);
            }
            catch (Exception e)
            {
                failures[n] = e.ToString();
            }
        }))];
        foreach (Thread t in threads) t.Start();
        foreach (Thread t in threads) t.Join();
        Assert.All(failures, Assert.Null);
        Assert.Equal(default, native.Driver.Live);
    }

    private static void Program(NativeDriver native, int number)
    {
        var random = new Random(number);
        for (int round = 0; round < 3; round++)
        {
            nint context = native.Context(number % 2), add = native.Function(DriverKernels.Text, "add");
            nint[] streams = [native.Stream(), native.Stream()];
            nint host = native.HostAllocate(512);
            ulong x = native.Allocate(512), expected = 0;
            native.Ok(native.Fill(x, 0, 512, streams[0]));
            nint last = native.Event();
            native.Ok(native.Record(last, streams[0]));
            for (int n = 0; n < 30; n++)
            {
                nint stream = streams[random.Next(2)];
                ulong value = (ulong)random.Next(100);
                native.Ok(native.WaitFor(stream, last));
                native.Ok(native.Launch(add, 1, 64, stream, [x, x, value]));
                native.Ok(native.Record(last, stream));
                expected += value;
                if (random.Next(5) == 0) native.Ok(native.Free(native.Allocate(4096)));
                if (random.Next(5) > 0) continue;
                native.Ok(native.Download(host, x, 512, stream));
                native.Ok(native.Record(last, stream));
                native.Ok(native.On("cuEventSynchronize", last));
                Assert.All(new Span<ulong>((void*)host, 64).ToArray(), v => Assert.Equal(expected, v));
            }
            if (round == 1)
            {
                // A fault of this one is nobody else's.
                native.Ok(native.Launch(add, 1, 65, streams[0], [x, x, 1]));
                Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(streams[0]));
            }
            native.Ok(native.On("cuCtxDestroy_v2", context));
        }
    }

    [Fact]
    public void Events_tell_whether_and_when()
    {
        using NativeDriver native = NativeDriver.WithContext(Lazy);
        nint stream = native.Stream(), start = native.Event(), end = native.Event(1), untimed = native.Event(2);
        ulong x = native.Allocate(512);
        native.Ok(native.On("cuEventQuery", start));
        native.Ok(native.On("cuEventSynchronize", start));
        native.Ok(native.WaitFor(stream, start));
        native.Ok(native.Record(start, stream));
        native.Ok(native.Fill(x, 1, 512, stream));
        native.Ok(native.Record(end, stream));
        native.Ok(native.Record(untimed, stream));
        Assert.Equal(DriverResult.NotReady, native.Elapsed(start, end, out _));
        // Whoever asks again and again comes to an end.
        int asked = 0;
        while (native.On("cuEventQuery", end) is var answer && answer != DriverResult.Success)
        {
            Assert.Equal(DriverResult.NotReady, answer);
            Assert.True(++asked < 10);
        }
        Assert.Equal(2, asked);
        native.Ok(native.Elapsed(start, end, out float milliseconds));
        Assert.InRange(milliseconds, 0, 60_000);
        native.Ok(native.On("cuEventSynchronize", untimed));
        Assert.Equal(DriverResult.InvalidHandle, native.Elapsed(start, untimed, out _));
        Assert.Equal(DriverResult.InvalidHandle, native.Elapsed(start, native.Event(), out _));
        native.Ok(native.On("cuEventDestroy_v2", start));
        Assert.Equal(DriverResult.InvalidHandle, native.On("cuEventQuery", start));
    }

    [Fact]
    public void Work_runs_beside_the_host()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), done = native.Event();
        ulong flag = Flag(native, out ulong* host);
        native.Ok(native.Launch(native.Function(DriverKernels.Text, "hold"), 1, 1, stream, [flag, flag, 0]));
        native.Ok(native.Record(done, stream));
        for (int n = 0; n < 3; n++) Assert.Equal(DriverResult.NotReady, native.On("cuEventQuery", done));
        Volatile.Write(ref *host, 1);
        native.Ok(native.Synchronize(stream));
        native.Ok(native.On("cuEventQuery", done));
    }

    /// <summary>A word of pinned memory that is 0: its address for kernels and for the host.</summary>
    private static ulong Flag(NativeDriver native, out ulong* host)
    {
        host = (ulong*)native.HostAllocate(8);
        *host = 0;
        native.Ok(native.AddressOf((nint)host, out ulong address));
        return address;
    }

    [Fact]
    public void Copies_and_fills_have_any_size_and_place()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream();
        ulong a = native.Allocate(1000), b = native.Allocate(1000);
        var random = new Random(5);
        var model = new byte[2][];
        model[0] = new byte[1000];
        model[1] = new byte[1000];
        native.Ok(native.Fill(a, 0, 1000, stream));
        native.Ok(native.Fill(b, 0, 1000, stream));
        ulong[] places = [a, b];
        for (int n = 0; n < 200; n++)
        {
            int bytes = random.Next(0, 300), to = random.Next(1001 - bytes), from = random.Next(1001 - bytes), d = random.Next(2);
            if (random.Next(2) == 0)
            {
                native.Ok(native.Fill(places[d] + (ulong)to, (byte)n, bytes, stream));
                model[d].AsSpan(to, bytes).Fill((byte)n);
                continue;
            }
            native.Ok(native.Copy(places[d] + (ulong)to, places[1 - d] + (ulong)from, bytes, stream));
            model[1 - d].AsSpan(from, bytes).CopyTo(model[d].AsSpan(to));
        }
        for (int d = 0; d < 2; d++)
            Assert.True(MemoryMarshal.AsBytes(native.Download(places[d], 125, stream).AsSpan()).SequenceEqual(model[d]));
        Assert.Equal(DriverResult.InvalidValue, native.Fill(a + 1, 0, 1000, stream));
        Assert.Equal(DriverResult.InvalidValue, native.Copy(a, b + 999, 2, stream));
        Assert.Equal(DriverResult.InvalidValue, native.Upload(a + 993, [1], stream));
        Assert.Equal(DriverResult.InvalidHandle, native.Fill(a, 0, 1, 0));
        native.Ok(native.Synchronize(stream));
    }

    [Fact]
    public void Memory_that_nothing_wrote_stays_undefined_when_it_is_copied()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        ulong x = native.Allocate(512), copy = native.Allocate(512);
        native.Ok(native.Upload(x, Values.AsSpan(0, 63), stream));
        native.Ok(native.Copy(copy, x, 512, stream));
        native.Ok(native.Launch(add, 1, 63, stream, [copy, copy, 1]));
        native.Ok(native.Synchronize(stream));
        native.Ok(native.Launch(add, 1, 64, stream, [copy, copy, 1]));
        Assert.Equal(DriverResult.LaunchFailed, native.Synchronize(stream));
        Assert.Contains("byte 504 of allocation 2", native.Text(DriverResult.LaunchFailed), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_is_as_much_as_the_device_has()
    {
        using NativeDriver native = NativeDriver.WithContext();
        Assert.Equal((64 << 20, 64 << 20), native.Memory());
        ulong x = native.Allocate(40 << 20);
        Assert.Equal((24 << 20, 64 << 20), native.Memory());
        Assert.Equal(DriverResult.OutOfMemory, native.Allocate((24 << 20) + 1, out _));
        Assert.Equal(DriverResult.OutOfMemory, native.Create(25 << 20, out _));
        Assert.Equal(DriverResult.OutOfMemory, native.Allocate(long.MaxValue, out _));
        Assert.Equal(DriverResult.InvalidValue, native.Allocate(0, out _));
        nint other = native.Context();
        Assert.Equal((24 << 20, 64 << 20), native.Memory());
        native.Allocate(24 << 20);
        Assert.Equal(DriverResult.OutOfMemory, native.Allocate(1, out _));
        native.Ok(native.On("cuCtxDestroy_v2", other));
        native.Ok(native.Free(x));
        Assert.Equal(DriverResult.InvalidValue, native.Free(x));
        native.Ok(native.Free(0));
        Assert.Equal((64 << 20, 64 << 20), native.Memory());
    }
}
