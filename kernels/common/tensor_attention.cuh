// Attention of a block of queries of one head on the tensor cores: bfloat16 in, sums in float32 (FlashAttention-2, Dao 2023). Keys and
// values pass through shared memory block by block, the next one while this one is used; scores and weights stay in registers. Blocks of
// keys begin at multiples of their length, so a query's bits depend on its keys alone.
#pragma once
#include "tensor_core.cuh"
#include "fast_math.cuh"
#include "online_softmax.cuh"
#include "pairs.cuh"

// Warps have 16·RowTiles queries each. HoldsQueries: they stay in registers. Stages: 2, or 1 where shared memory is short; then keys are
// fetched during the softmax and values during the scores.
template <int HeadDim_, int ValueDim_, int RowTiles_, int Keys_, int Stages_, bool HoldsQueries_, int Warps_ = 4>
struct AttentionShape
{
    static const int HeadDim = HeadDim_, ValueDim = ValueDim_, RowTiles = RowTiles_, Keys = Keys_, Stages = Stages_;
    static const bool HoldsQueries = HoldsQueries_;
    static const int Threads = 32 * Warps_, WarpRows = 16 * RowTiles, Rows = Warps_ * WarpRows;
    // 16 channels are multiplied at once; what a head lacks of them is zeros.
    static const int HeadSteps = (HeadDim + 15) / 16, KeySteps = Keys / 16, ValueTiles = ValueDim / 8;
    // Bytes from a row to the next, an odd number of 16: the eight rows of a matrix lie in different banks.
    static const int KeyPitch = ((HeadSteps * 2) | 1) * 16, ValuePitch = (ValueTiles | 1) * 16;
    static const int QueryBytes = Rows * KeyPitch, KeyBytes = Keys * KeyPitch, ValueBytes = Keys * ValuePitch;
    static const int SharedBytes = QueryBytes + Stages * (KeyBytes + ValueBytes);
};

// What a thread has of the result. Of tile i it has rows lane / 4 and 8 more, of value tile j columns 2·(lane mod 4) and one more.
template <class Shape> struct AttentionSums
{
    float values[Shape::RowTiles][Shape::ValueTiles][4];
    // Of each row: the largest score, and this thread's part of the sum of weights.
    float largest[Shape::RowTiles][2], total[Shape::RowTiles][2];
};

struct SeenKeys
{
    // Keys that this block of queries looks at.
    int begin, end;
    // Keys that query 0 sees; each further query sees one more. At least end: all see all.
    int visible;
};

// Starts copying Rows rows of Channels numbers; row(i) is where row i lies, or 0 if there is none.
template <int Threads, int Rows, int Channels, int Pitch, class F> DEVICE void copy_rows(u32 to, const void* anything, const F& row)
{
    const int Together = Channels >= 64 ? 8 : Channels / 8;
    for (int i = threadIdx.x / Together; i < Rows; i += Threads / Together)
    {
        const u16* from = row(i);
        for (int part = threadIdx.x % Together; part < Channels / 8; part += Together)
            copy_async(to + i * Pitch + part * 16, from ? from + part * 8 : anything, from ? 16 : 0);
    }
}

// Zeros in the channels that rows of shared memory have beyond those of a head.
template <class Shape> DEVICE void clear_padding(u32 rows, int count)
{
    if constexpr (Shape::HeadSteps * 16 > Shape::HeadDim)
        for (int i = threadIdx.x; i < count; i += Shape::Threads) store_zeros(rows + i * Shape::KeyPitch + Shape::HeadDim * 2);
}

// scores = q·kᵀ of a warp's queries and a block of keys. Lanes point to rows of shared memory as load_matrices wants them.
template <class Shape> DEVICE void score(float (&scores)[Shape::RowTiles][Shape::Keys / 8][4],
    const u32 (&held)[Shape::RowTiles][Shape::HeadSteps][4], u32 queries, u32 keys)
{
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
        for (int j = 0; j < Shape::Keys / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) scores[i][j][e] = 0;
#pragma unroll
    for (int step = 0; step < Shape::HeadSteps; step++)
    {
        u32 a[Shape::RowTiles][4];
#pragma unroll
        for (int i = 0; i < Shape::RowTiles; i++)
        {
            if (!Shape::HoldsQueries) load_matrices(a[i], queries + i * 16 * Shape::KeyPitch + step * 32);
#pragma unroll
            for (int e = 0; e < 4 && Shape::HoldsQueries; e++) a[i][e] = held[i][step][e];
        }
#pragma unroll
        for (int j = 0; j < Shape::KeySteps; j++)
        {
            u32 b[4];
            load_matrices(b, keys + j * 16 * Shape::KeyPitch + step * 32);
#pragma unroll
            for (int i = 0; i < Shape::RowTiles; i++)
            {
                multiply_add(scores[i][2 * j], a[i], b[0], b[1]);
                multiply_add(scores[i][2 * j + 1], a[i], b[2], b[3]);
            }
        }
    }
}

