using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>The processors of this machine.</summary>
public sealed class CpuDevice : Device
{
    /// <summary>Threads that share each op, 1 to 256; 0 means one per logical processor.</summary>
    public int Threads { get; init; }

    /// <summary>Widest vectors to use; null means the widest this machine has. Every width gives the same bits.</summary>
    public SimdLevel? Simd { get; init; }

    /// <inheritdoc/>
    public override string Name => "cpu";

    /// <inheritdoc/>
    public override string Description
    {
        get
        {
            string threads = Threads switch { 0 => "a thread per processor", 1 => "1 thread", _ => $"{Threads} threads" };
            return $"{RuntimeInformation.ProcessArchitecture} CPU, {(Simd is { } simd ? $"{(int)simd}-bit" : "widest")} vectors, {threads}";
        }
    }

    /// <inheritdoc/>
    public override IBackend Open(long memoryBudget = 0) => new CpuBackend(Options with { MemoryBudget = memoryBudget });

    /// <inheritdoc/>
    public override IBackend OpenCounting() => new CpuBackend(Options, countsOnly: true);

    /// <summary>How long a run waits for urgent queues.</summary>
    internal TimeSpan Patience { get; init; } = Precedence.UsualPatience;

    private CpuOptions Options => new() { Threads = Threads, Simd = Simd, Precision = Precision, Patience = Patience };
}
