using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>What makes the samples of one axis of a resize: <c>Taps</c> of <c>kernels/common/taps.cuh</c>, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Taps
{
    /// <summary><see cref="ResizeTaps.Index"/> and <see cref="ResizeTaps.Weight"/>.</summary>
    public ulong Index, Weight;

    /// <summary><see cref="ResizeTaps.Count"/>.</summary>
    public int Count;

    /// <summary>The taps from so many samples to so many.</summary>
    public static Taps Create(PlanContext context, int input, int output, ResizeMode mode)
    {
        var taps = ResizeTaps.Create(input, output, mode);
        string name = $"{mode} taps {input}→{output}";
        return new Taps { Index = context.Table(name, taps.Index), Weight = context.Table(name, taps.Weight), Count = taps.Count };
    }
}
