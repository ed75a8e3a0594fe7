using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Pinned memory of the host that kernels see at an address of their own.</summary>
internal sealed class HostMemory(Allocation piece)
{
    public Allocation Piece => piece;

    public unsafe bool Holds(nint address, ulong bytes) =>
        address >= (nint)piece.Host && (ulong)(address - (nint)piece.Host) <= (ulong)piece.Bytes
        && bytes <= (ulong)piece.Bytes - (ulong)(address - (nint)piece.Host);

    public unsafe bool Touches(nint address, ulong bytes) =>
        (ulong)address < (ulong)piece.Host + (ulong)piece.Bytes && (ulong)address + bytes > (ulong)piece.Host;
}
