using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>Events are recorded anew once they are passed; who waits for one must not get a later recording.</summary>
public sealed unsafe class EventTests
{
    private delegate int Records(nint handle, nint stream);

    private delegate int Waits(nint stream, nint handle, uint flags);

    /// <summary>Just before the driver is told to wait, the other queue passes the event and goes on.</summary>
    [Fact]
    public void An_event_that_a_queue_waits_for_is_not_recorded_anew_before_it_does()
    {
        using var gpu = new VirtualDriver();
        var recorded = new List<nint>();
        Action? meanwhile = null;
        nint awaited = 0;
        Records record = (handle, stream) =>
        {
            recorded.Add(handle);
            return ((delegate* unmanaged<nint, nint, int>)gpu.Export("cuEventRecord"))(handle, stream);
        };
        Waits wait = (stream, handle, flags) =>
        {
            awaited = handle;
            meanwhile?.Invoke();
            return ((delegate* unmanaged<nint, nint, uint, int>)gpu.Export("cuStreamWaitEvent"))(stream, handle, flags);
        };
        var driver = new CudaDriver(gpu.Name, name => name switch
        {
            "cuEventRecord" => Marshal.GetFunctionPointerForDelegate(record),
            "cuStreamWaitEvent" => Marshal.GetFunctionPointerForDelegate(wait),
            _ => gpu.Export(name),
        });
        using var net = new SumNet(driver);
        using DeviceQueue other = net.Backend.CreateQueue("other");
        net.Enqueue(1);
        Fence fence = net.Queue.Mark();
        meanwhile = () =>
        {
            recorded.Clear();
            fence.Wait();
            for (int i = 0; i < 3; i++) Assert.Equal(8, net.FourTimes(2));
        };
        other.WaitFor(fence);
        Assert.NotEqual(0, awaited);
        Assert.NotEmpty(recorded);
        Assert.DoesNotContain(awaited, recorded);
        meanwhile = null;
        other.Mark().Wait();
        GC.KeepAlive(record);
        GC.KeepAlive(wait);
    }
}
