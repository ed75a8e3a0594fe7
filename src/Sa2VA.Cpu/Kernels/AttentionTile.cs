using System.Numerics;
using System.Runtime.CompilerServices;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// The inner part of attention for one head: up to 32 queries against up to 96 keys. Queries are the vector lanes throughout: scores come
/// out as [key][query], so the softmax needs no reduction across lanes and its result is the next product's operand as it lies. Lanes never
/// meet, so a query's bits depend neither on its neighbours nor on the vector width.
/// </summary>
internal static unsafe class AttentionTile
{
    /// <summary>Queries per block.</summary>
    public const int Queries = 32;

    /// <summary>Keys per tile; tiles start at multiples of it. Scores of a tile (12 KB) stay in L1. A multiple of 12 and 6.</summary>
    public const int Keys = 96;

    /// <summary>Values per group, rounded up to the largest micro-kernel's rows.</summary>
    public static int PaddedValues(int valueDim) => (valueDim + 11) / 12 * 12;

    /// <summary>Floats of a query block's state: packed queries, output sums, running maximum and sum.</summary>
    public static int StateFloats(int headDim, int valueDim) => (headDim + PaddedValues(valueDim) + 2) * Queries;

    /// <summary>Floats of a tile's packed keys and values, its scores and one product.</summary>
    public static int TileFloats(int headDim, int valueDim) => Keys * (headDim + PaddedValues(valueDim)) + (Keys + 12) * Queries;

    /// <summary>Packs queries as [d][32], scaled, and clears the running maximum, sum and output.</summary>
    public static void Begin(float* state, float** rows, int count, int headDim, int valueDim, float scale)
    {
        Interleave.Rows(rows, count, headDim, state, Queries);
        for (int c = 0; c < headDim; c++)
        {
            var channel = new Span<float>(state + c * Queries, Queries);
            channel[count..].Clear();
            for (int i = 0; i < Queries; i += Vector<float>.Count)
                (Vector.Load(state + c * Queries + i) * scale).Store(state + c * Queries + i);
        }
        float* sums = state + headDim * Queries;
        int padded = PaddedValues(valueDim);
        new Span<float>(sums, (padded + 2) * Queries).Clear();
        new Span<float>(sums + padded * Queries, Queries).Fill(float.NegativeInfinity);
    }

    /// <summary>Packs keys as [group][d][rows of the micro-kernel].</summary>
    public static void PackKeys<T>(float* to, float** rows, int count, int headDim) where T : unmanaged, ISimd<T>
    {
        int mr = MicroKernel.Rows<T>();
        for (int k = 0; k < count; k += mr, to += mr * headDim)
        {
            int valid = Math.Min(mr, count - k);
            Interleave.Rows(rows + k, valid, headDim, to, mr);
            for (int i = valid; i < mr; i++)
                for (int c = 0; c < headDim; c++) to[c * mr + i] = 0;
        }
    }

    /// <summary>Packs values as [group of value channels][key][rows of the micro-kernel].</summary>
    public static void PackValues<T>(float* to, float** rows, int count, int valueDim) where T : unmanaged, ISimd<T>
    {
        int mr = MicroKernel.Rows<T>();
        for (int c = 0; c < valueDim; c += mr)
        {
            int valid = Math.Min(mr, valueDim - c);
            for (int k = 0; k < count; k++, to += mr)
            {
                float* row = rows[k] + c;
                for (int i = 0; i < valid; i++) to[i] = row[i];
                for (int i = valid; i < mr; i++) to[i] = 0;
            }
        }
    }

