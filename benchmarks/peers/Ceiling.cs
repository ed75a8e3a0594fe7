using System.Runtime.InteropServices;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Peers;

/// <summary>What the machine can do at most, as contestants that take their turns with the others.</summary>
internal static unsafe class Ceiling
{
    public const string Prefix = "ceiling: ", Peak = Prefix + "multiply-adds", Read = Prefix + "reading";

    // Some tens of milliseconds of either on one thread.
    private const int Steps = 4_000_000;
    private const long FloatsRead = 64L << 20;

    private static readonly SimdLevel Width = CpuFeatures.Available[^1];
    private static readonly float* Memory = Allocate();

    /// <summary>Operations or bytes of a run.</summary>
    public static double Amount(string name, int threads) =>
        threads * (name == Peak ? 2.0 * Steps * CeilingLoops.Chains * ((int)Width / 32) : 4.0 * (FloatsRead / threads));

    /// <summary>The contestant of a name.</summary>
    public static Contestant Of(string name, int threads) => new(name, () =>
    {
        if (threads == 1) Part(name, 0, 1);
        else Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => Part(name, i, threads));
    });

    private static float Part(string name, int index, int parts)
    {
        float* from = Memory + FloatsRead / parts * index;
        return (name == Peak, Width) switch
        {
            (true, SimdLevel.V512) => CeilingLoops.MultiplyAdds<V512>(Steps),
            (true, SimdLevel.V256) => CeilingLoops.MultiplyAdds<V256>(Steps),
            (true, _) => CeilingLoops.MultiplyAdds<V128>(Steps),
            (false, SimdLevel.V512) => CeilingLoops.Sum<V512>(from, FloatsRead / parts),
            (false, SimdLevel.V256) => CeilingLoops.Sum<V256>(from, FloatsRead / parts),
            _ => CeilingLoops.Sum<V128>(from, FloatsRead / parts),
        };
    }

    private static float* Allocate()
    {
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)(FloatsRead * sizeof(float)), 4096);
        for (long i = 0; i < FloatsRead; i++) memory[i] = 1;
        return memory;
    }
}
