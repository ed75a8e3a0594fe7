using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>
/// What the machine can do at most, measured and not looked up: clock rates, power limits and neighbours on the machine are in it. All
/// threads work at once, each on its own registers or its own part of memory.
/// </summary>
/// <param name="Threads">Threads that worked at once.</param>
/// <param name="Simd">Vector width.</param>
/// <param name="Flops">Fused multiply-adds from registers alone, floating-point operations per second (each counts 2).</param>
/// <param name="Bandwidth">Reading memory from end to end, bytes per second.</param>
public sealed record MachineCeilings(int Threads, SimdLevel Simd, Spread Flops, Spread Bandwidth)
{
    /// <summary>Bytes read per run: far beyond any last-level cache.</summary>
    public const long DefaultBufferBytes = 512L << 20;

    // A run takes some tens of milliseconds: long enough for the clock to settle, short enough to find a quiet moment.
    private const int FmaSteps = 4_000_000;

    /// <summary>Both, with what was run to measure them.</summary>
    public Ceilings Ceilings => new(Flops, "fused multiply-adds", Bandwidth, "read");

    /// <summary>Measures both ceilings.</summary>
    /// <param name="threads">Threads, at least 1.</param>
    /// <param name="simd">Vector width; null for the widest.</param>
    /// <param name="runs">Measurements of each.</param>
    /// <param name="bufferBytes">Bytes to read per run, at least 1 MiB.</param>
    /// <param name="cancellation">Stops between two runs.</param>
    /// <exception cref="Sa2VA.Core.DeviceException">The machine lacks that width or the memory.</exception>
    public static MachineCeilings Measure(int threads, SimdLevel? simd = null, int runs = 7, long bufferBytes = DefaultBufferBytes,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(runs, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(bufferBytes, 1 << 20);
        SimdLevel level = CpuFeatures.Resolve(simd);
        return new MachineCeilings(threads, level, FlopsPerSecond(threads, level, runs, cancellation),
            BytesPerSecond(threads, level, runs, bufferBytes, cancellation));
    }

    /// <summary>The first of the two alone.</summary>
    /// <param name="threads">Threads, at least 1.</param>
    /// <param name="simd">Vector width.</param>
    /// <param name="runs">Measurements.</param>
    /// <param name="cancellation">Stops between two runs.</param>
    public static Spread FlopsPerSecond(int threads, SimdLevel simd, int runs, CancellationToken cancellation = default)
    {
        double flops = 2.0 * FmaSteps * CeilingLoops.Chains * ((int)simd / 32) * threads;
        var sums = new float[threads];
        return Repeat(threads, runs, flops, cancellation, t => sums[t] = simd switch
        {
            SimdLevel.V512 => CeilingLoops.MultiplyAdds<V512>(FmaSteps),
            SimdLevel.V256 => CeilingLoops.MultiplyAdds<V256>(FmaSteps),
            _ => CeilingLoops.MultiplyAdds<V128>(FmaSteps),
        });
    }

    private static unsafe Spread BytesPerSecond(int threads, SimdLevel simd, int runs, long bytes, CancellationToken cancellation)
    {
        long each = bytes / threads / 4096 * 1024;
        var sums = new float[threads];
        var account = new MemoryAccount(budget: 0);
        var parts = new AlignedMemory[threads];
        try
        {
            for (int i = 0; i < threads; i++)
                parts[i] = new AlignedMemory(account, MemoryPurpose.Buffers, each * sizeof(float), "a measurement");
            // Each thread fills the part that it will read, so that the pages lie near it.
            Repeat(threads, 1, 1, cancellation, t => new Span<byte>(parts[t].Pointer, checked((int)(each * sizeof(float)))).Fill(1));
            return Repeat(threads, runs, (double)each * sizeof(float) * threads, cancellation, t => sums[t] = simd switch
            {
                SimdLevel.V512 => CeilingLoops.Sum<V512>(parts[t].Floats, each),
                SimdLevel.V256 => CeilingLoops.Sum<V256>(parts[t].Floats, each),
                _ => CeilingLoops.Sum<V128>(parts[t].Floats, each),
            });
        }
        finally
        {
            foreach (AlignedMemory? part in parts) part?.Dispose();
        }
    }

    /// <summary>Amount per second of each run: from the moment when all threads begin until the last one ends.</summary>
    private static Spread Repeat(int threads, int runs, double amount, CancellationToken cancellation, Action<int> work)
    {
        var rates = new double[runs];
        long began = 0;
        using var begin = new Barrier(threads, _ => began = Stopwatch.GetTimestamp());
        // One untimed run lets the just-in-time compiler and the clock get ready.
        using var end = new Barrier(threads, b =>
        {
            if (b.CurrentPhaseNumber > 0) rates[b.CurrentPhaseNumber - 1] = amount / Stopwatch.GetElapsedTime(began).TotalSeconds;
        });
        var others = new Thread[threads - 1];
        for (int i = 0; i < others.Length; i++)
        {
            int index = i + 1;
            others[i] = new Thread(() => Loop(index)) { IsBackground = true, Name = $"ceiling {index}" };
            others[i].Start();
        }
        Loop(0);
        foreach (Thread t in others) t.Join();
        cancellation.ThrowIfCancellationRequested();
        return Spread.Of(rates);

        void Loop(int index)
        {
            for (int run = 0; run <= runs; run++)
            {
                begin.SignalAndWait(CancellationToken.None);
                if (!cancellation.IsCancellationRequested) work(index);
                end.SignalAndWait(CancellationToken.None);
            }
        }
    }
}
