using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>Where a map has its pixels: ZOrder of <c>kernels/common/z_order.cuh</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct MapOrder(Shape map)
{
    public readonly int Width = map[-2], SideBits = BitOperations.Log2((uint)ZOrder.Side(map));
}
