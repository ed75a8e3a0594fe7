using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// <see cref="AttentionTile"/> for queries, keys and values of BF16, by <see cref="PairBlocks"/>. Keys are rows of A as they lie, queries a
/// panel; then channels of values are rows of A, and the softmax's weights, rounded to BF16, a panel. Scores and sums are F32.
/// </summary>
/// <param name="blocks">What multiplies.</param>
/// <param name="headDim">Channels of a query.</param>
/// <param name="valueDim">Channels of a value.</param>
/// <param name="scale">Factor of scores, above 0.</param>
internal readonly unsafe struct PairAttention(PairBlocks blocks, int headDim, int valueDim, float scale)
{
    private const int Queries = AttentionTile.Queries, Keys = AttentionTile.Keys, Step = PairTile.Step;

    /// <summary>Tiles are set up once, for blocks of all sizes.</summary>
    private const int AnyRows = int.MaxValue;

    private readonly int _headDepth = (headDim + Step - 1) / Step * Step, _values = Padded(blocks.Unit, valueDim);

    /// <summary>Floats of a query block's state: packed queries, output sums, running maximum and sum.</summary>
    public int StateFloats => (_headDepth / 2 + _values + 2) * Queries;

    /// <summary>Floats of a tile's packed keys.</summary>
    public int KeyFloats => Keys * _headDepth / 2;

    /// <summary>Floats of a tile's packed values.</summary>
    public int ValueFloats => Keys * _values / 2;

    /// <summary>Floats of a tile's scores and weights.</summary>
    public static int WorkFloats => Keys * Queries * 3 / 2;

    /// <summary>Before the first step on a thread; <see cref="Leave"/> ends it.</summary>
    public void Enter() => blocks.Begin(AnyRows);

    /// <summary>After the last step.</summary>
    public void Leave() => blocks.End();

    /// <summary>Packs queries as [pair of channels][32][2], and clears the running maximum, sum and output.</summary>
    public void Begin(float* state, ushort** rows, int count)
    {
        var pairs = new Span<uint>(state, _headDepth / 2 * Queries);
        pairs.Clear();
        for (int q = 0; q < count; q++)
        {
            ushort* row = rows[q];
            for (int c = 0; c < headDim - 1; c += 2) pairs[c / 2 * Queries + q] = row[c] | (uint)row[c + 1] << 16;
            if (headDim % 2 != 0) pairs[headDim / 2 * Queries + q] = row[headDim - 1];
        }
        new Span<float>(Sums(state), (_values + 2) * Queries).Clear();
        new Span<float>(Sums(state) + _values * Queries, Queries).Fill(float.NegativeInfinity);
    }

    /// <summary>Packs keys as [block][step][row][32 channels].</summary>
    public void PackKeys(ushort* to, ushort** rows, int count)
    {
        for (int k = 0; k < count;)
        {
            int block = PairTile.RowsFor(blocks.Unit, count - k, AnyRows);
            for (int i = 0; i < block; i++)
                for (int c = 0; c < _headDepth; c += Step)
                {
                    var step = new Span<ushort>(to + (long)k * _headDepth + (long)c * block + i * Step, Step);
                    int valid = k + i < count ? Math.Clamp(headDim - c, 0, Step) : 0;
                    if (valid > 0) new ReadOnlySpan<ushort>(rows[k + i] + c, valid).CopyTo(step);
                    step[valid..].Clear();
                }
            k += block;
        }
    }

    /// <summary>Packs values as [block][step][channel][32 keys].</summary>
    public void PackValues(ushort* to, ushort** rows, int count)
    {
        int depth = Depth(count);
        for (int c = 0; c < valueDim;)
        {
            int block = PairTile.RowsFor(blocks.Unit, valueDim - c, AnyRows);
            for (int k = 0; k < depth; k += Step)
                for (int i = 0; i < block; i++, to += Step)
                {
                    int valid = c + i < valueDim ? Math.Clamp(count - k, 0, Step) : 0;
                    for (int j = 0; j < valid; j++) to[j] = rows[k + j][c + i];
                    new Span<ushort>(to + valid, Step - valid).Clear();
                }
            c += block;
        }
    }

    /// <summary>One step of the online softmax, as <see cref="AttentionTile.Step{T}"/>.</summary>
    /// <param name="state">The query block.</param>
    /// <param name="keys">Packed keys.</param>
    /// <param name="values">Packed values.</param>
    /// <param name="work">Scores and weights.</param>
    /// <param name="count">Keys in the tile.</param>
    /// <param name="firstVisible">How many of them query 0 sees, as there.</param>
    public void Run<T>(float* state, ushort* keys, ushort* values, float* work, int count, long firstVisible)
        where T : unmanaged, ISimd<T>
    {
        float* scores = work;
        var weights = (uint*)(work + Keys * Queries);
        for (int k = 0; k < count;)
        {
            int block = PairTile.RowsFor(blocks.Unit, count - k, AnyRows);
            blocks.Run(block, keys + (long)k * _headDepth, (byte*)state, _headDepth / Step, scores + k * Queries, add: false);
            k += block;
        }
        if (firstVisible < count) AttentionTile.Mask(scores, count, firstVisible);

        float* sums = Sums(state);
        float* max = sums + _values * Queries;
        float* total = max + Queries;
        float* rescale = stackalloc float[Queries];
        for (int q = 0; q < Queries; q += T.Count) SoftmaxColumn<T>(scores + q, count, max + q, total + q, rescale + q);
        int depth = Depth(count);
        Round(scores, count, depth, weights);
        for (int c = 0; c < valueDim; c++)
            for (int q = 0; q < Queries; q += T.Count)
            {
                float* sum = sums + c * Queries + q;
                T.Store(T.Load(sum) * T.Load(rescale + q), sum);
            }
        for (int c = 0; c < valueDim;)
        {
            int block = PairTile.RowsFor(blocks.Unit, valueDim - c, AnyRows);
            blocks.Run(block, values + (long)c * depth, (byte*)weights, depth / Step, sums + c * Queries, add: true);
            c += block;
        }
    }

    /// <summary>Divides by the softmax sum and writes the block's rows.</summary>
    public void End(float* state, float** rows, int count) =>
        AttentionTile.End(Sums(state), Sums(state) + (_values + 1) * Queries, rows, count, valueDim);

    private float* Sums(float* state) => state + _headDepth / 2 * Queries;

    private static int Depth(int count) => (count + Step - 1) / Step * Step;

    private static int Padded(PairUnit unit, int rows)
    {
        int padded = 0;
        while (padded < rows) padded += PairTile.RowsFor(unit, rows - padded, AnyRows);
        return padded;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SoftmaxColumn<T>(float* scores, int count, float* max, float* total, float* rescale) where T : unmanaged, ISimd<T>
    {
        T old = T.Load(max), factor = T.Create(scale);
        T m = old;
        for (int k = 0; k < count; k++) m = T.Max(m, T.Load(scores + k * Queries));
        T.Store(m, max);
        // Where nothing is visible yet the maximum is −∞; 0 in its place makes every exponential 0 instead of NaN.
        T shift = T.SelectLess(m, T.Create(float.MinValue), T.Zero, m);
        T before = VectorMath.Exp((old - shift) * factor);
        T sum = T.Zero;
        for (int k = 0; k < count; k++)
        {
            T p = VectorMath.Exp((T.Load(scores + k * Queries) - shift) * factor);
            T.Store(p, scores + k * Queries);
            sum += p;
        }
        T.Store(T.MultiplyAdd(T.Load(total), before, sum), total);
        T.Store(before, rescale);
    }

    /// <summary>Weights as [pair of keys][32][2], rounded to nearest even; those of missing keys are zeros.</summary>
    private static void Round(float* weights, int count, int depth, uint* to)
    {
        for (int k = 0; k < depth; k += 2, to += Queries)
            for (int q = 0; q < Queries; q += Vector256<uint>.Count)
            {
                Vector256<uint> even = k < count ? Rounded(weights + k * Queries + q) : Vector256<uint>.Zero;
                Vector256<uint> odd = k + 1 < count ? Rounded(weights + (k + 1) * Queries + q) : Vector256<uint>.Zero;
                (Vector256.ShiftRightLogical(even, 16) | odd & Vector256.Create(0xffff0000u)).Store(to + q);
            }

        static Vector256<uint> Rounded(float* values)
        {
            Vector256<uint> bits = Vector256.Load((uint*)values);
            return bits + Vector256.Create(0x7fffu) + (Vector256.ShiftRightLogical(bits, 16) & Vector256<uint>.One);
        }
    }
}
