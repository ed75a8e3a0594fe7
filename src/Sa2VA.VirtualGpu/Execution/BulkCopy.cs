namespace Sa2VA.VirtualGpu.Execution;

/// <summary>A bulk copy to shared memory in flight: lands whole, at any time, and tells an mbarrier its bytes.</summary>
/// <param name="Warp">Whose lane issued it.</param>
/// <param name="Issued">The instruction.</param>
/// <param name="Barrier">The mbarrier.</param>
/// <param name="To">Place in shared memory.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Rows">Its parts, one behind the other in shared memory.</param>
/// <param name="Swizzle">Bytes over which pieces of 16 bytes are permuted, or 0.</param>
internal sealed record BulkCopy(Warp Warp, Instruction Issued, Mbarrier Barrier, int To, int Bytes, BulkRow[] Rows, int Swizzle)
{
    /// <summary>Whether it was issued when the launch before was known to have ended, and so ends behind that too.</summary>
    public bool KnowsGrid { get; } = Warp.KnowsBefore;
}

/// <summary>A row of a bulk copy: zeros, then what lies at an address, then zeros.</summary>
/// <param name="Bytes">Of the row.</param>
/// <param name="Source">Global address of what is copied.</param>
/// <param name="Before">Zeros before it.</param>
/// <param name="Copied">Bytes that are copied, 0 for none.</param>
internal readonly record struct BulkRow(int Bytes, ulong Source, int Before, int Copied);
