using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// What can go wrong with a GPU, as whoever uses the engine meets it: a typed error, nothing left behind, other models unharmed.
/// </summary>
public sealed class VirtualGpuFaultTests
{
    private static readonly Lazy<RgbImage[]> Clip = new(() =>
        [.. Enumerable.Range(0, 2).Select(i => ImageFile.Load(Fixtures.Path("media", "shapes", $"{i:000}.png")))]);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("too old", "CUDA 10.2")]
    [InlineData("no device", "no GPU")]
    [InlineData("lost", "")]
    public void A_GPU_that_cannot_be_used_is_told_when_a_model_is_loaded(string how, string says)
    {
        using VirtualDriver driver = Driver(how switch
        {
            "too old" => new() { Version = 10020 },
            "no device" => new() { Devices = [] },
            _ => new(),
        });
        if (how == "lost") driver.Inject.LoseDevice(0);
        var error = Assert.Throws<DeviceException>(() => Load(driver));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Equal(default, driver.Live);
    }

    /// <summary>What a model needs is known beforehand: on a card that is too small nothing is allocated, and what to do is told.</summary>
    [Fact]
    public void A_model_that_does_not_fit_is_refused_before_anything_is_allocated()
    {
        long needed;
        using (VirtualDriver large = Driver())
        using (Sa2VAModel model = Load(large)) needed = model.MemoryInfo.Total;
        using VirtualDriver small = Driver(new() { MemoryBytes = needed - 1 });
        string message = Assert.Throws<DeviceMemoryException>(() => Load(small)).Message;
        Assert.Matches(@"^'sa2va-tiny-shapes' \(weights [0-9.]+ MB, intermediates [0-9.]+ MB, buffers [0-9.]+ MB\) needs [0-9.]+ MB on "
            + @"Virtual A100.*; [0-9.]+ MB can be had there\. Close .*bf16, int8, int4", message);
        Assert.Equal(0, small.Calls("cuMemAlloc_v2") + small.Calls("cuMemCreate") + small.Calls("cuMemHostAlloc"));
        Assert.Equal(default, small.Live);
    }

    /// <summary>Where loading is refused, nothing stays; where a session is, the model goes on as if it had never been asked.</summary>
    [Fact]
    public void Whichever_allocation_is_refused_nothing_is_left_and_a_loaded_model_goes_on()
    {
        using VirtualDriver driver = Driver();
        using (Sa2VAModel model = Load(driver))
        {
            long loading = Allocations(driver);
            string expected = Track(model);
            long before = Allocations(driver), second = 0;
            Assert.Equal(expected, Track(model, () => second = Allocations(driver) - before + 1));
            long each = Allocations(driver) - before;
            Assert.True(loading > 10 && second > 10 && each > second, $"{loading}, then {each}, the second frame's from {second}");
            int refused = 0;
            foreach (long n in FullRun.IsAsked ? Spread(1, each, (int)each) : Spread(1, second - 1, 3))
            {
                driver.Inject.FailAllocation(n);
                string? seen = null;
                if (Record.Exception(() => seen = Track(model)) is { } error)
                {
                    Assert.IsType<DeviceMemoryException>(error);
                    refused++;
                }
                else Assert.Equal(expected, seen);
            }
            Assert.True(refused >= (FullRun.IsAsked ? each - 9 : 3), $"{refused} of {each} were told");
            // What a stream has to encode a frame beside another is no need: with one set of features it is slower, not different.
            driver.Inject.FailAllocation(second);
            Assert.Equal(expected, Track(model));
            foreach (long n in Spread(1, loading, FullRun.IsAsked ? 40 : 2))
            {
                driver.Inject.FailAllocation(n);
                Assert.Throws<DeviceMemoryException>(() => Load(driver));
                Assert.Equal(1, driver.Live.Contexts);
            }
        }
        Assert.Equal(default, driver.Live);
    }

    /// <summary>A launch that fails takes its model along and no other on the device; a device that is lost all of its own.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_error_in_the_middle_of_a_frame_ends_that_model_and_no_other(bool lost)
    {
        using VirtualDriver driver = Driver(new() { Devices = [VirtualDeviceKind.A100, VirtualDeviceKind.A100] });
        using Sa2VAModel well = Load(driver, lost ? 1 : 0);
        using (Sa2VAModel ill = Load(driver))
        {
            VideoSession session = ill.OpenVideo(Clip.Value[..1], cancellation: Cancellation);
            session.Ask("Please segment the red circle.", cancellation: Cancellation);
            session.Next(Clip.Value[0], Cancellation);
            if (!lost) driver.Inject.FailLaunch(40);
            Task<FrameMasks> tracking = Task.Run(() => session.Next(Clip.Value[1], Cancellation), Cancellation);
            long before = driver.Calls("cuGraphLaunch");
            SpinWait.SpinUntil(() => driver.Calls("cuGraphLaunch") > before || tracking.IsCompleted);
            if (lost) driver.Inject.LoseDevice(0);
            Exception? error = Record.Exception(() => tracking.GetAwaiter().GetResult());
            Assert.True(error is DeviceException || lost && error is null, $"{error}");
            // It says so again, whatever is asked of it.
            error = Assert.Throws<DeviceException>(() => session.Next(Clip.Value[1], Cancellation));
            Assert.Contains("open the model anew", error.Message, StringComparison.Ordinal);
            Assert.Throws<DeviceException>(() => Track(ill));
            session.Dispose();
        }
        Assert.Equal(1, driver.Live.Contexts);
        string expected = Track(well);
        Assert.Contains("[SEG]", expected, StringComparison.Ordinal);
        if (!FullRun.IsAsked) return;
        Assert.Equal(expected, Track(well));
        if (lost) Assert.Throws<DeviceException>(() => Load(driver));
        else
            using (Sa2VAModel again = Load(driver)) Assert.Equal(expected, Track(again));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_model_may_be_closed_while_a_frame_is_tracked(bool sessionFirst)
    {
        using VirtualDriver driver = Driver();
        Sa2VAModel model = Load(driver);
        VideoSession session = model.OpenVideo(Clip.Value[..1], cancellation: Cancellation);
        session.Ask("Please segment the red circle.", cancellation: Cancellation);
        session.Next(Clip.Value[0], Cancellation);
        long before = driver.Calls("cuGraphLaunch");
        Task<FrameMasks> tracking = Task.Run(() => session.Next(Clip.Value[1], Cancellation), Cancellation);
        SpinWait.SpinUntil(() => driver.Calls("cuGraphLaunch") > before || tracking.IsCompleted);
        if (sessionFirst) session.Dispose();
        await model.DisposeAsync();
        Exception? error = await Record.ExceptionAsync(() => tracking);
        Assert.True(error is null or ObjectDisposedException, $"{error}");
        await session.DisposeAsync();
        Assert.Equal(default, driver.Live);
    }

    /// <summary>An answer with an object, and its masks of two frames.</summary>
    private static string Track(Sa2VAModel model, Action? beforeSecond = null)
    {
        using VideoSession session = model.OpenVideo(Clip.Value[..1], cancellation: Cancellation);
        Answer answer = session.Ask("Please segment the red circle.", cancellation: Cancellation);
        string first = Areas(Clip.Value[0]);
        beforeSecond?.Invoke();
        return $"{answer.Raw} {first};{Areas(Clip.Value[1])}";

        string Areas(RgbImage frame) => string.Join(",", session.Next(frame, Cancellation).Objects.Select(o => o.ToMask().Area));
    }

    private static long Allocations(VirtualDriver driver) =>
        driver.Calls("cuMemAlloc_v2") + driver.Calls("cuMemCreate") + driver.Calls("cuMemHostAlloc");

    /// <summary>So many numbers from the first to the last.</summary>
    private static IEnumerable<long> Spread(long first, long last, int count) =>
        Enumerable.Range(0, count).Select(i => first + (last - first) * i / (count - 1)).Distinct();

    private static Sa2VAModel Load(VirtualDriver driver, int device = 0) => Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"),
        new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Index = device, Precision = Precision.BFloat16 });

    private static VirtualDriver Driver(VirtualDriverOptions? options = null) => new((options ?? new()) with
    {
        Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false, ExactProducts = false },
    });
}
