using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>
/// Launches that may begin before the one before them has ended (programmatic stream serialization): those that wait for it are right in
/// every order; those that do not are found, and wrong in some.
/// </summary>
public sealed unsafe class DriverDependentLaunchTests
{
    private const int Count = 256, Bytes = 8 * Count, Seeds = 6;

    private static readonly ulong[] Values = [.. Enumerable.Range(1, Count).Select(n => (ulong)n)];

    private static VirtualDriverOptions Options(int seed, bool checks = true) => NativeDriver.Small with
    {
        Devices = [VirtualDeviceKind.H100], LazyDispatch = true, Execution = new() { Seed = seed, Checks = checks, Workers = 2 },
    };

    /// <summary>A launch, and whether it may begin early.</summary>
    private readonly record struct Step(string Kernel, int From, int To, bool Early = true);

    /// <summary>Launches kernels one behind the other over four arrays, of which the first holds values and the others zeros.</summary>
    /// <returns>What the arrays hold.</returns>
    private static ulong[][] Run(NativeDriver native, bool captured, ReadOnlySpan<Step> steps, Action<int, nint>? between = null)
    {
        nint stream = native.Stream();
        native.Ok(native.Load(DependentKernels.Text, out nint module));
        ulong[] arrays = [.. Enumerable.Range(0, 4).Select(_ => native.Allocate(Bytes))];
        native.Ok(native.Upload(arrays[0], Values, stream));
        foreach (ulong a in arrays[1..]) native.Ok(native.Fill(a, 0, Bytes, stream));
        if (captured) native.Ok(native.BeginCapture(stream));
        for (int n = 0; n < steps.Length; n++)
        {
            (string kernel, int from, int to, bool early) = steps[n];
            native.Ok(native.Function(module, kernel, out nint function));
            native.Ok(native.LaunchEarly(function, Count / 64, 64, stream, [arrays[from], arrays[to], 1], early));
            between?.Invoke(n, stream);
        }
        if (captured)
        {
            native.Ok(native.EndCapture(stream, out nint graph));
            native.Ok(native.LaunchGraph(native.Instantiate(graph), stream));
        }
        DriverResult result = native.Synchronize(stream);
        if (result != DriverResult.Success) throw new InvalidOperationException($"{result}: {native.Driver.LastError}");
        return [.. arrays.Select(a => native.Download(a, Count, stream))];
    }

    private static string Fault(int seed, bool captured, params Step[] steps)
    {
        using NativeDriver native = NativeDriver.WithContext(Options(seed));
        InvalidOperationException fault = Assert.Throws<InvalidOperationException>(() => Run(native, captured, steps));
        Assert.StartsWith("LaunchFailed", fault.Message, StringComparison.Ordinal);
        return fault.Message;
    }

