using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>
/// Work of two streams at the same memory without a wait between is found, in whatever order it ran; what is ordered is not told.
/// </summary>
public sealed unsafe class DriverStreamRaceTests
{
    private static readonly ulong[] Values = [.. Enumerable.Range(1, 64).Select(n => (ulong)n)];

    private static VirtualDriverOptions Checked { get; } = NativeDriver.Small with { CheckStreams = true };

    /// <summary>How the second stream, or the host, comes to know that the first is through.</summary>
    [Theory]
    [InlineData("event", false)]
    [InlineData("event that was done", false)]
    [InlineData("host waits for the stream", false)]
    [InlineData("host waits for the event", false)]
    [InlineData("host asks for the event", false)]
    [InlineData("by a third stream", false)]
    [InlineData("nothing", true)]
    [InlineData("an event that was recorded before", true)]
    [InlineData("host waits for another stream", true)]
    public void Streams_that_meet_need_a_wait_between(string between, bool isRace)
    {
        for (int seed = 1; seed <= 3; seed++)
        {
            using NativeDriver native = NativeDriver.WithContext(Checked with { Execution = new() { Seed = seed } });
            nint first = native.Stream(), second = native.Stream(), third = native.Stream(), done = native.Event(), passed = native.Event();
            nint add = native.Function(DriverKernels.Text, "add");
            ulong x = native.Allocate(512), y = native.Allocate(512), z = native.Allocate(512);
            native.Ok(native.Upload(y, Values, first));
            native.Ok(native.On("cuStreamSynchronize", first));
            native.Ok(native.Upload(x, Values, first));
            if (between == "an event that was recorded before") native.Ok(native.Record(done, first));
            native.Ok(native.Launch(add, 2, 32, first, [x, y, 5]));
            if (between != "an event that was recorded before") native.Ok(native.Record(done, first));
            switch (between)
            {
                case "event" or "an event that was recorded before":
                    native.Ok(native.WaitFor(second, done));
                    break;
                case "event that was done":
                    native.Ok(native.On("cuStreamSynchronize", first));
                    native.Ok(native.WaitFor(second, done));
                    break;
                case "host waits for the stream":
                    native.Ok(native.On("cuStreamSynchronize", first));
                    break;
                case "host waits for the event":
                    native.Ok(native.On("cuEventSynchronize", done));
                    break;
                case "host asks for the event":
                    SpinWait.SpinUntil(() => native.On("cuEventQuery", done) == DriverResult.Success);
                    break;
                case "by a third stream":
                    native.Ok(native.WaitFor(third, done));
                    native.Ok(native.Record(passed, third));
                    native.Ok(native.WaitFor(second, passed));
                    break;
                case "host waits for another stream":
                    native.Ok(native.On("cuStreamSynchronize", third));
                    break;
                default:
                    break;
            }
            native.Launch(add, 2, 32, second, [y, z, 1]);
            DriverResult end = native.On("cuStreamSynchronize", second), other = native.On("cuStreamSynchronize", first);
            if (!isRace)
            {
                native.Ok(end);
                native.Ok(other);
                Assert.Equal(Values.Select(v => v + 6), native.Download(z, 64, second));
                continue;
            }
            Assert.Equal(DriverResult.LaunchFailed, other);
            Assert.Contains("race between streams at byte", native.Driver.LastError);
            Assert.Contains("add in stream", native.Driver.LastError);
        }
    }

    /// <summary>Both only read, bytes beside each other, or memory that came to lie where other memory was freed.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void What_does_not_meet_needs_none(int how)
    {
        using NativeDriver native = NativeDriver.WithContext(Checked with { ReuseAddresses = true });
        nint first = native.Stream(), second = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        ulong x = native.Allocate(1024), y = native.Allocate(512), z = native.Allocate(512);
        native.Ok(native.Upload(x, Values, first));
        native.Ok(native.Upload(x + 512, Values, first));
        native.Ok(native.On("cuStreamSynchronize", first));
        native.Ok(native.Launch(add, 2, 32, first, [x, y, 5]));
        if (how == 0) native.Ok(native.Launch(add, 2, 32, second, [x, z, 5]));
        if (how == 1) native.Ok(native.Launch(add, 2, 32, second, [x, x + 512, 5]));
        if (how == 2)
        {
            native.Ok(native.On("cuStreamSynchronize", first));
            native.Ok(native.Free(y));
            Assert.Equal(y, native.Allocate(512));
            native.Ok(native.Upload(y, Values, second));
        }
        native.Ok(native.On("cuStreamSynchronize", second));
        native.Ok(native.On("cuStreamSynchronize", first));
    }

    /// <summary>
    /// A program that remembers by address what it uploaded does not upload it again. Where no address is given twice, all is well; where
    /// the address comes back it finds what lay there since.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_known_by_a_freed_address_shows_where_addresses_come_back(bool reuse)
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { ReuseAddresses = reuse });
        nint stream = native.Stream();
        var uploaded = new HashSet<ulong>();
        ulong[] other = [.. Values.Select(v => v + 100)];
        Assert.Equal(Values, Round(Values));
        ulong[] seen = Round(other);
        Assert.Equal(!reuse, seen.SequenceEqual(other));

        ulong[] Round(ulong[] values)
        {
            ulong at = native.Allocate(512);
            if (uploaded.Add(at)) native.Ok(native.Upload(at, values, stream));
            ulong[] found = native.Download(at, 64, stream);
            native.Ok(native.Free(at));
            return found;
        }
    }

    /// <summary>
    /// The other way round: who uses what was freed meets nothing where addresses do not come back, somebody else's where they do.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_used_after_it_was_freed_is_a_fault_where_no_address_comes_back(bool reuse)
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { ReuseAddresses = reuse });
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        ulong x = native.Allocate(512), y = native.Allocate(512);
        native.Ok(native.Free(x));
        ulong next = native.Allocate(512);
        Assert.Equal(reuse, next == x);
        native.Ok(native.Upload(next, Values, stream));
        native.Ok(native.Launch(add, 2, 32, stream, [x, y, 5]));
        Assert.Equal(reuse ? DriverResult.Success : DriverResult.IllegalAddress, native.On("cuStreamSynchronize", stream));
    }
}
