namespace Sa2VA.VirtualGpu.Counters;

/// <summary>
/// What one instruction of a kernel asked of memory, of all warps of the blocks that ran: never scaled. The least that it could have needed
/// stands beside it, so where the two are equal a layout is as good as it can be.
/// </summary>
/// <param name="Opcode">The instruction with its modifiers: <c>ld.global.v4.f32</c>.</param>
/// <param name="Line">Its line of PTX.</param>
public sealed record AccessCounts(string Opcode, int Line)
{
    /// <summary>Times it touched global memory.</summary>
    public long GlobalRequests { get; init; }

    /// <summary>Distinct sectors of 32 bytes, summed over the requests.</summary>
    public long GlobalSectors { get; init; }

    /// <summary>Sectors that the same bytes would fill if they lay side by side.</summary>
    public long LeastSectors { get; init; }

    /// <summary>Times it touched shared memory.</summary>
    public long SharedRequests { get; init; }

    /// <summary>Turns that the banks needed.</summary>
    public long SharedWavefronts { get; init; }

    /// <summary>Turns without bank conflicts: one for 32 lanes of up to 4 bytes, for 16 of 8, for 8 of 16.</summary>
    public long LeastWavefronts { get; init; }
}