    /// <summary>All of three launches wait; what they must not touch before, they touch behind, or know of by barriers.</summary>
    [Theory]
    [InlineData("waits", "waits")]
    [InlineData("lets_go_first", "waits")]
    [InlineData("lets_go_first", "lets_go_first")]
    [InlineData("lets_go_last", "one_waits")]
    [InlineData("one_waits", "waits")]
    public void Launches_that_wait_are_right_in_any_order(string second, string third)
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(seed));
            ulong[][] found = Run(native, captured: seed % 2 == 0, [new("first", 0, 1), new(second, 1, 2), new(third, 2, 3)]);
            Assert.Equal(Values.Select(v => v + 3), found[3]);
        }
    }

    [Theory]
    [InlineData("reads_first")]
    [InlineData("never_waits")]
    [InlineData("one_warp_waits")]
    [InlineData("bulk_first")]
    public void What_the_launch_before_writes_is_read_too_early(string kernel)
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            string message = Fault(seed, seed % 2 == 0, new("first", 0, 1, Early: false), new(kernel, 1, 2));
            Assert.Contains($"{kernel} touches byte", message, StringComparison.Ordinal);
            Assert.Contains("before griddepcontrol.wait, while first, launched before it, may still run, which writes it", message,
                StringComparison.Ordinal);
            Assert.Contains(kernel == "bulk_first" ? "(cp.async.bulk" : $"{kernel} reads at PTX line", message, StringComparison.Ordinal);
            Assert.Contains("first writes at PTX line", message, StringComparison.Ordinal);
            Assert.Contains("(st.global.u64 [%rd3], %rd5;", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_the_launch_before_reads_or_writes_is_overwritten_too_early()
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            string message = Fault(seed, captured: false, new("first", 0, 1), new("writes_first", 2, 0));
            Assert.Contains("writes_first writes at PTX line", message, StringComparison.Ordinal);
            Assert.Contains("first reads at PTX line", message, StringComparison.Ordinal);
            message = Fault(seed, captured: true, new("first", 0, 1), new("writes_first", 2, 1));
            Assert.Contains("writes_first writes at PTX line", message, StringComparison.Ordinal);
            Assert.Contains("first writes at PTX line", message, StringComparison.Ordinal);
        }
    }

    /// <summary>Nobody checks, and still it shows.</summary>
    [Fact]
    public void Who_reads_too_early_gets_it_wrong_in_some_order()
    {
        int wrong = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(seed, checks: false));
            ulong[] found = Run(native, seed % 2 == 0, [new("first", 0, 1), new("reads_first", 1, 2)])[2];
            if (!found.SequenceEqual(Values.Select(v => v + 2))) wrong++;
        }
        Assert.InRange(wrong, 3, 11);
    }

    [Fact]
    public void Without_the_attribute_launches_follow_each_other_and_a_wait_is_nothing()
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(seed));
            ulong[][] found = Run(native, seed % 2 == 0,
                [new("first", 0, 1, false), new("never_waits", 1, 2, false), new("reads_first", 2, 3, false)]);
            Assert.Equal(Values.Select(v => v + 3), found[3]);
        }
    }

    /// <summary>What comes between, or that the host has waited, orders the two.</summary>
    [Theory]
    [InlineData("copy")]
    [InlineData("event")]
    [InlineData("host")]
    public void Where_something_else_orders_them_no_wait_is_needed(string what)
    {
        for (int seed = 0; seed < 3; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(seed));
            ulong other = native.Allocate(8);
            nint done = native.Event();
            ulong[][] found = Run(native, captured: false, [new("first", 0, 1), new("never_waits", 1, 2)], (n, stream) =>
            {
                if (n > 0) return;
                native.Ok(what switch
                {
                    "copy" => native.Fill(other, 1, 8, stream),
                    "event" => native.Record(done, stream),
                    _ => native.Synchronize(stream),
                });
            });
            Assert.Equal(Values.Select(v => v + 2), found[2]);
        }
    }

    /// <summary>
    /// The third launch reads what the first wrote. Its wait ends with the second, and the second's end says nothing of the first where the
    /// second did not wait; where the second lets it go behind its own wait, it need not wait at all for that.
    /// </summary>
    [Fact]
    public void A_wait_reaches_as_far_back_as_the_launch_before_waited()
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            bool captured = seed % 2 == 0;
            Step first = new("first", 0, 1), reader = new("loads_other_first", 1, 3), patient = new("waits", 1, 3);
            string message = Fault(seed, captured, first, new("never_waits", 0, 2), patient);
            Assert.Contains("the kernel between the two never waits", message, StringComparison.Ordinal);
            Assert.Contains("waits reads at PTX line", message, StringComparison.Ordinal);
            message = Fault(seed, captured, first, new("lets_go_first", 0, 2), reader);
            Assert.Contains("loads_other_first reads at PTX line", message, StringComparison.Ordinal);
            Assert.Contains("first writes at PTX line", message, StringComparison.Ordinal);
            foreach (string second in new[] { "lets_go_last", "waits" })
            {
                using NativeDriver native = NativeDriver.WithContext(Options(seed));
                Assert.Equal(Values.Select(v => v + 2), Run(native, captured, [first, new(second, 0, 2), reader])[3]);
            }
        }
    }

    /// <summary>Behind what other threads tell it by an mbarrier, of copies that were issued behind the wait.</summary>
    [Fact]
    public void A_wait_is_passed_on_by_mbarriers_and_bulk_copies()
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(seed));
            ulong[][] found = Run(native, seed % 2 == 0, [new("first", 0, 1), new("bulk", 1, 2), new("waits", 2, 3)]);
            // Each block copies the first 64.
            Assert.Equal(Enumerable.Range(0, Count).Select(n => (ulong)(n % 64 + 4)), found[3]);
        }
    }

    /// <summary>Two branches: what an event orders needs no wait, and what begins early does so in its own branch only.</summary>
    [Fact]
    public void Early_edges_of_a_graph_are_those_of_one_stream()
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(seed));
            nint main = native.Stream(), side = native.Stream(), fork = native.Event(), join = native.Event();
            native.Ok(native.Load(DependentKernels.Text, out nint module));
            native.Ok(native.Function(module, "first", out nint first));
            native.Ok(native.Function(module, "never_waits", out nint never));
            ulong x = native.Allocate(Bytes), y = native.Allocate(Bytes), z = native.Allocate(Bytes), u = native.Allocate(Bytes);
            native.Ok(native.Upload(x, Values, main));
            native.Ok(native.BeginCapture(main));
            native.Ok(native.LaunchEarly(first, 4, 64, main, [x, y, 1], early: true));
            native.Ok(native.Record(fork, main));
            native.Ok(native.WaitFor(side, fork));
            native.Ok(native.LaunchEarly(never, 4, 64, side, [y, z, 1], early: true));
            native.Ok(native.Record(join, side));
            native.Ok(native.WaitFor(main, join));
            native.Ok(native.LaunchEarly(never, 4, 64, main, [z, u, 1], early: true));
            native.Ok(native.EndCapture(main, out nint graph));
            native.Ok(native.LaunchGraph(native.Instantiate(graph), main));
            Assert.Equal(Values.Select(v => v + 3), native.Download(u, Count, main));
        }
    }

    [Fact]
    public void Launches_that_cannot_begin_early_are_refused()
    {
        using NativeDriver older = NativeDriver.WithContext();
        nint add = older.Function(DriverKernels.Text, "add"), stream = older.Stream();
        ulong x = older.Allocate(Bytes);
        Assert.Equal(DriverResult.NotSupported, older.LaunchEarly(add, 1, 64, stream, [x, x, 1], early: true));
        Assert.Contains("needs compute capability 9.0", older.Driver.LastError!, StringComparison.Ordinal);
        using NativeDriver hopper = NativeDriver.WithContext(Options(1) with { Version = 12020 });
        stream = hopper.Stream();
        nint first = hopper.Function(DriverKernels.Text.Replace(".version 8.4", ".version 7.8", StringComparison.Ordinal), "add");
        x = hopper.Allocate(Bytes);
        Assert.Equal(DriverResult.NotSupported, hopper.LaunchEarly(first, 1, 64, stream, [x, x, 1], early: true, attribute: 7));
        Assert.Equal(DriverResult.InvalidValue, hopper.LaunchEarly(first, 0, 64, stream, [x, x, 1], early: true));
        hopper.Ok(hopper.LaunchEarly(first, 1, 64, stream, [x, x, 1], early: true, attribute: 8));
        hopper.Ok(hopper.BeginCapture(stream));
        Assert.Equal(DriverResult.StreamCaptureUnsupported, hopper.LaunchEarly(first, 1, 64, stream, [x, x, 1], early: true));
        Assert.Contains("12.3", hopper.Driver.LastError!, StringComparison.Ordinal);
    }

    /// <summary>Clusters by a launch's attribute: a grid of whole ones, of 1 to 8 blocks, on devices that have them.</summary>
    [Fact]
    public void Launches_say_how_many_blocks_a_cluster_has()
    {
        const int Cluster = 4;
        using NativeDriver native = NativeDriver.WithContext(Options(1) with { LogLaunches = true });
        string text = DependentKernels.Text.Replace("add.s64 %rd5, %rd5, %rd4;", "mov.u32 %r6, %cluster_nctarank;\ncvt.u64.u32 %rd5, %r6;",
            StringComparison.Ordinal);
        nint stream = native.Stream(), kernel = native.Function(text, "first");
        ulong x = native.Allocate(Bytes);
        native.Ok(native.Upload(x, Values, stream));
        native.Ok(native.LaunchEarly(kernel, 4, 64, stream, [x, x, 1], early: true, Cluster, value: 2));
        Assert.All(native.Download(x, Count, stream), n => Assert.Equal(2u, n));
        native.Ok(native.LaunchEarly(kernel, 8, 32, stream, [x, x, 1], early: true, Cluster, value: 8));
        Assert.All(native.Download(x, Count, stream), n => Assert.Equal(8u, n));
        Assert.Equal(DriverResult.InvalidClusterSize, native.LaunchEarly(kernel, 9, 8, stream, [x, x, 1], early: true, Cluster, value: 9));
        Assert.Equal(DriverResult.InvalidClusterSize, native.LaunchEarly(kernel, 4, 64, stream, [x, x, 1], early: false, Cluster));
        Assert.Equal(DriverResult.InvalidValue, native.LaunchEarly(kernel, 3, 64, stream, [x, x, 1], early: true, Cluster, value: 2));
        Assert.Contains("no whole clusters of (2, 1, 1)", native.Driver.LastError!, StringComparison.Ordinal);
        using NativeDriver older = NativeDriver.WithContext();
        nint add = older.Function(DriverKernels.Text, "add"), queue = older.Stream();
        Assert.Equal(DriverResult.NotSupported, older.LaunchEarly(add, 2, 64, queue, [x, x, 1], early: true, Cluster, value: 2));
    }

    [Fact]
    public void The_model_gives_an_early_launch_less()
    {
        double[] seconds = new double[2];
        for (int early = 0; early < 2; early++)
        {
            using NativeDriver native = NativeDriver.WithContext(Options(1) with { ModelTimes = true, LogLaunches = true });
            Run(native, captured: false, [new("first", 0, 1), new("waits", 1, 2, early == 1)]);
            seconds[early] = native.Driver.Launches[^1].Time!.Seconds;
        }
        Assert.Equal(0.86e-6 - 0.57e-6, seconds[0] - seconds[1], 1e-9);
    }
}
