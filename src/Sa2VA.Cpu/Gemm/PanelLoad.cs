using System.Runtime.CompilerServices;

namespace Sa2VA.Cpu;

/// <summary>
/// Reads rows of a weight panel in their stored type as vectors of floats: outputs from lane on and those 16 beyond, both from row + 4·lane
/// bytes, lane &lt; 16. Sixteen-bit types are stored in such pairs.
/// </summary>
internal unsafe interface IPanelLoad<T>
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    static abstract T Low(byte* from);

    static abstract T High(byte* from);
}

internal readonly unsafe struct LoadF32<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
{
    public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Low(byte* from) => T.Load((float*)from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T High(byte* from) => T.Load((float*)from + PackedWeights.PanelWidth / 2);
}

internal readonly unsafe struct LoadBF16<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
{
    public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Low(byte* from) => T.LowBFloat16((ushort*)from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T High(byte* from) => T.HighBFloat16((ushort*)from);
}

internal readonly unsafe struct LoadF16<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
{
    public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Low(byte* from) => T.LowHalf((ushort*)from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T High(byte* from) => T.HighHalf((ushort*)from);
}
