using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// The bytes of global memory that the block which runs has touched so far, and how: a bit for each byte and kind, in pages that are there
/// once they are touched. Used by one thread.
/// </summary>
/// <param name="launch">What the blocks that have ended touched.</param>
/// <param name="watch">If not null, only looks out for who comes to one byte.</param>
/// <param name="owned">Bytes that belong to somebody; null if there are none.</param>
/// <param name="early">What the blocks touched before <c>griddepcontrol.wait</c>; null where nobody asks.</param>
internal sealed unsafe class BlockFootprint(
    LaunchFootprint launch, TouchWatch? watch, OwnedRanges? owned = null, LaunchFootprint? early = null) : IDisposable
{
    public const int PageShift = 12, WordsPerKind = (1 << PageShift) / 64, WordsPerPage = GlobalTouches.Kinds * WordsPerKind;

    private const int CacheSize = 256;

    private readonly BlockFootprint? unwaited = early is null ? null : new(early, watch: null);
    private readonly Dictionary<ulong, ulong[]> touched = [];
    private readonly Stack<ulong[]> spare = [];

    /// <summary>Pages by the low bits of their numbers: lanes and instructions mostly come back to few.</summary>
    private readonly (ulong Number, ulong[]? Bits)[] cache = new (ulong, ulong[]?)[CacheSize];

    /// <summary>For whom the block works; null: for all.</summary>
    public string? Owner { get; set; }

    /// <summary>One lane's access; aligned to its size, so it lies in one word of bits.</summary>
    public void Touch(Warp w, Instruction i, int lane, ulong address, int bytes)
    {
        owned?.Touch(Owner, w, i, lane, address, bytes);
        if (watch is not null) watch.Touch(w, i, lane, address, bytes);
        else
        {
            Mark(i.Touch, address, bytes);
            if (unwaited is not null && !w.KnowsBefore) unwaited.Mark(i.Touch, address, bytes);
        }
    }

    /// <summary>
    /// The accesses of the lanes of a mask, so many bytes each, at an origin and their offsets. Other lanes have the offset of one of them.
    /// </summary>
    public void TouchRow(Warp w, Instruction i, uint mask, ulong origin, uint* offsets, int bytes, bool isOnePiece)
    {
        if (watch is not null || owned is not null || unwaited is not null && !w.KnowsBefore)
        {
            for (int lane = 0; lane < 32; lane++)
                if ((mask >> lane & 1) != 0) Touch(w, i, lane, origin + offsets[lane], bytes);
            return;
        }
        if (isOnePiece)
        {
            MarkRange(i.Touch, origin + offsets[0], 32 * bytes);
            return;
        }
        uint before = ~offsets[0];
        for (int lane = 0; lane < 32; lane++)
        {
            // Lanes mostly share what a neighbour reads.
            uint offset = offsets[lane];
            if (offset == before) continue;
            before = offset;
            Mark(i.Touch, origin + offset, bytes);
        }
    }

    /// <summary>The block has ended: forgets what it touched, and tells it to the launch.</summary>
    /// <returns>A byte that it and another block touched as they may not, or null.</returns>
    public ulong? End()
    {
        unwaited?.End();
        ulong? race = watch is null ? launch.Add(touched) : null;
        foreach (ulong[] bits in touched.Values)
        {
            Array.Clear(bits);
            spare.Push(bits);
        }
        touched.Clear();
        Array.Clear(cache);
        return race;
    }

    private void MarkRange(GlobalTouch touch, ulong address, int bytes)
    {
        while (bytes > 0)
        {
            int n = Math.Min(bytes, 64 - (int)(address & 63));
            Mark(touch, address, n);
            address += (ulong)n;
            bytes -= n;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Mark(GlobalTouch touch, ulong address, int bytes)
    {
        ulong number = address >> PageShift;
        ref (ulong Number, ulong[]? Bits) place = ref cache[(int)(number % CacheSize)];
        if (place.Bits is null || place.Number != number) place = (number, Page(number));
        ref ulong word = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(place.Bits),
            (int)touch * WordsPerKind + (int)(address % (1 << PageShift) / 64));
        word |= ~0ul >> 64 - bytes << (int)(address & 63);
    }

    private ulong[] Page(ulong number)
    {
        ref ulong[]? bits = ref CollectionsMarshal.GetValueRefOrAddDefault(touched, number, out _);
        return bits ??= spare.TryPop(out ulong[]? used) ? used : FootprintPages.Take();
    }

    /// <summary>Gives its pages back.</summary>
    public void Dispose()
    {
        unwaited?.Dispose();
        FootprintPages.GiveBack(touched.Values);
        FootprintPages.GiveBack(spare);
        touched.Clear();
        spare.Clear();
    }
}