// Hides key column j of a row from row's visible on; both count from the block's first key and the warp's first query.
template <class Shape> DEVICE void mask(float (&scores)[Shape::RowTiles][Shape::Keys / 8][4], int visible, int end)
{
    int row = threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
        for (int j = 0; j < Shape::Keys / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                if (j * 8 + column + e % 2 >= least(end, visible + i * 16 + row + e / 2 * 8)) scores[i][j][e] = minus_infinity();
}

// By what sums are multiplied when the largest score was `before`. Where it stays that is 2^0, and not what rounding leaves of it, as it
// would be by the weights' formula: so a block of keys that a row does not see changes no bit of the row, however many are walked together.
DEVICE float rescaling(float before, float largest, float scale) { return exponential2((before - shift_of(largest)) * scale); }

// Scores become weights 2^(scale·(score − largest)); what was summed before is brought to the same largest score.
template <class Shape> DEVICE void soften(AttentionSums<Shape>& sums, float (&scores)[Shape::RowTiles][Shape::Keys / 8][4], float scale)
{
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            float before = sums.largest[i][half], largest = before;
#pragma unroll
            for (int j = 0; j < Shape::Keys / 8; j++) largest = larger(largest, larger(scores[i][j][2 * half], scores[i][j][2 * half + 1]));
            largest = larger(largest, from_lane_xor(largest, 1));
            largest = larger(largest, from_lane_xor(largest, 2));
            float shift = shift_of(largest) * scale, factor = rescaling(before, largest, scale), total = 0;
#pragma unroll
            for (int j = 0; j < Shape::Keys / 8; j++)
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; e++)
                {
                    scores[i][j][e] = exponential2(fused(scores[i][j][e], scale, -shift));
                    total = total + scores[i][j][e];
                }
            sums.largest[i][half] = largest;
            sums.total[i][half] = fused(sums.total[i][half], factor, total);
#pragma unroll
            for (int j = 0; j < Shape::ValueTiles; j++)
            {
                sums.values[i][j][2 * half] = sums.values[i][j][2 * half] * factor;
                sums.values[i][j][2 * half + 1] = sums.values[i][j][2 * half + 1] * factor;
            }
        }
}

// sums += weights·v.
template <class Shape> DEVICE void add_values(AttentionSums<Shape>& sums, const float (&weights)[Shape::RowTiles][Shape::Keys / 8][4],
    u32 values)
{
#pragma unroll
    for (int step = 0; step < Shape::KeySteps; step++)
    {
        // The fragment of a sum is that of a factor, as it lies.
        u32 a[Shape::RowTiles][4];
#pragma unroll
        for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                a[i][e] = pack_bf16(weights[i][2 * step + e / 2][e % 2 * 2], weights[i][2 * step + e / 2][e % 2 * 2 + 1]);
        u32 from = values + step * 16 * Shape::ValuePitch;
#pragma unroll
        for (int j = 0; j < Shape::ValueTiles / 2; j++)
        {
            u32 b[4];
            load_matrices_transposed(b, from + j * 32);
#pragma unroll
            for (int i = 0; i < Shape::RowTiles; i++)
            {
                multiply_add(sums.values[i][2 * j], a[i], b[0], b[1]);
                multiply_add(sums.values[i][2 * j + 1], a[i], b[2], b[3]);
            }
        }
        if constexpr (Shape::ValueTiles % 2 == 1)
        {
            u32 b[2];
            load_matrices_transposed(b, from + Shape::ValueTiles / 2 * 32);
#pragma unroll
            for (int i = 0; i < Shape::RowTiles; i++) multiply_add(sums.values[i][Shape::ValueTiles - 1], a[i], b[0], b[1]);
        }
    }
}

