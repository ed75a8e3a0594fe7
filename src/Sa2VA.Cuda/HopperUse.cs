using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>
/// Where a device of compute capability 9.0 takes the kernels that are for it alone (<c>wgmma</c>, bulk copies) instead of those of 8.0. On
/// other devices there is nothing to choose.
/// </summary>
public enum HopperUse
{
    /// <summary>Never: to compare with, or where one of those kernels fails.</summary>
    Never,
    /// <summary>Where they should take less time.</summary>
    WhereItPays,
    /// <summary>Wherever they can be: for tests of the kernels.</summary>
    Wherever,
}

internal static class HopperUses
{
    /// <summary>The one that is asked for, else the one that <c>SA2VA_HOPPER</c> names.</summary>
    /// <exception cref="DeviceException">The variable names none.</exception>
    public static HopperUse Resolve(HopperUse? asked) => asked ?? Environment.GetEnvironmentVariable(CudaDevice.HopperVariable) switch
    {
        null or "" or "pays" => HopperUse.WhereItPays,
        "never" => HopperUse.Never,
        "wherever" => HopperUse.Wherever,
        var other => throw new DeviceException($"{CudaDevice.HopperVariable} is '{other}'; it may be never, pays or wherever."),
    };
}
