using Sa2VA.Core;
using Sa2VA.Cuda;

namespace Sa2VA.Tests;

/// <summary>The CUDA backend on this machine's first GPU, where it has one that can be used.</summary>
internal static class Gpus
{
    /// <summary>Captured graphs, and single launches; none without a GPU.</summary>
    public static IEnumerable<TestBackend> All() => CudaAvailability.Find().Reason is not null ? [] :
    [
        new TestBackend("cuda on a GPU, graphs", "gpu", precision => new CudaDevice { Precision = precision }.Open()),
        new TestBackend("cuda on a GPU, launches", "gpu", precision => new CudaDevice { Precision = precision, UsesGraphs = false }.Open()),
    ];
}
