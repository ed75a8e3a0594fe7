namespace Sa2VA.Core;

/// <summary>Element type of a tensor as stored in memory.</summary>
public enum DType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,
    /// <summary>IEEE 754 binary16.</summary>
    F16,
    /// <summary>The upper 16 bits of a binary32.</summary>
    BF16,
    /// <summary>32-bit signed integer.</summary>
    I32,
    /// <summary>64-bit signed integer.</summary>
    I64,
    /// <summary>8-bit unsigned integer.</summary>
    U8,
    /// <summary>One byte, 0 or 1.</summary>
    Bool,
}

/// <summary>Facts about <see cref="DType"/>.</summary>
public static class DTypeExtensions
{
    /// <summary>Bytes per element.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 => 2,
        DType.I64 => 8,
        _ => 1,
    };

    /// <summary>True for F32, F16 and BF16.</summary>
    public static bool IsFloat(this DType type) => type is DType.F32 or DType.F16 or DType.BF16;
}
