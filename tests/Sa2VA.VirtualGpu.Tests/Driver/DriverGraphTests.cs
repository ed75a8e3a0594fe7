using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Captures, and graphs that replay them.</summary>
public sealed unsafe class DriverGraphTests
{
    private static readonly ulong[] Values = [.. Enumerable.Range(1, 64).Select(n => (ulong)n)];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_graph_repeats_what_was_captured_with_the_parameters_of_then(bool lazy)
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { LazyDispatch = lazy });
        nint stream = native.Stream(), other = native.Stream(), source = native.HostAllocate(512), result = native.HostAllocate(512);
        nint add = native.Function(DriverKernels.Text, "add"), scale = native.Function(DriverKernels.Text, "scale");
        ulong x = native.Allocate(512), y = native.Allocate(512);
        var from = new Span<ulong>((void*)source, 64);
        var to = new Span<ulong>((void*)result, 64);
        native.Ok(native.BeginCapture(stream));
        native.Ok(native.Upload(x, source, 512, stream));
        ulong[] parameters = [x, y, 5];
        native.Ok(native.Launch(add, 1, 64, stream, parameters));
        parameters[2] = 1000;
        native.Ok(native.Launch(scale, 1, 64, stream, [x, y, 2]));
        native.Ok(native.Download(result, y, 512, stream));
        native.Ok(native.EndCapture(stream, out nint graph));
        nint executable = native.Instantiate(graph);
        native.Ok(native.On("cuGraphDestroy", graph));
        // Nothing has run yet.
        to.Clear();
        native.Ok(native.Synchronize(stream));
        Assert.True(to.SequenceEqual(new ulong[64]));
        for (ulong turn = 0; turn < 3; turn++)
        {
            for (int n = 0; n < 64; n++) from[n] = Values[n] * turn;
            nint on = turn == 1 ? other : stream;
            native.Ok(native.LaunchGraph(executable, on));
            native.Ok(native.Synchronize(on));
            for (int n = 0; n < 64; n++) Assert.Equal(2 * (Values[n] * turn + 5), to[n]);
        }
        native.Ok(native.On("cuGraphExecDestroy", executable));
        Assert.Equal(DriverResult.InvalidHandle, native.LaunchGraph(executable, stream));
        Assert.Equal(0, native.Driver.Live.Graphs);
    }

    /// <summary>The nodes of two branches run in every order that their edges allow, and in no other.</summary>
    [Fact]
    public void Forks_and_joins_by_events_are_edges_of_the_graph()
    {
        var orders = new HashSet<string>();
        for (int seed = 0; seed < 40; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(
                NativeDriver.Small with { LogLaunches = true, Execution = new() { Seed = seed } });
            nint main = native.Stream(), side = native.Stream(), fork = native.Event(), join = native.Event();
            nint add = native.Function(DriverKernels.Text, "add"), scale = native.Function(DriverKernels.Text, "scale");
            nint shared = native.Function(DriverKernels.Text, "shared"), spin = native.Function(DriverKernels.Text, "spin");
            ulong a = native.Allocate(512), b = native.Allocate(512), c = native.Allocate(512), d = native.Allocate(512);
            native.Ok(native.Upload(a, Values, main));
            native.Ok(native.Synchronize(main));
            native.Ok(native.BeginCapture(main));
            native.Ok(native.Launch(add, 1, 64, main, [a, b, 1]));
            native.Ok(native.Record(fork, main));
            native.Ok(native.WaitFor(side, fork));
            native.Ok(native.Launch(scale, 1, 64, main, [a, b, 2]));
            native.Ok(native.Launch(shared, 1, 64, side, [a, c, 0], 512));
            native.Ok(native.Record(join, side));
            native.Ok(native.WaitFor(main, join));
            native.Ok(native.Launch(spin, 1, 64, main, [b, d, 3]));
            native.Ok(native.EndCapture(main, out nint graph));
            // Both streams are free again.
            native.Ok(native.LaunchGraph(native.Instantiate(graph), side));
            Assert.Equal(Values.Select(v => 2 * (v + 1)), native.Download(d, 64, side));
            Assert.Equal(Values, native.Download(c, 64, side));
            orders.Add(string.Join(' ', native.Driver.Launches.Select(l => l.Kernel)));
        }
        Assert.Equal(["add scale shared spin", "add shared scale spin"], orders.Order());
    }

    [Fact]
    public void Launches_of_one_graph_follow_each_other()
    {
        for (int seed = 0; seed < 8; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { Execution = new() { Seed = seed } });
            nint main = native.Stream(), other = native.Stream(), add = native.Function(DriverKernels.Text, "add");
            ulong x = native.Allocate(512);
            native.Ok(native.Fill(x, 0, 512, main));
            native.Ok(native.Synchronize(main));
            native.Ok(native.BeginCapture(main));
            for (int n = 0; n < 4; n++) native.Ok(native.Launch(add, 1, 64, main, [x, x, 1]));
            native.Ok(native.EndCapture(main, out nint graph));
            nint executable = native.Instantiate(graph);
            native.Ok(native.LaunchGraph(executable, main));
            native.Ok(native.LaunchGraph(executable, other));
            Assert.All(native.Download(x, 64, other), v => Assert.Equal(8ul, v));
        }
    }

    [Fact]
    public void What_cannot_be_captured_makes_the_capture_invalid()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), other = native.Stream(), mark = native.Event(), outside = native.Event();
        ulong x = native.Allocate(512);
        native.Ok(native.Record(outside, other));
        native.Ok(native.Synchronize(other));
        var forbidden = new (DriverResult Result, Func<DriverResult> Call)[]
        {
            (DriverResult.StreamCaptureUnsupported, () => native.Synchronize(stream)),
            (DriverResult.StreamCaptureUnsupported, () => native.Allocate(16, out _)),
            (DriverResult.StreamCaptureUnsupported, () => native.Free(x)),
            (DriverResult.StreamCaptureUnsupported, () => native.HostAllocate(16, out _)),
            (DriverResult.StreamCaptureUnsupported, () => native.Upload(x, Values, stream)),
            (DriverResult.StreamCaptureUnsupported, () => native.On("cuStreamDestroy_v2", stream)),
            (DriverResult.StreamCaptureUnsupported, () => native.On("cuEventQuery", outside)),
            (DriverResult.CapturedEvent, () => native.On("cuEventQuery", mark)),
            (DriverResult.CapturedEvent, () => native.On("cuEventSynchronize", mark)),
            (DriverResult.StreamCaptureIsolation, () => native.WaitFor(stream, outside)),
        };
        foreach ((DriverResult result, Func<DriverResult> call) in forbidden)
        {
            native.Ok(native.BeginCapture(stream));
            native.Ok(native.Fill(x, 0, 512, stream));
            native.Ok(native.Record(mark, stream));
            Assert.Equal(result, call());
            Assert.Equal(DriverResult.StreamCaptureInvalidated, native.Fill(x, 0, 512, stream));
            Assert.Equal(DriverResult.StreamCaptureInvalidated, native.EndCapture(stream, out nint graph));
            Assert.Equal(0, graph);
            native.Ok(native.Synchronize(stream));
        }
        // Relaxed, the same thread may allocate; by a global capture no thread may.
        native.Ok(native.BeginCapture(stream, mode: 2));
        native.Ok(native.Free(native.Allocate(16)));
        native.Ok(native.On("cuEventQuery", outside));
        native.Ok(native.EndCapture(stream, out _));
        foreach ((uint mode, DriverResult expected) in new[] { (0u, DriverResult.StreamCaptureUnsupported), (1u, DriverResult.Success) })
        {
            native.Ok(native.BeginCapture(stream, mode));
            native.Ok(native.Pop(out nint context));
            DriverResult result = DriverResult.Unknown;
            var thread = new Thread(() => native.In(context, () => result = native.Allocate(16, out _)));
            thread.Start();
            thread.Join();
            Assert.Equal(expected, result);
            native.Ok(native.On("cuCtxPushCurrent_v2", context));
            native.EndCapture(stream, out _);
        }
    }

    [Fact]
    public void A_capture_ends_where_it_began_and_whole()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint main = native.Stream(), side = native.Stream(), fork = native.Event(), second = native.Event();
        ulong x = native.Allocate(512);
        Assert.Equal(DriverResult.IllegalState, native.EndCapture(main, out _));
        native.Ok(native.BeginCapture(main));
        Assert.Equal(DriverResult.IllegalState, native.BeginCapture(main));
        native.Ok(native.Record(fork, main));
        native.Ok(native.WaitFor(side, fork));
        native.Ok(native.Fill(x, 0, 512, side));
        Assert.Equal(DriverResult.StreamCaptureUnjoined, native.EndCapture(main, out _));
        native.Ok(native.Synchronize(side));
        Assert.Equal(DriverResult.CapturedEvent, native.WaitFor(side, fork));

        native.Ok(native.BeginCapture(main));
        native.Ok(native.Record(fork, main));
        native.Ok(native.WaitFor(side, fork));
        Assert.Equal(DriverResult.StreamCaptureUnmatched, native.EndCapture(side, out _));
        Assert.Equal(DriverResult.StreamCaptureInvalidated, native.EndCapture(main, out _));

        native.Ok(native.BeginCapture(main));
        native.Ok(native.BeginCapture(side));
        native.Ok(native.Record(fork, main));
        native.Ok(native.Record(second, side));
        Assert.Equal(DriverResult.StreamCaptureMerge, native.WaitFor(side, fork));
        Assert.Equal(DriverResult.StreamCaptureInvalidated, native.EndCapture(main, out _));
        Assert.Equal(DriverResult.StreamCaptureInvalidated, native.EndCapture(side, out _));

        native.Ok(native.BeginCapture(main));
        native.Ok(native.Pop(out nint context));
        DriverResult result = DriverResult.Success;
        var thread = new Thread(() => native.In(context, () => result = native.EndCapture(main, out _)));
        thread.Start();
        thread.Join();
        Assert.Equal(DriverResult.StreamCaptureWrongThread, result);
    }

    [Fact]
    public void A_graph_whose_memory_is_gone_is_a_fault()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        ulong x = native.Allocate(512);
        native.Ok(native.BeginCapture(stream));
        native.Ok(native.Fill(x, 0, 512, stream));
        native.Ok(native.Launch(add, 1, 64, stream, [x, x, 1]));
        native.Ok(native.EndCapture(stream, out nint graph));
        nint executable = native.Instantiate(graph);
        native.Ok(native.LaunchGraph(executable, stream));
        native.Ok(native.Synchronize(stream));
        native.Ok(native.Free(x));
        native.Ok(native.LaunchGraph(executable, stream));
        Assert.Equal(DriverResult.IllegalAddress, native.Synchronize(stream));
        Assert.Contains("inside allocation 1 of context 1, which was freed", native.Text(DriverResult.IllegalAddress),
            StringComparison.Ordinal);
    }
}
