using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>Widest vectors that kernels use. Every level gives the same bits where the machine has fused multiply-add.</summary>
public enum SimdLevel
{
    /// <summary>128-bit vectors: any machine, NEON included.</summary>
    V128 = 128,
    /// <summary>256-bit vectors: AVX2 with FMA.</summary>
    V256 = 256,
    /// <summary>512-bit vectors: AVX-512 F, BW, DQ and VL.</summary>
    V512 = 512,
}

/// <summary>What this machine can run.</summary>
public static class CpuFeatures
{
    /// <summary>Levels that this machine runs in hardware, narrowest first.</summary>
    public static IReadOnlyList<SimdLevel> Available { get; } = Detect();

    /// <summary>
    /// What makes kernels many times slower here than the processor is, in a sentence; null if nothing does. A program that was compiled
    /// ahead of time (NativeAOT) for processors without wide vectors and fused multiply-adds computes the latter in software.
    /// </summary>
    public static string? Shortfall { get; } = FindShortfall();

    /// <summary>
    /// The forced level, else the one named by the environment variable <c>SA2VA_SIMD</c> (128, 256 or 512), else the widest.
    /// </summary>
    /// <exception cref="DeviceException">The machine lacks that level, or the variable is none of the three.</exception>
    public static SimdLevel Resolve(SimdLevel? forced)
    {
        string? variable = Environment.GetEnvironmentVariable("SA2VA_SIMD");
        if (forced is null && !string.IsNullOrEmpty(variable))
        {
            forced = variable switch
            {
                "128" => SimdLevel.V128,
                "256" => SimdLevel.V256,
                "512" => SimdLevel.V512,
                _ => throw new DeviceException($"SA2VA_SIMD is '{variable}'; it may be 128, 256 or 512."),
            };
        }
        if (forced is null) return Available[^1];
        if (!Available.Contains(forced.Value))
            throw new DeviceException($"This machine has no {(int)forced.Value}-bit vectors; it has up to {(int)Available[^1]} bits.");
        return forced.Value;
    }

    private static string? FindShortfall()
    {
        if (Available.Count > 1 || !X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < 7) return null;
        // Avx2 and Fma say what this program may use; the processor itself says what it has.
        const int Fma = 1 << 12, Avx2 = 1 << 5;
        if ((X86Base.CpuId(1, 0).Ecx & Fma) == 0 || (X86Base.CpuId(7, 0).Ebx & Avx2) == 0) return null;
        return "This program may not use the processor's wide vectors and fused multiply-adds, and is many times slower for it: "
            + "compiled ahead of time, it needs <IlcInstructionSet>native</IlcInstructionSet> (scripts/publish-aot sets it).";
    }

    private static SimdLevel[] Detect()
    {
        List<SimdLevel> levels = [SimdLevel.V128];
        if (Vector256.IsHardwareAccelerated && Fma.IsSupported) levels.Add(SimdLevel.V256);
        if (Vector512.IsHardwareAccelerated && Avx512DQ.IsSupported && Avx512BW.VL.IsSupported) levels.Add(SimdLevel.V512);
        return [.. levels];
    }
}
