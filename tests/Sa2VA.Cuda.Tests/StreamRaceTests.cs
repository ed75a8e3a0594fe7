using Sa2VA.Core;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// What orders two queues of the backend orders their streams; a wait that is missing is found, in whatever order the work ran.
/// </summary>
public sealed class StreamRaceTests
{
    [Theory]
    [InlineData("the queue waits")]
    [InlineData("the host waits")]
    [InlineData("the host reads")]
    [InlineData("nobody waits")]
    public void Queues_that_share_memory_wait_for_each_other(string how)
    {
        foreach (bool lazy in new[] { false, true })
        {
            using var driver = new VirtualDriver(new() { CheckStreams = true, ReuseAddresses = true, LazyDispatch = lazy });
            using (var net = new SumNet(driver))
            {
                using DeviceQueue second = net.Backend.CreateQueue("second");
                using DeviceBuffer copied = net.Backend.Allocate("copied", DType.F32, new Shape(SumNet.Count));
                var seen = new float[SumNet.Count];
                net.FourTimes(1);
                net.Enqueue(2);
                Fence end = net.Queue.Mark();
                if (how == "the queue waits") second.WaitFor(end);
                if (how == "the host waits") end.Wait();
                if (how == "the host reads") net.Queue.Read<float>(net.Z, seen);
                Exception? error = Record.Exception(() =>
                {
                    second.Copy(net.Z, 0, copied, 0, SumNet.Count);
                    second.Read<float>(copied, seen);
                    end.Wait();
                });
                if (how == "nobody waits") Assert.Contains("race between streams", Assert.IsType<DeviceException>(error).Message);
                else Assert.Null(error);
            }
            Assert.Equal(default, driver.Live);
        }
    }
}
