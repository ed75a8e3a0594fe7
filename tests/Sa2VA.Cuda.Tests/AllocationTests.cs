using Sa2VA.Core;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>Nothing is allocated per run, write, read or fence: neither managed memory nor the driver's.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class AllocationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_warm_run_allocates_nothing_managed(bool usesGraphs)
    {
        using var net = new SumNet(StillDriver.Open(), usesGraphs: usesGraphs);
        using DeviceQueue other = net.Backend.CreateQueue("other");
        float[] x = new float[SumNet.Count], z = new float[SumNet.Count];
        for (int i = 0; i < 2000; i++) Step();
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 10 && least > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++) Step();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Equal(0, least);

        void Step()
        {
            net.Queue.Write<float>(net.X, x);
            net.Queue.Run(net.Bound, TestContext.Current.CancellationToken);
            net.Queue.Copy(net.Z, 0, net.X, 0, SumNet.Count);
            Fence read = net.Queue.BeginRead(net.Z, z);
            other.WaitFor(read);
            read.Wait();
            Assert.True(net.Queue.Mark().IsReached);
            net.Queue.Read<float>(net.Z, z);
        }
    }

    [Fact]
    public void A_warm_run_asks_the_driver_for_nothing()
    {
        using var driver = new VirtualDriver();
        using var net = new SumNet(driver);
        float[] x = new float[SumNet.Count], z = new float[SumNet.Count];
        long[] first = [];
        for (int i = 0; i < 60; i++)
        {
            net.Queue.Write<float>(net.X, x);
            net.Queue.Run(net.Bound, TestContext.Current.CancellationToken);
            net.Queue.BeginRead(net.Z, z).Wait();
            if (i == 50) first = Calls();
        }
        Assert.Equal(first, Calls());

        long[] Calls() => [driver.Calls("cuMemAlloc_v2"), driver.Calls("cuMemCreate"), driver.Calls("cuMemHostAlloc"),
            driver.Calls("cuEventCreate"), driver.Calls("cuGraphInstantiateWithFlags")];
    }
}
