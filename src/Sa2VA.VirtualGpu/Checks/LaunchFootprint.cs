using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// The bytes of global memory that the blocks of a launch which have ended touched, and how: half a byte for each byte of a page that some
/// block touched. Blocks come in one after the other, each from its thread.
/// </summary>
internal sealed class LaunchFootprint : IDisposable
{
    private readonly Dictionary<ulong, ulong[]> pages = [];
    private readonly Lock gate = new();

    /// <summary>What was touched, by number of the page.</summary>
    public IReadOnlyDictionary<ulong, ulong[]> Pages => pages;

    /// <summary>Takes in a copy or a fill.</summary>
    public void Add(GlobalTouch touch, ulong address, ulong bytes)
    {
        for (ulong end = address + bytes; address < end;)
        {
            ulong n = Math.Min(end - address, 64 - (address & 63));
            ref ulong[]? bits = ref CollectionsMarshal.GetValueRefOrAddDefault(pages, address >> BlockFootprint.PageShift, out _);
            bits ??= FootprintPages.Take();
            bits[(int)touch * BlockFootprint.WordsPerKind + (int)(address % (1 << BlockFootprint.PageShift) / 64)]
                |= ~0ul >> 64 - (int)n << (int)(address & 63);
            address += n;
        }
    }

    /// <summary>Takes in what a block touched: a bit for each byte and <see cref="GlobalTouch"/>, by number of the page.</summary>
    /// <returns>A byte that the block and an earlier one touched as they may not, or null.</returns>
    public ulong? Add(Dictionary<ulong, ulong[]> block)
    {
        lock (gate)
        {
            foreach ((ulong number, ulong[] bits) in block)
            {
                ref ulong[]? all = ref CollectionsMarshal.GetValueRefOrAddDefault(pages, number, out bool known);
                if (!known)
                {
                    all = FootprintPages.Take();
                    bits.CopyTo(all, 0);
                    continue;
                }
                int race = Meet(bits, all!, merge: true);
                if (race >= 0) return (number << BlockFootprint.PageShift) + (ulong)race;
            }
        }
        return null;
    }

    /// <summary>The first byte of a page at which two that nothing orders race, or −1.</summary>
    /// <param name="bits">What one touched.</param>
    /// <param name="all">What the other did.</param>
    /// <param name="merge">Whether to add the former to the latter, up to a race.</param>
    public static int Meet(ReadOnlySpan<ulong> bits, Span<ulong> all, bool merge)
    {
        const int Words = BlockFootprint.WordsPerKind;
        for (int k = 0; k < Words; k += Vector256<ulong>.Count)
        {
            Vector256<ulong> read = At(bits, GlobalTouch.Read, k), write = At(bits, GlobalTouch.Write, k),
                strongRead = At(bits, GlobalTouch.StrongRead, k), strongWrite = At(bits, GlobalTouch.StrongWrite, k);
            Vector256<ulong> readBefore = At(all, GlobalTouch.Read, k), writeBefore = At(all, GlobalTouch.Write, k),
                strongReadBefore = At(all, GlobalTouch.StrongRead, k), strongWriteBefore = At(all, GlobalTouch.StrongWrite, k);
            // As GlobalTouches.Races says.
            Vector256<ulong> races = write & (readBefore | writeBefore | strongReadBefore | strongWriteBefore)
                | (read | strongRead | strongWrite) & writeBefore | read & strongWriteBefore | strongWrite & readBefore;
            if (races != Vector256<ulong>.Zero)
                for (int n = 0; ; n++)
                    if (races[n] != 0) return 64 * (k + n) + BitOperations.TrailingZeroCount(races[n]);
            if (!merge) continue;
            Store(read | readBefore, all, GlobalTouch.Read, k);
            Store(write | writeBefore, all, GlobalTouch.Write, k);
            Store(strongRead | strongReadBefore, all, GlobalTouch.StrongRead, k);
            Store(strongWrite | strongWriteBefore, all, GlobalTouch.StrongWrite, k);
        }
        return -1;

        static Vector256<ulong> At(ReadOnlySpan<ulong> from, GlobalTouch kind, int k) =>
            Vector256.Create(from[((int)kind * Words + k)..]);

        static void Store(Vector256<ulong> value, Span<ulong> to, GlobalTouch kind, int k) =>
            value.CopyTo(to[((int)kind * Words + k)..]);
    }

    /// <summary>The first byte of a page that both touched and one wrote, and whether the second did; or null.</summary>
    public static (int Byte, bool SecondWrites)? Shared(ReadOnlySpan<ulong> first, ReadOnlySpan<ulong> second)
    {
        const int Words = BlockFootprint.WordsPerKind;
        for (int k = 0; k < Words; k++)
        {
            ulong writes = Of(first, GlobalTouch.Write, k) | Of(first, GlobalTouch.StrongWrite, k),
                writesToo = Of(second, GlobalTouch.Write, k) | Of(second, GlobalTouch.StrongWrite, k),
                reads = Of(first, GlobalTouch.Read, k) | Of(first, GlobalTouch.StrongRead, k),
                readsToo = Of(second, GlobalTouch.Read, k) | Of(second, GlobalTouch.StrongRead, k);
            ulong meet = writes & (readsToo | writesToo) | reads & writesToo;
            if (meet == 0) continue;
            int bit = BitOperations.TrailingZeroCount(meet);
            return (64 * k + bit, (writesToo >> bit & 1) != 0);
        }
        return null;

        static ulong Of(ReadOnlySpan<ulong> bits, GlobalTouch kind, int k) => bits[(int)kind * Words + k];
    }

    /// <summary>Gives its pages back.</summary>
    public void Dispose()
    {
        FootprintPages.GiveBack(pages.Values);
        pages.Clear();
    }
}