    /// <summary>One step of the online softmax: scores of a tile, rescaling, and the weighted sum of its values.</summary>
    /// <param name="blocks">Assembled register blocks of this width, or null for the managed ones.</param>
    /// <param name="state">The query block.</param>
    /// <param name="keys">Packed keys.</param>
    /// <param name="values">Packed values.</param>
    /// <param name="work">Scores and a product: (96 + 12)·32 floats.</param>
    /// <param name="count">Keys in the tile.</param>
    /// <param name="headDim">Channels of a query.</param>
    /// <param name="valueDim">Channels of a value.</param>
    /// <param name="firstVisible">
    /// For query 0 of the block: how many keys of this tile it sees; each further query sees one more. Negative numbers count too; a number
    /// of at least <paramref name="count"/> means no mask.
    /// </param>
    public static void Step<T>(FloatBlocks? blocks, float* state, float* keys, float* values, float* work, int count, int headDim,
        int valueDim, long firstVisible)
        where T : unmanaged, ISimd<T>
    {
        int mr = MicroKernel.Rows<T>();
        float* scores = work;
        float* product = work + Keys * Queries;
        for (int k = 0; k < count; k += mr) Multiply<T>(blocks, keys + k * headDim, state, headDim, scores + k * Queries);
        if (firstVisible < count) Mask(scores, count, firstVisible);

        float* sums = state + headDim * Queries;
        float* max = sums + PaddedValues(valueDim) * Queries;
        float* total = max + Queries;
        float* rescale = stackalloc float[Queries];
        for (int q = 0; q < Queries; q += T.Count) SoftmaxColumn<T>(scores + q, count, max + q, total + q, rescale + q);

        for (int c = 0; c < valueDim; c += mr)
        {
            Multiply<T>(blocks, values + (long)c * count, scores, count, product);
            float* to = sums + c * Queries;
            for (int i = 0; i < mr; i++, to += Queries)
                for (int q = 0; q < Queries; q += T.Count)
                    T.Store(T.MultiplyAdd(T.Load(to + q), T.Load(rescale + q), T.Load(product + i * Queries + q)), to + q);
        }
    }

    /// <inheritdoc cref="End(float*, float*, float**, int, int)"/>
    public static void End(float* state, float** rows, int count, int headDim, int valueDim)
    {
        float* sums = state + headDim * Queries;
        End(sums, sums + (PaddedValues(valueDim) + 1) * Queries, rows, count, valueDim);
    }

    /// <summary>Divides by the softmax sum and writes the block's rows; a query that saw no key gives zeros.</summary>
    public static void End(float* sums, float* total, float** rows, int count, int valueDim)
    {
        for (int i = 0; i < count; i++)
        {
            float inverse = total[i] == 0 ? 0 : 1 / total[i];
            float* from = sums + i;
            for (int c = 0; c < valueDim; c++, from += Queries) rows[i][c] = *from * inverse;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxColumn<T>(float* scores, int count, float* max, float* total, float* rescale) where T : unmanaged, ISimd<T>
    {
        T old = T.Load(max);
        T m = old;
        for (int k = 0; k < count; k++) m = T.Max(m, T.Load(scores + k * Queries));
        T.Store(m, max);
        // Where nothing is visible yet the maximum is −∞; 0 in its place makes every exponential 0 instead of NaN.
        T shift = T.SelectLess(m, T.Create(float.MinValue), T.Zero, m);
        T factor = VectorMath.Exp(old - shift);
        T sum = T.Zero;
        for (int k = 0; k < count; k++)
        {
            T p = VectorMath.Exp(T.Load(scores + k * Queries) - shift);
            T.Store(p, scores + k * Queries);
            sum += p;
        }
        T.Store(T.MultiplyAdd(T.Load(total), factor, sum), total);
        T.Store(factor, rescale);
    }

    /// <summary>Scores of keys that a query does not see become −∞: query 0 sees so many, each further one one more.</summary>
    public static void Mask(float* scores, int count, long firstVisible)
    {
        for (int q = 0; q < Queries; q++)
        {
            long visible = Math.Max(0, firstVisible + q);
            for (long k = visible; k < count; k++) scores[k * Queries + q] = float.NegativeInfinity;
        }
    }

    private static void Multiply<T>(FloatBlocks? blocks, float* a, float* b, int depth, float* to) where T : unmanaged, ISimd<T> =>
        MicroKernel.Tile<T, LoadF32<T>>(blocks, MicroKernel.Rows<T>(), a, (byte*)b, depth, to, add: false);
}
