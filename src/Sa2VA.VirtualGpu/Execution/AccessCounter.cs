using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// What one instruction of a warp asks of memory: distinct sectors of 32 bytes of global memory, and the turns that the 32 banks of shared
/// memory need (wavefronts).
/// </summary>
/// <remarks>Lanes of 8 bytes are served by half warps, of 16 by quarters; lanes that ask for the same word share it.</remarks>
/// <param name="warp">The warp.</param>
/// <param name="instruction">What it runs.</param>
/// <param name="room">For the addresses: <see cref="Room"/>.</param>
internal ref struct AccessCounter(Warp warp, Instruction instruction, Span<ulong> room)
{
    /// <summary>Addresses in global and in shared memory, of each lane one.</summary>
    public const int Room = 64;

    private readonly bool on = warp.Block.CountsMemory;
    private readonly Span<ulong> global = room[..32], shared = room[32..Room];
    private int globals, shareds, globalBytes, sharedBytes;

    public void Global(ulong address, int bytes)
    {
        if (!on) return;
        global[globals++] = address;
        globalBytes = bytes;
    }

    public void Shared(uint address, int bytes)
    {
        if (!on) return;
        shared[shareds++] = address;
        sharedBytes = bytes;
    }

    public readonly void Finish()
    {
        if (!on) return;
        BlockCounts counts = warp.Block.Counts;
        BlockTrace? trace = warp.Block.Trace;
        int sectors = 0, wavefronts = 0;
        if (globals > 0)
        {
            counts.GlobalRequests[instruction.Index]++;
            sectors = Sectors(global[..globals]);
            counts.GlobalSectors[instruction.Index] += sectors;
            counts.LeastSectors[instruction.Index] += LeastSectors(global[..globals], globalBytes);
            counts.GlobalBytes += globals * globalBytes;
        }
        if (shareds > 0)
        {
            counts.SharedRequests[instruction.Index]++;
            wavefronts = Wavefronts(shared[..shareds], sharedBytes);
            counts.SharedWavefronts[instruction.Index] += wavefronts;
            counts.LeastWavefronts[instruction.Index] += (shareds + LanesAtOnce(sharedBytes) - 1) / LanesAtOnce(sharedBytes);
        }
        trace?.Access(warp.Id, instruction, global[..globals], sectors, wavefronts);
    }

    /// <summary>Distinct sectors; an access is aligned to its size, so it lies in one.</summary>
    public static int Sectors(ReadOnlySpan<ulong> addresses)
    {
        Span<ulong> seen = stackalloc ulong[32];
        int n = 0;
        foreach (ulong address in addresses)
        {
            ulong sector = address >> 5;
            // Neighbouring lanes mostly ask for the sector found last.
            int k = n - 1;
            while (k >= 0 && seen[k] != sector) k--;
            if (k < 0) seen[n++] = sector;
        }
        return n;
    }

    /// <summary>Sectors of as many bytes side by side; lanes of one address share its bytes.</summary>
    public static int LeastSectors(ReadOnlySpan<ulong> addresses, int bytes)
    {
        int distinct = 0;
        ulong most = 0;
        for (int n = 0; n < addresses.Length; n++)
        {
            if (addresses[n] > most || !addresses[..n].Contains(addresses[n])) distinct++;
            most = Math.Max(most, addresses[n]);
        }
        return (distinct * bytes + 31) / 32;
    }

    /// <summary>Lanes that are served together, if no two of them meet in a bank.</summary>
    private static int LanesAtOnce(int bytes) => 32 / Math.Max(bytes / 4, 1);

    public static int Wavefronts(ReadOnlySpan<ulong> addresses, int bytes)
    {
        int words = Math.Max(bytes / 4, 1), group = LanesAtOnce(bytes), total = 0;
        Span<ulong> seen = stackalloc ulong[32];
        Span<int> banks = stackalloc int[32];
        for (int begin = 0; begin < addresses.Length; begin += group)
        {
            int n = 0, most = 0;
            banks.Clear();
            foreach (ulong address in addresses.Slice(begin, Math.Min(group, addresses.Length - begin)))
            {
                for (int k = 0; k < words; k++)
                {
                    ulong word = (address >> 2) + (ulong)k;
                    if (seen[..n].Contains(word)) continue;
                    seen[n++] = word;
                    most = Math.Max(most, ++banks[(int)(word & 31)]);
                }
            }
            total += most;
        }
        return total;
    }
}
