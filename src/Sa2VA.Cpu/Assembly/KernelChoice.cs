using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>Which register blocks a backend multiplies with.</summary>
internal enum KernelChoice
{
    /// <summary>C# blocks of floats, in BF16 too.</summary>
    Managed,
    /// <summary>Assembled blocks of floats, in BF16 too.</summary>
    Assembled,
    /// <summary>In BF16 pairs of AVX512-BF16.</summary>
    Avx512BFloat16,
    /// <summary>In BF16 tiles of AMX.</summary>
    Amx,
    /// <summary>In BF16 the bits of <see cref="Avx512BFloat16"/>, in C#, slowly.</summary>
    ManagedAvx512BFloat16,
    /// <summary>In BF16 the bits of <see cref="Amx"/>, in C#, slowly.</summary>
    ManagedAmx,
}

/// <summary>The environment variable that forces one.</summary>
internal static class KernelChoices
{
    /// <summary>Its name.</summary>
    public const string Variable = "SA2VA_KERNELS";

    /// <summary>What is forced: by an option, else by the variable's value; null if nothing is.</summary>
    /// <exception cref="DeviceException">The variable is none of what it may be.</exception>
    public static KernelChoice? Resolve(KernelChoice? forced, string? variable) => forced ?? variable switch
    {
        null or "" => null,
        "managed" => KernelChoice.Managed,
        "assembled" => KernelChoice.Assembled,
        "avx512bf16" => KernelChoice.Avx512BFloat16,
        "amx" => KernelChoice.Amx,
        "avx512bf16-managed" => KernelChoice.ManagedAvx512BFloat16,
        "amx-managed" => KernelChoice.ManagedAmx,
        _ => throw new DeviceException($"{Variable} is '{variable}'; it may be managed, assembled, avx512bf16, amx, avx512bf16-managed or "
            + "amx-managed."),
    };
}
