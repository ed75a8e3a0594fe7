using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Draws an index from each row of logits. Parts are row ranges.</summary>
internal sealed unsafe class SampleKernel(Sample op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _choicesOperand = context.Operand(op.Choices);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _workers = context.Workers;
    private RowView _x, _choices, _out;
    private int _parts;

    public override int Prepare(in RunContext run)
    {
        (_x, _choices, _out) = (_xOperand.Resolve(run), _choicesOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = (int)Math.Min(_workers, _x.Rows);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_x.Rows, part, _parts);
        for (long r = first; r < end; r++)
            _out.Ints[r] = Draw(new ReadOnlySpan<float>(_x.Row(r), _x.Columns),
                new ReadOnlySpan<int>(_choices.Ints + r * SamplingChoice.Count, SamplingChoice.Count));
    }

    private static int Draw(ReadOnlySpan<float> row, ReadOnlySpan<int> choice)
    {
        int largest = ArgMaxKernel.Of(row);
        float temperature = BitConverter.Int32BitsToSingle(choice[0]);
        if (largest < 0 || !(temperature > 0) || !float.IsFinite(temperature)) return largest;
        // −0 + 0 is 0: no distance is −0, whose bits would stand behind all others.
        var likely = new LikelyPart(row, row[largest] + 0f, temperature);
        if (choice[1] > 0 && choice[1] < row.Length) likely.KeepFirst(choice[1]);
        if (choice[2] < SamplingChoice.Whole) likely.KeepNucleus(choice[2]);
        return likely.IndexAt(choice[3]);
    }
}

/// <summary>
/// The likeliest of a row's numbers. They are ordered by their distance to the largest one, of equals by index; a part of them is all up
/// to a distance, and some of those that have it. It is cut in five steps that look at smaller and smaller ranges, without sorting.
/// </summary>
internal ref struct LikelyPart(ReadOnlySpan<float> row, float largest, float temperature)
{
    // Steps of the first look: eight for each factor of e, so that logits spread over them. The others are the bits of a distance.
    private const int Bins = 256, BinsOfUnit = 8, Levels = 5;

    private readonly ReadOnlySpan<float> _row = row;

    // Bits of the last distance, how many have it, and how many more there are in the row.
    private uint _last = uint.MaxValue;
    private long _ties, _excess;

    /// <summary>Leaves the first few.</summary>
    public void KeepFirst(int count) => Cut(byWeight: false, count);

    /// <summary>Leaves those that have less than a share of the weight before them.</summary>
    /// <param name="share">Of <see cref="SamplingChoice.Whole"/>.</param>
    public void KeepNucleus(int share) => Cut(byWeight: true, share);

    /// <summary>The index at a point of the weights that are left, in the order of indices.</summary>
    public readonly int IndexAt(int draw)
    {
        ulong total = 0;
        long ties = 0;
        for (int i = 0; i < _row.Length; i++) total += KeptWeight(i, ref ties);
        ulong point = ShareOf(total, (uint)draw, 31, out _);
        ties = 0;
        int index = 0;
        for (ulong sum = KeptWeight(0, ref ties); sum <= point; sum += KeptWeight(index, ref ties)) index++;
        return index;
    }

    /// <summary>e^−distance in units of 2⁻³¹, without what is below one.</summary>
    private static uint Weight(float distance)
    {
        if (distance > 22) return 0;
        // exponential of kernels/common/math.cuh, operation by operation.
        float x = -distance, n = MathF.Round(x * 1.442695041f);
        float r = MathF.FusedMultiplyAdd(n, 2.12194440e-4f, MathF.FusedMultiplyAdd(n, -0.693359375f, x));
        float p = MathF.FusedMultiplyAdd(1.9875691500e-4f, r, 1.3981999507e-3f);
        p = MathF.FusedMultiplyAdd(p, r, 8.3334519073e-3f);
        p = MathF.FusedMultiplyAdd(p, r, 4.1665795894e-2f);
        p = MathF.FusedMultiplyAdd(p, r, 1.6666665459e-1f);
        p = MathF.FusedMultiplyAdd(p, r, 5.0000001201e-1f);
        float y = MathF.FusedMultiplyAdd(p, r * r, r + 1);
        return (uint)(y * BitConverter.Int32BitsToSingle(((int)n + 31 + 127) << 23));
    }

    /// <summary>⌊total·share/2^<paramref name="bits"/>⌋ and its remainder, exactly; total is below 2^63.</summary>
    private static ulong ShareOf(ulong total, uint share, int bits, out ulong remainder)
    {
        ulong low = (total & ((1UL << bits) - 1)) * share;
        remainder = low & ((1UL << bits) - 1);
        return (total >> bits) * share + (low >> bits);
    }

    private readonly float Distance(int i) => (largest - _row[i]) / temperature;

    private readonly ulong KeptWeight(int i, ref long ties)
    {
        float distance = Distance(i);
        uint key = BitConverter.SingleToUInt32Bits(distance);
        return key < _last || (key == _last && ties++ < _ties) ? Weight(distance) : 0;
    }

    private void Cut(bool byWeight, int amount)
    {
        Span<ulong> bins = stackalloc ulong[Bins];
        ulong goal = (ulong)amount, inBin = 0;
        int firstBin = 0;
        uint prefix = 0;
        for (int level = 0; level < Levels; level++)
        {
            bins.Clear();
            int shift = 32 - 8 * level;
            for (int i = 0; i < _row.Length; i++)
            {
                float distance = Distance(i);
                uint key = BitConverter.SingleToUInt32Bits(distance);
                if (key > _last) continue;
                int bin = (int)MathF.Min(distance * BinsOfUnit, Bins - 1);
                if (level > 0)
                {
                    if (bin != firstBin || (level > 1 && key >> (shift + 8) != prefix)) continue;
                    bin = (int)(key >> shift & (Bins - 1));
                }
                bins[bin] += byWeight ? Weight(distance) : 1;
            }
            if (level == 0 && byWeight)
            {
                ulong total = 0;
                foreach (ulong one in bins) total += one;
                if (_excess > 0) total -= (ulong)_excess * Weight(BitConverter.UInt32BitsToSingle(_last));
                // Before the last one that is left there is less than the share: at least one is.
                goal = Math.Max(1, ShareOf(total, (uint)amount, 30, out ulong remainder) + (remainder > 0 ? 1UL : 0));
            }
            int found = 0;
            for (; bins[found] < goal; found++) goal -= bins[found];
            inBin = bins[found];
            if (level == 0) firstBin = found;
            else prefix = prefix << 8 | (uint)found;
        }
        ulong each = byWeight ? Weight(BitConverter.UInt32BitsToSingle(prefix)) : 1;
        long ties = (long)((goal + each - 1) / each), all = (long)(inBin / each);
        if (prefix == _last) ties = Math.Min(ties, _ties);
        (_last, _ties, _excess) = (prefix, ties, all - ties);
    }
}
