using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// A fault on a card is a number at a later call: nothing in it says which launch it was, so what the host knows has to. On a driver that
/// gives the bare code 700, as a card does, and no text.
/// </summary>
public sealed class BareFaultTests
{
    private const int IllegalAddress = 700;

    private int _kernels, _faultyKernel = -1;
    private bool _isFaulty, _writesTell;
    private Delegate[] _kept = [];

    private delegate int Query(nint handle);

    private delegate int LaunchKernel(nint function, uint x, uint y, uint z, uint threads, uint b, uint c, uint shared, nint stream,
        nint parameters, nint more);

    private delegate int Write(ulong to, nint from, nuint bytes, nint stream);

    [Theory]
    [InlineData(true, 1)]
    [InlineData(true, 3)]
    [InlineData(false, 1)]
    [InlineData(false, 3)]
    [InlineData(true, 100)]
    public void A_fault_is_told_with_what_may_have_been_under_way(bool usesGraphs, int runs)
    {
        using var net = new SumNet(Driver(), usesGraphs: usesGraphs);
        using BoundPlan other = Bind(net, "the other sums", net.Queue);
        for (int i = 0; i < 2; i++) net.FourTimes(1);
        const int passed = 6;
        _isFaulty = true;
        for (int i = 0; i < runs - 1; i++) net.Enqueue(1);
        net.Queue.Run(other, TestContext.Current.CancellationToken);
        string message = Assert.Throws<DeviceException>(() => net.FourTimes(1)).Message;
        Assert.Contains("error 700", message, StringComparison.Ordinal);
        // A write before each of the sums, and the last run is of FourTimes.
        int first = passed + 2, last = passed + 2 * (runs - 1) + 1 + 2;
        string from = runs == 1 ? $"graph 'the other sums' (work {passed + 1})" : $"graph 'sums' (work {first})";
        Assert.Contains(runs == 100
            ? $"at least 64 launches, from graph 'sums' (work {passed + 2 * 38}) to graph 'sums' (work {last}) in queue 'sums'"
            : $"been: {runs + 1} launches, from {from} to graph 'sums' (work {last}) in queue 'sums'", message, StringComparison.Ordinal);
        Assert.Equal(!usesGraphs, message.Contains("launched as far as op '", StringComparison.Ordinal));
        Assert.Contains("SA2VA_LAUNCHES=checked", message, StringComparison.Ordinal);
        Assert.Equal(message, Assert.Throws<DeviceException>(() => net.FourTimes(1)).Message);
    }

    /// <summary>The context is one: the queue that hears of a fault first need not be the one that caused it.</summary>
    [Fact]
    public void A_fault_that_another_queue_hears_of_is_told_with_what_this_one_launched()
    {
        using var net = new SumNet(Driver());
        using DeviceQueue idle = net.Backend.CreateQueue("idle");
        using BoundPlan other = Bind(net, "the other sums", net.Queue);
        net.FourTimes(1);
        net.Queue.Run(other, TestContext.Current.CancellationToken);
        _isFaulty = _writesTell = true;
        string message = Assert.Throws<DeviceException>(() => idle.Write<float>(net.X, new float[SumNet.Count])).Message;
        Assert.Contains("The GPU failed at a write: error 700. Under way may have been: graph 'the other sums' (work 4) in queue 'sums'. ",
            message, StringComparison.Ordinal);
    }

    /// <summary>Of four kernels, two a run, each in turn.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Launches_that_are_checked_name_the_kernel_that_fails(int faulty)
    {
        using var net = new SumNet(Driver(), checksLaunches: true);
        string[] ops = [.. net.Plan.Graph.Ops.Select(o => o.Name)];
        Assert.Equal(2, ops.Distinct().Count());
        _kernels = 0;
        _faultyKernel = faulty;
        string message = Assert.Throws<DeviceException>(() =>
        {
            net.Enqueue(1);
            net.FourTimes(1);
        }).Message;
        Assert.Matches($@"^The GPU failed at kernel combine: combine in a grid of \d+×1×1 blocks of \d+ threads with 0 bytes of shared "
            + $@"memory, op '{ops[faulty % 2]}' of graph 'sums' \(work {(faulty < 2 ? 2 : 4)}\) in queue 'sums': error 700\. This engine",
            message);
        Assert.Equal(faulty + 1, _kernels);
        Assert.Equal(message, Assert.Throws<DeviceException>(() => net.FourTimes(1)).Message);
    }

    private static BoundPlan Bind(SumNet net, string name, DeviceQueue queue)
    {
        var g = new GraphBuilder(name, new TestWeights());
        Tensor x = g.Input("x", DType.F32, new Shape(1, SumNet.Count)), z = g.Output("z", g.Add(x, x));
        ExecutionPlan plan = net.Backend.Compile(g.Build());
        return plan.Bind(queue, new PlanBuffers(plan.Graph).Add(x, net.X).Add(z, net.Z));
    }

    /// <summary>Each of these functions gives the code once the context is faulty; launches do not, as a card's do not.</summary>
    private CudaDriver Driver()
    {
        Query ask = _ => _isFaulty ? IllegalAddress : 0;
        Write write = (_, _, _, _) => _isFaulty && _writesTell ? IllegalAddress : 0;
        LaunchKernel launch = (_, _, _, _, _, _, _, _, _, _, _) =>
        {
            _isFaulty |= _kernels++ == _faultyKernel;
            return 0;
        };
        // As long as this test.
        _kept = [ask, write, launch];
        return StillDriver.Open(name => name switch
        {
            "cuEventQuery" or "cuEventSynchronize" or "cuStreamSynchronize" => Marshal.GetFunctionPointerForDelegate(ask),
            "cuMemcpyHtoDAsync_v2" => Marshal.GetFunctionPointerForDelegate(write),
            "cuLaunchKernel" => Marshal.GetFunctionPointerForDelegate(launch),
            _ => 0,
        });
    }
}
