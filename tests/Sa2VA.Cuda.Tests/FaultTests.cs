using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// What can go wrong with a driver, a device or a kernel: typed errors that say what, nothing left behind, others unharmed.
/// </summary>
public sealed class FaultTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_machine_without_a_driver_says_so()
    {
        CudaAvailability found = CudaAvailability.Find();
        if (found.Driver is not null) Assert.Skip($"this machine has an NVIDIA driver ({found.DriverVersion})");
        Assert.Contains("no NVIDIA driver", found.Reason);
        var error = Assert.Throws<DeviceException>(() => new CudaDevice().Open());
        Assert.Contains("no NVIDIA driver", error.Message);
    }

    [Theory]
    [InlineData("dev/nvidia0", "", "nvidia0")]
    [InlineData("pci/0000:41:00.0/vendor", "0x10de\n", "PCI device 0000:41:00.0")]
    [InlineData("pci/0000:41:00.0/vendor", "0x10de\n", "PCI device 0000:41:00.0", "0x030200\n")]
    [InlineData("pci/0000:41:00.0/vendor", "0x10de\n", null, "0x040300\n")]
    [InlineData("pci/0000:41:00.0/vendor", "0x1002\n", null)]
    [InlineData("dev/nvidiactl", "", null)]
    [InlineData("elsewhere", "", null)]
    public void A_GPU_is_seen_where_its_driver_is_missing(string file, string text, string? seen, string type = "0x030000\n")
    {
        // Names of PCI devices have colons, which not every system allows.
        Assert.SkipUnless(OperatingSystem.IsLinux() || !file.Contains(':', StringComparison.Ordinal), "files cannot have such names here");
        using var folder = new ScratchFolder();
        string path = folder.At(file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(path)!, "class"), type);
        string? found = VisibleGpu.Find(folder.At("dev"), folder.At("pci"));
        if (seen is null) Assert.Null(found);
        else Assert.EndsWith(seen, found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_GPU_without_a_driver_is_told_with_what_to_install()
    {
        CudaAvailability found = CudaAvailability.WithoutDriver("there is no NVIDIA driver on this machine", "/dev/nvidia0");
        Assert.False(found.HasDriver);
        Assert.Equal("/dev/nvidia0", found.DriverlessGpu);
        Assert.StartsWith("there is an NVIDIA GPU (/dev/nvidia0), but there is no NVIDIA driver on this machine: install", found.Reason);
        Assert.Equal("none", CudaAvailability.WithoutDriver("none", null).Reason);
    }

    [Theory]
    [InlineData("too old")]
    [InlineData("a little too old")]
    [InlineData("no device")]
    [InlineData("too small")]
    [InlineData("does not start")]
    public void A_driver_or_device_that_cannot_be_used_says_why(string how)
    {
        using var driver = new VirtualDriver(how switch
        {
            "too old" => new VirtualDriverOptions { Version = 10020 },
            "a little too old" => new VirtualDriverOptions { Version = CudaAvailability.LeastVersion - 10 },
            "no device" => new VirtualDriverOptions { Devices = [] },
            "too small" => new VirtualDriverOptions { Devices = [VirtualDeviceKind.A100 with { Name = "Old card", Capability = 75 }] },
            _ => new VirtualDriverOptions(),
        });
        if (how == "does not start") driver.Inject.FailCall("cuInit", 1, DriverResult.Unknown);
        CudaAvailability found = CudaAvailability.Find(new CudaDriver(driver.Name, driver.Export));
        Assert.Contains(how switch
        {
            "too old" => "CUDA 10.2; 11.4 or newer is needed",
            "a little too old" => "CUDA 11.3; 11.4",
            "no device" => "no GPU",
            "too small" => "Old card has compute capability 7.5",
            _ => "does not start",
        }, found.Reason);
        if (how == "does not start") driver.Inject.FailCall("cuInit", 1, DriverResult.Unknown);
        Assert.Throws<DeviceException>(() => new SumNet(driver));
        Assert.Equal(default, driver.Live);
    }

    /// <summary>Without machine code all that it takes up is PTX.</summary>
    [Fact]
    public void The_oldest_driver_that_is_taken_takes_every_kernel_for_its_devices()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { Version = CudaAvailability.LeastVersion });
        var found = new CudaDriver(driver.Name, driver.Export);
        Assert.Null(CudaAvailability.Find(found).Reason);
        using var context = new CudaContext(found, DeviceFacts.Read(found, 0, out _)!);
        var modules = new KernelModules(context);
        Assert.All(KernelFiles.Kernels.Where(k => !k.Family.EndsWith("_hopper", StringComparison.Ordinal)),
            k => Assert.NotNull(modules.Function(k.Family, k.Name)));
    }

    [Fact]
    public void A_driver_that_lacks_a_function_is_told_by_its_name()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { Hidden = ["cuMemAddressReserve"] });
        var error = Assert.Throws<EntryPointNotFoundException>(() => new CudaDriver(driver.Name, driver.Export));
        Assert.Contains("cuMemAddressReserve", error.Message);
    }

    [Fact]
    public void Nothing_is_left_of_an_engine_that_ends()
    {
        using var driver = new VirtualDriver();
        using (var net = new SumNet(driver)) Assert.Equal(12, net.FourTimes(3));
        Assert.Equal(default, driver.Live);
    }

    [Fact]
    public void Whichever_allocation_fails_the_error_says_so_and_nothing_is_left()
    {
        using var driver = new VirtualDriver();
        int refused = 0;
        for (int n = 1; ; n++)
        {
            driver.Inject.FailAllocation(n);
            try
            {
                using var net = new SumNet(driver);
                Assert.Equal(12, net.FourTimes(3));
            }
            catch (DeviceMemoryException)
            {
                refused++;
                Assert.Equal(default, driver.Live);
                continue;
            }
            break;
        }
        Assert.True(refused > 5, $"only {refused} allocations could fail");
        Assert.Equal(default, driver.Live);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_kernel_that_fails_ends_its_engine_and_no_other(bool usesGraphs)
    {
        using var driver = new VirtualDriver();
        using var other = new SumNet(driver);
        Assert.Equal(4, other.FourTimes(1));
        using (var net = new SumNet(driver, usesGraphs: usesGraphs))
        {
            Assert.Equal(8, net.FourTimes(2));
            // The second sum of this run.
            driver.Inject.FailLaunch(2);
            var error = Assert.Throws<DeviceException>(() => net.FourTimes(3));
            Assert.Contains("combine", error.Message);
            error = Assert.Throws<DeviceException>(() => net.FourTimes(3));
            Assert.Contains("open the model anew", error.Message);
            Assert.Throws<DeviceException>(() => net.Backend.Allocate("b", DType.F32, new Shape(4)));
            Assert.Equal(20, other.FourTimes(5));
        }
        using (var again = new SumNet(driver)) Assert.Equal(28, again.FourTimes(7));
        Assert.Equal(1, driver.Live.Contexts);
    }

    /// <summary>An error of one call, such as a launch that is refused, is the error of who made it and of nobody else.</summary>
    [Theory]
    [InlineData("cuGraphLaunch", 1, DriverResult.LaunchOutOfResources, true)]
    [InlineData("cuLaunchKernel", 1, DriverResult.LaunchOutOfResources, false)]
    [InlineData("cuLaunchKernel", 2, DriverResult.LaunchOutOfResources, false)]
    [InlineData("cuMemcpyHtoDAsync_v2", 1, DriverResult.InvalidValue, true)]
    [InlineData("cuMemcpyHtoDAsync_v2", 2, DriverResult.InvalidValue, true)]
    [InlineData("cuMemcpyDtoHAsync_v2", 1, DriverResult.InvalidValue, true)]
    [InlineData("cuMemcpyDtoHAsync_v2", 2, DriverResult.InvalidValue, true)]
    [InlineData("cuEventRecord", 1, DriverResult.InvalidValue, true)]
    [InlineData("cuStreamWaitEvent", 1, DriverResult.InvalidValue, true)]
    [InlineData("cuLaunchKernel", 1, DriverResult.LaunchOutOfResources, true)]
    public void A_call_that_is_refused_is_told_and_the_engine_goes_on(string function, long call, DriverResult result, bool usesGraphs)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { LazyDispatch = true });
        using (var net = new SumNet(driver, usesGraphs: usesGraphs))
        {
            using DeviceQueue second = net.Backend.CreateQueue("second");
            using DeviceBuffer copied = net.Backend.Allocate("copied", DType.F32, new Shape(SumNet.Count));
            Assert.Equal(8, Step(2));
            driver.Inject.FailCall(function, call, result);
            var error = Assert.Throws<DeviceException>(() => Step(3));
            Assert.Contains($"error {(int)result}", error.Message, StringComparison.Ordinal);
            Assert.Equal(16, Step(4));
            Assert.Equal(20, net.FourTimes(5));

            float Step(float value)
            {
                net.Enqueue(value);
                second.WaitFor(net.Queue.Mark());
                second.Copy(net.Z, 0, copied, 0, SumNet.Count);
                var seen = new float[SumNet.Count];
                second.Read<float>(copied, seen);
                Assert.All(seen, v => Assert.Equal(seen[0], v));
                return seen[0];
            }
        }
        Assert.Equal(default, driver.Live);
    }

    /// <summary>A queue that has not been asked since does not know of it yet.</summary>
    [Fact]
    public void What_a_lost_engine_gave_out_can_be_disposed_of()
    {
        using var driver = new VirtualDriver();
        using (var net = new SumNet(driver))
        {
            using DeviceQueue idle = net.Backend.CreateQueue("idle");
            using DeviceBuffer buffer = net.Backend.Allocate("b", DType.F32, new Shape(SumNet.Count));
            idle.Write<float>(buffer, new float[SumNet.Count]);
            driver.Inject.FailLaunch(1);
            Assert.Throws<DeviceException>(() => net.FourTimes(3));
        }
        Assert.Equal(default, driver.Live);
    }

    [Fact]
    public async Task Those_who_await_a_lost_run_are_told()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { LazyDispatch = true });
        using var net = new SumNet(driver);
        driver.Inject.FailLaunch(1);
        net.Enqueue(1);
        var arriving = new float[SumNet.Count];
        Fence read = net.Queue.BeginRead(net.Z, arriving);
        await Assert.ThrowsAsync<DeviceException>(() => read.WhenReached());
        Assert.Throws<DeviceException>(read.Wait);
        Assert.True(read.IsReached);
    }

    [Fact]
    public void A_device_that_is_lost_is_lost_for_all_its_engines_and_for_no_other_device()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { Devices = [VirtualDeviceKind.A100, VirtualDeviceKind.H100] });
        using (SumNet first = new(driver), second = new(driver), elsewhere = new(driver, device: 1))
        {
            Assert.Equal(4, first.FourTimes(1));
            driver.Inject.LoseDevice(0);
            Assert.Throws<DeviceException>(() => first.FourTimes(1));
            Assert.Throws<DeviceException>(() => second.FourTimes(1));
            Assert.Equal(8, elsewhere.FourTimes(2));
        }
        Assert.Equal(0, driver.Live.HostAllocations);
    }

    [Fact]
    public void An_engine_may_be_closed_while_it_runs()
    {
        using var driver = new VirtualDriver();
        for (int i = 0; i < 5; i++)
        {
            var net = new SumNet(driver);
            for (int run = 0; run < 20; run++) net.Enqueue(run);
            // The backend first, then what it gave out.
            net.Backend.Dispose();
            Assert.Throws<ObjectDisposedException>(() => net.Enqueue(1));
            net.Dispose();
            Assert.Equal(default, driver.Live);
        }
    }

    [Fact]
    public void What_an_engine_gave_out_may_be_disposed_while_it_is_closed()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { Execution = new() { Checks = false } });
        for (int i = 0; i < 50; i++)
        {
            var net = new SumNet(driver);
            DeviceBuffer[] given = [.. Enumerable.Range(0, 40).Select(n => net.Backend.Allocate($"{n}", DType.F32, new Shape(4)))];
            using var both = new Barrier(2);
            Task giving = Task.Run(() =>
            {
                both.SignalAndWait(Cancellation);
                foreach (DeviceBuffer buffer in given) buffer.Dispose();
                net.Bound.Dispose();
            }, Cancellation);
            both.SignalAndWait(Cancellation);
            net.Backend.Dispose();
            Assert.Null(Record.Exception(() => giving.GetAwaiter().GetResult()));
            net.Dispose();
            Assert.Equal(default, driver.Live);
        }
    }

    [Fact]
    public void Buffers_and_plans_may_be_disposed_while_what_is_enqueued_uses_them()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { LazyDispatch = true });
        using var net = new SumNet(driver);
        for (int run = 0; run < 10; run++) net.Enqueue(run);
        Fence end = net.Queue.Mark();
        net.Bound.Dispose();
        net.Plan.Dispose();
        net.X.Dispose();
        end.Wait();
        var z = new float[SumNet.Count];
        net.Queue.Read<float>(net.Z, z);
        Assert.All(z, v => Assert.Equal(36, v));
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Run(net.Bound, TestContext.Current.CancellationToken));
    }

    /// <summary>On a driver that takes everything: what it would cut to 32 bits, or refuse without a name, never comes to it.</summary>
    [Theory]
    [InlineData(1L << 31, 1, 1, 32)]
    [InlineData((1L << 32) + 1, 1, 1, 32)]
    [InlineData(0, 1, 1, 32)]
    [InlineData(1, 65536, 1, 32)]
    [InlineData(1, 1, 65536, 32)]
    [InlineData(1, 1, 1, 0)]
    [InlineData(1, 1, 1, 1025)]
    public void A_launch_beyond_a_limit_is_refused_before_it_is_one(long x, int y, int z, int threads)
    {
        using var backend = (CudaBackend)new CudaDevice(StillDriver.Open()).Open();
        CudaFunction map = backend.Modules.Function("map", "map");
        map.Launch(0, new Grid(int.MaxValue, 65535, 65535), 1024, 0, 0);
        var error = Assert.Throws<DeviceException>(() => map.Launch(0, new Grid(x, y, z), threads, 0, 0));
        Assert.Contains("map: map cannot be launched", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A budget that the device does not have is no budget: what is free bounds.</summary>
    [Theory]
    [InlineData(0, 8 << 20)]
    [InlineData(1 << 30, 8 << 20)]
    [InlineData(3 << 20, 3 << 20)]
    public void What_can_be_had_is_the_budget_or_what_is_free(long budget, long expected)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { MemoryBytes = 8 << 20 });
        using IBackend backend = new CudaDevice(new CudaDriver(driver.Name, driver.Export)).Open(budget);
        Assert.Equal(expected, backend.FreeMemory);
        using DeviceBuffer taken = backend.Allocate("taken", DType.F32, new Shape(1 << 18));
        Assert.Equal(expected - (1 << 20), backend.FreeMemory);
    }

    [Fact]
    public void A_kernel_that_asks_for_more_shared_memory_than_a_block_can_have_is_not_launched()
    {
        using var backend = (CudaBackend)new CudaDevice(StillDriver.Open()).Open();
        CudaFunction map = backend.Modules.Function("map", "map");
        // The still driver's devices have 64 kB for a block, of which its kernels have one of their own.
        map.Launch(0, new Grid(1), 32, 63 << 10, 0);
        var error = Assert.Throws<DeviceException>(() => map.Launch(0, new Grid(1), 32, (63 << 10) + 1, 0));
        Assert.Contains("map: map needs 64513 bytes of shared memory beside 1024 of its own", error.Message, StringComparison.Ordinal);
        Assert.Contains("has 65536", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_budget_is_respected_and_what_the_device_has_too()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { MemoryBytes = 8 << 20, MappingGranularity = 1 << 16 });
        using (var net = new SumNet(driver, memoryBudget: 1 << 20))
        {
            var refused = Assert.Throws<DeviceMemoryException>(() => net.Backend.Allocate("large", DType.F32, new Shape(1 << 18)));
            Assert.Contains("budget", refused.Message);
            Assert.Equal(4, net.FourTimes(1));
        }
        using (var net = new SumNet(driver))
        {
            var refused = Assert.Throws<DeviceMemoryException>(() => net.Backend.Allocate("large", DType.F32, new Shape(1 << 22)));
            Assert.Contains("of the 8.0 MB that the device had free when it was opened are in use", refused.Message);
            long? free = net.Backend.FreeMemory;
            Assert.InRange(free!.Value, 6 << 20, (8 << 20) - 1);
            using (var other = new SumNet(driver))
            using (other.Backend.Allocate("of the other", DType.F32, new Shape(5 << 18)))
            {
                // What the first has not taken is not kept for it.
                Assert.InRange(net.Backend.FreeMemory!.Value, 1, free.Value - (5 << 20));
                refused = Assert.Throws<DeviceMemoryException>(() => net.Backend.Allocate("large", DType.F32, new Shape(1 << 20)));
                Assert.Contains("no room", refused.Message);
            }
            Assert.Equal(free, net.Backend.FreeMemory);
            using DeviceBuffer pool = net.Backend.Reserve("pool", DType.F32, new Shape(1 << 22));
            pool.Commit(1 << 18);
            Assert.Throws<DeviceMemoryException>(() => pool.Commit(1 << 22));
            Assert.Equal(1 << 18, pool.Committed);
            Assert.Equal(4, net.FourTimes(1));
        }
        Assert.Equal(default, driver.Live);
    }
}
