using Sa2VA.VirtualGpu.Driver;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Modelled times of launches, and events that tell them.</summary>
public sealed class DriverTimeTests
{
    private static VirtualDriverOptions Modelled(VirtualDeviceKind kind) => NativeDriver.Small with
    {
        Devices = [kind], ModelTimes = true, LogLaunches = true,
    };

    [Fact]
    public void Events_tell_what_a_card_would_take()
    {
        using NativeDriver native = NativeDriver.WithContext(Modelled(VirtualDeviceKind.H100));
        nint stream = native.Stream(), spin = native.Function(DriverKernels.Text, "spin");
        ulong x = native.Allocate(512), y = native.Allocate(512);
        native.Ok(native.Upload(x, new ulong[64], stream));
        nint[] events = [native.Event(), native.Event(), native.Event()];
        native.Ok(native.Record(events[0], stream));
        native.Ok(native.Launch(spin, 2, 32, stream, [x, y, 100]));
        native.Ok(native.Record(events[1], stream));
        native.Ok(native.Launch(spin, 2, 32, stream, [x, y, 10_000]));
        native.Ok(native.Record(events[2], stream));
        native.Ok(native.Synchronize(stream));
        native.Ok(native.Elapsed(events[0], events[1], out float first));
        native.Ok(native.Elapsed(events[1], events[2], out float second));
        ModelledTime[] times = [.. native.Driver.Launches.Select(l => Assert.IsType<ModelledTime>(l.Time))];
        Assert.Equal(1e3 * times[0].Seconds, first, 5);
        Assert.Equal(1e3 * times[1].Seconds, second, 5);
        Assert.Equal(TimeLimit.Latency, times[1].Limit);
        // Of each turn of the loop an addition, a comparison and the branch that waits for it: 15 to 30 clocks.
        double clocks = (second - first) * 1e-3 * CardRates.H100.Gigahertz * 1e9 / 9900;
        Assert.InRange(clocks, 15, 30);
    }

    [Fact]
    public void The_card_decides()
    {
        ModelledTime Spin(VirtualDeviceKind kind, Func<string, int, int?>? registers = null)
        {
            using NativeDriver native = NativeDriver.WithContext(Modelled(kind) with { Registers = registers });
            nint stream = native.Stream(), spin = native.Function(DriverKernels.Text, "spin");
            ulong x = native.Allocate(512);
            native.Ok(native.Upload(x, new ulong[64], stream));
            native.Ok(native.Launch(spin, 2, 32, stream, [x, native.Allocate(512), 10_000]));
            native.Ok(native.Synchronize(stream));
            return native.Driver.Launches[0].Time!;
        }

        // The same clocks at 1.41 and at 1.98 GHz.
        Assert.InRange(Spin(VirtualDeviceKind.A100).Seconds / Spin(VirtualDeviceKind.H100).Seconds, 1.35, 1.5);
        Assert.Equal(32, Spin(VirtualDeviceKind.H100).Resident);
        Assert.Equal(8, Spin(VirtualDeviceKind.H100, (kernel, capability) => kernel == "spin" && capability == 90 ? 255 : null).Resident);
    }

    [Fact]
    public void What_was_just_touched_does_not_come_from_device_memory()
    {
        using NativeDriver native = NativeDriver.WithContext(Modelled(VirtualDeviceKind.H100));
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        const int Count = 1 << 16;
        ulong x = native.Allocate(8 * Count), y = native.Allocate(8 * Count);
        native.Ok(native.Upload(x, new ulong[Count], stream));
        for (int n = 0; n < 2; n++) native.Ok(native.Launch(add, Count / 256, 256, stream, [x, y, 1]));
        native.Ok(native.Synchronize(stream));
        ModelledTime[] times = [.. native.Driver.Launches.Select(l => l.Time!)];
        Assert.Equal(2.0 * 8 * Count / CardRates.H100.DramBytesPerSecond, times[0].Seconds * times[0].Shares[TimeLimit.Dram], 8);
        Assert.Equal(0, times[1].Shares[TimeLimit.Dram]);
        Assert.True(times[1].Seconds < times[0].Seconds);
    }

    [Fact]
    public void Without_a_model_launches_have_no_time()
    {
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { LogLaunches = true });
        nint stream = native.Stream(), spin = native.Function(DriverKernels.Text, "spin");
        ulong x = native.Allocate(512);
        native.Ok(native.Upload(x, new ulong[64], stream));
        native.Ok(native.Launch(spin, 2, 32, stream, [x, x, 1]));
        native.Ok(native.Synchronize(stream));
        Assert.Null(native.Driver.Launches[0].Time);
    }
}
