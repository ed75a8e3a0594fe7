using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>y = x + x and z = y + y on a backend of its own, with all that it takes to run it.</summary>
internal sealed class SumNet : IDisposable
{
    public const int Count = 300;

    private readonly List<IDisposable> _parts = [];

    public SumNet(VirtualDriver driver, int device = 0, long memoryBudget = 0, bool usesGraphs = true)
        : this(new CudaDriver(driver.Name, driver.Export), device, memoryBudget, usesGraphs) { }

    public SumNet(CudaDriver driver, int device = 0, long memoryBudget = 0, bool usesGraphs = true, bool checksLaunches = false)
    {
        try
        {
            var cuda = new CudaDevice(driver) { Index = device, UsesGraphs = usesGraphs, ChecksLaunches = checksLaunches };
            Backend = Own(cuda.Open(memoryBudget));
            Queue = Own(Backend.CreateQueue("sums"));
            var g = new GraphBuilder("sums", new TestWeights());
            Tensor x = g.Input("x", DType.F32, new Shape(1, Count)), y = g.Add(x, x), z = g.Output("z", g.Add(y, y));
            Plan = Own(Backend.Compile(g.Build()));
            X = Own(Backend.Allocate("x", DType.F32, x.Shape));
            Z = Own(Backend.Allocate("z", DType.F32, z.Shape));
            Bound = Own(Plan.Bind(Queue, new PlanBuffers(Plan.Graph).Add(x, X).Add(z, Z)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public IBackend Backend { get; }

    public DeviceQueue Queue { get; }

    public ExecutionPlan Plan { get; }

    public DeviceBuffer X { get; }

    public DeviceBuffer Z { get; }

    public BoundPlan Bound { get; }

    /// <summary>Four times the value, as the GPU finds.</summary>
    public float FourTimes(float value)
    {
        Enqueue(value);
        var z = new float[Count];
        Queue.Read<float>(Z, z);
        Assert.All(z, v => Assert.Equal(z[0], v));
        return z[0];
    }

    public void Enqueue(float value)
    {
        var x = new float[Count];
        Array.Fill(x, value);
        Queue.Write<float>(X, x);
        Queue.Run(Bound);
    }

    public void Dispose()
    {
        for (int i = _parts.Count - 1; i >= 0; i--) _parts[i].Dispose();
    }

    private T Own<T>(T part) where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }
}
