using System.Reflection;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Cuda;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>What a benchmark ran on.</summary>
/// <param name="Name">The device's short name: <c>cpu</c>, <c>cuda</c>.</param>
/// <param name="Description">What it is, for people.</param>
/// <param name="Precision">How numbers were stored.</param>
public sealed record BenchmarkDevice(string Name, string Description, Precision Precision)
{
    /// <summary>Logical processors of the machine.</summary>
    public int Processors { get; } = Environment.ProcessorCount;

    /// <summary>Threads that shared each op; null on a GPU.</summary>
    public int? Threads { get; private init; }

    /// <summary>Width of the vectors; null on a GPU.</summary>
    public SimdLevel? Simd { get; private init; }

    /// <summary>Version of the GPU's driver, as 13000 for CUDA 13.0; null on the CPU.</summary>
    public int? DriverVersion { get; private init; }

    /// <summary>The GPU's memory; null on the CPU.</summary>
    public long? MemoryBytes { get; private init; }

    /// <summary>True for a device whose times are modelled.</summary>
    public bool IsModelled { get; init; }

    /// <summary>The commit that this program was built from; null if the build did not know.</summary>
    public static string? Commit { get; } = typeof(BenchmarkDevice).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+').ElementAtOrDefault(1);

    internal static BenchmarkDevice Of(Device device, IBackend backend)
    {
        var found = new BenchmarkDevice(backend.Name, backend.Description, backend.Precision);
        if (backend is CpuBackend cpu) return found with { Threads = cpu.Workers, Simd = cpu.Simd };
        if (device is not CudaDevice gpu) return found;
        CudaAvailability there = gpu.Availability;
        return found with { DriverVersion = there.DriverVersion, MemoryBytes = there.Devices[gpu.Index].MemoryBytes };
    }
}
