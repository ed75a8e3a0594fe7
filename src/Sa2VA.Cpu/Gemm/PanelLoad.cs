using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// Reads a row of a weight panel in its stored type, as pairs of vectors of floats: outputs from a lane on and those <see cref="Apart"/>
/// beyond, both from row + 4·lane bytes. Floats lie beside each other; sixteen-bit types are stored in pairs, output j beside j + 16.
/// </summary>
internal unsafe interface IPanelLoad<T>
{
    /// <summary>What is read.</summary>
    static abstract DType Type { get; }

    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Outputs between the two vectors of a pair.</summary>
    static abstract int Apart { get; }

    /// <summary>Lanes from a pair to the next.</summary>
    static abstract int Step { get; }

    static abstract T Low(byte* from);

    static abstract T High(byte* from);
}

internal readonly unsafe struct LoadF32<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
{
    public static DType Type => DType.F32;

    public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }

    public static int Apart { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => T.Count; }

    public static int Step { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2 * T.Count; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Low(byte* from) => T.Load((float*)from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T High(byte* from) => T.Load((float*)from + T.Count);
}

internal readonly unsafe struct LoadBF16<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
{
    public static DType Type => DType.BF16;

    public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }

    public static int Apart { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => PackedWeights.PanelWidth / 2; }

    public static int Step { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => T.Count; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Low(byte* from) => T.LowBFloat16((ushort*)from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T High(byte* from) => T.HighBFloat16((ushort*)from);
}

internal readonly unsafe struct LoadF16<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
{
    public static DType Type => DType.F16;

    public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }

    public static int Apart { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => PackedWeights.PanelWidth / 2; }

    public static int Step { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => T.Count; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Low(byte* from) => T.LowHalf((ushort*)from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T High(byte* from) => T.HighHalf((ushort*)from);
}