// The sums over the seen keys, not yet divided by their totals. copy_queries(to) starts copying the queries; key(i) and value(i) are where
// those of key i lie. shared has Shape::SharedBytes.
template <class Shape, class Q, class K, class V> DEVICE void attend(AttentionSums<Shape>& sums, u32 shared, const SeenKeys& seen,
    float scale, const void* anything, const Q& copy_queries, const K& key, const V& value)
{
    const int Threads = Shape::Threads, Keys = Shape::Keys, Stages = Shape::Stages;
    u32 queries = shared, keys = queries + Shape::QueryBytes, values = keys + Stages * Shape::KeyBytes;
    auto copy_keys = [&](int first, int stage)
    {
        if (first < seen.end)
            copy_rows<Threads, Keys, Shape::HeadDim, Shape::KeyPitch>(keys + stage * Shape::KeyBytes, anything,
                [&](int i) { return first + i < seen.end ? key(first + i) : 0; });
        commit_copies();
    };
    auto copy_values = [&](int first, int stage)
    {
        if (first < seen.end)
            copy_rows<Threads, Keys, Shape::ValueDim, Shape::ValuePitch>(values + stage * Shape::ValueBytes, anything,
                [&](int i) { return first + i < seen.end ? value(first + i) : 0; });
        commit_copies();
    };
    clear_padding<Shape>(queries, Shape::Rows + Stages * Keys);
    copy_queries(queries);
    copy_keys(seen.begin, 0);
    copy_values(seen.begin, 0);

    // Where this lane's rows of matrices are, within a tile of queries, keys and values.
    int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * Shape::WarpRows;
    queries += (warp_row + lane % 16) * Shape::KeyPitch + lane / 16 * 16;
    u32 keys_lane = (lane % 8 + lane / 16 * 8) * Shape::KeyPitch + lane / 8 % 2 * 16;
    u32 values_lane = lane % 16 * Shape::ValuePitch + lane / 16 * 16;
    u32 held[Shape::RowTiles][Shape::HeadSteps][4];
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
    {
        sums.largest[i][0] = sums.largest[i][1] = minus_infinity();
        sums.total[i][0] = sums.total[i][1] = 0;
#pragma unroll
        for (int j = 0; j < Shape::ValueTiles; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) sums.values[i][j][e] = 0;
    }
    scale = scale * Log2OfE;
#pragma unroll 1
    for (int first = seen.begin, stage = 0; first < seen.end; first += Keys, stage ^= Stages - 1)
    {
        wait_copies<1>();
        __syncthreads();
        if (Shape::HoldsQueries && first == seen.begin)
#pragma unroll
            for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
                for (int step = 0; step < Shape::HeadSteps; step++)
                    load_matrices(held[i][step], queries + i * 16 * Shape::KeyPitch + step * 32);
        if (Stages == 2) copy_keys(first + Keys, stage ^ 1);
        float scores[Shape::RowTiles][Keys / 8][4];
        score<Shape>(scores, held, queries, keys + stage * Shape::KeyBytes + keys_lane);
        if (Stages == 1)
        {
            __syncthreads();
            copy_keys(first + Keys, 0);
        }
        if (least(seen.end, seen.visible + warp_row) < first + Keys) mask<Shape>(scores, seen.visible + warp_row - first, seen.end - first);
        soften<Shape>(sums, scores, scale);
        wait_copies<1>();
        __syncthreads();
        if (Stages == 2) copy_values(first + Keys, stage ^ 1);
        add_values<Shape>(sums, scores, values + stage * Shape::ValueBytes + values_lane);
        if (Stages == 1)
        {
            __syncthreads();
            copy_values(first + Keys, 0);
        }
    }
    wait_copies<0>();
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            sums.total[i][half] = sums.total[i][half] + from_lane_xor(sums.total[i][half], 1);
            sums.total[i][half] = sums.total[i][half] + from_lane_xor(sums.total[i][half], 2);
        }
}

// The first so many results, from column on; row(i) is the row of y for query i. They pass through shared memory, so that threads beside
// each other write beside each other.
template <class Shape, class F> DEVICE void store_results(const AttentionSums<Shape>& sums, float* results, const View& view, int rows,
    int column, const F& row)
{
    __syncthreads();
    const int Pitch = Shape::ValueDim + 8;
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            float total = sums.total[i][half], inverse = total == 0 ? 0 : quotient(1, total);
            float* to = results + (threadIdx.x / 32 * Shape::WarpRows + i * 16 + lane / 4 + half * 8) * Pitch + lane % 4 * 2;
#pragma unroll
            for (int j = 0; j < Shape::ValueTiles; j++)
                *(Pair*)(to + j * 8) = {sums.values[i][j][2 * half] * inverse, sums.values[i][j][2 * half + 1] * inverse};
        }
    __syncthreads();
    Pairs y(view, view.columns);
#pragma unroll 1
    for (int i = threadIdx.x; i < rows * (Shape::ValueDim / 2); i += Shape::Threads)
    {
        int query = i / (Shape::ValueDim / 2), c = i % (Shape::ValueDim / 2) * 2;
        y.store(row(query), column + c, *(const Pair*)(results + query * Pitch + c));
    }
}
