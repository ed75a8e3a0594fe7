using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Tests;

/// <summary>An op on a shape of released models, or a like one.</summary>
/// <param name="What">For messages.</param>
/// <param name="Record">Records it; the result becomes the output.</param>
internal sealed record LaunchCase(string What, Func<LaunchGraph, Tensor> Record)
{
    public Precision Precision { get; init; } = Precision.BFloat16;

    public HopperUse Hopper { get; init; } = HopperUse.Never;

    public ZOrderUse ZOrder { get; init; } = ZOrderUse.Nowhere;

    /// <summary>True if a result of floats stays F32 in a precision of 16 bits.</summary>
    public bool IsFloat { get; init; }

    /// <summary>In F32, where the plain kernels run.</summary>
    public LaunchCase Plain => this with { What = $"{What}, F32", Precision = Precision.Float32 };

    /// <summary>Runs it once, on zeros, on a driver's first device.</summary>
    public void Launch(CudaDriver functions)
    {
        using IBackend backend = new CudaDevice(functions) { Precision = Precision, Hopper = Hopper, ZOrder = ZOrder }.Open();
        var z = new LaunchGraph(Precision);
        z.Run(backend, Record(z), IsFloat);
    }
}
