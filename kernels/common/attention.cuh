// Attention of a block of queries of one head, in plain float32: the referee of the tensor core kernels. An online softmax (Dao et al.
// 2022) over blocks of keys in order, so a query's bits depend on its keys alone. By 128 threads; a warp has 8 queries.
#pragma once
#include "tensor.cuh"
#include "online_softmax.cuh"
#include "math.cuh"

const int QueryBlock = 32, KeyBlock = 64, Staged = 16, MostHeadDim = 256, AttentionThreads = 128;

struct AttentionTiles
{
    // Scaled queries, [channel][query].
    ALIGNED(16) float queries[MostHeadDim][QueryBlock];
    // Scores, then their exponentials, [key][query].
    ALIGNED(16) float weights[KeyBlock][QueryBlock + 4];
    // 16 channels of the keys, or 64 columns of 16 values.
    ALIGNED(16) float staged[Staged][KeyBlock + 4];
    // What a block of keys does to the sums before it; then their total's inverse.
    ALIGNED(16) float factors[QueryBlock];
};

struct AttentionSize
{
    int head_dim, value_dim;
    // Queries of this block, and keys.
    int queries, keys;
    // Keys that query 0 sees; each further query sees one more. At least keys: all see all.
    int visible;
};

// sums[i][j] += Σ_d a[d][row + i]·b[d][column + j] over 16 rows of both.
template <int Pitch> DEVICE void add_products(float (&sums)[4][4], const float (*a)[Pitch], const float (*b)[KeyBlock + 4], int row,
    int column)
{
#pragma unroll 4
    for (int d = 0; d < Staged; d++)
    {
        Quad x = *(const Quad*)&a[d][row], y = *(const Quad*)&b[d][column];
        const float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) sums[i][j] = fused(xs[i], ys[j], sums[i][j]);
    }
}

// y(row, column, softmax(scale·q·kᵀ)·v), with q, k and v as functions of row and channel. A query that sees no key gives 0.
template <class Q, class K, class V, class Y> DEVICE void attend(AttentionTiles& tiles, const AttentionSize& size, float scale, const Q& q,
    const K& k, const V& v, const Y& y)
{
    int thread = threadIdx.x, row = thread / 16 * 4, column = thread % 16 * 4;
    // In the softmax a quad of threads has a query.
    int query = thread / 4;
    bool works = thread / 32 * 8 < size.queries;
    int channels = (size.head_dim + Staged - 1) / Staged * Staged;
#pragma unroll 1
    for (int i = thread; i < QueryBlock * channels; i += AttentionThreads)
    {
        int c = i / QueryBlock, r = i % QueryBlock;
        tiles.queries[c][r] = c < size.head_dim && r < size.queries ? q(r, c) * scale : 0;
    }

    // Sums over the keys so far, of four times 64 value columns.
    float sums[MostHeadDim / KeyBlock][4][4] = {};
    float largest = minus_infinity(), total = 0;
    int end = least(size.keys, size.visible + size.queries - 1);
    for (int first = 0; first < end; first += KeyBlock)
    {
        int count = least(KeyBlock, end - first);
        float scores[4][4] = {};
        for (int c = 0; c < channels; c += Staged)
        {
#pragma unroll 1
            for (int i = thread; i < KeyBlock * Staged; i += AttentionThreads)
            {
                int key = i / Staged, d = i % Staged;
                tiles.staged[d][key] = key < count && c + d < size.head_dim ? k(first + key, c + d) : 0;
            }
            __syncthreads();
            if (works) add_products(scores, tiles.queries + c, tiles.staged, row, column);
            __syncthreads();
        }
        if (works)
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                {
                    int key = first + column + j;
                    tiles.weights[column + j][row + i] = key < least(end, size.visible + row + i) ? scores[i][j] : minus_infinity();
                }
        __syncthreads();
        if (works)
        {
            float before = largest, sum = 0;
#pragma unroll 4
            for (int key = thread % 4; key < KeyBlock; key += 4) largest = larger(largest, tiles.weights[key][query]);
            largest = larger(largest, from_lane_xor(largest, 1));
            largest = larger(largest, from_lane_xor(largest, 2));
            float shift = shift_of(largest), factor = exponential(before - shift);
#pragma unroll 1
            for (int key = thread % 4; key < KeyBlock; key += 4)
            {
                float weight = exponential(tiles.weights[key][query] - shift);
                tiles.weights[key][query] = weight;
                sum = sum + weight;
            }
            sum = sum + from_lane_xor(sum, 1);
            sum = sum + from_lane_xor(sum, 2);
            total = fused(total, factor, sum);
            if (thread % 4 == 0) tiles.factors[query] = factor;
        }
        __syncthreads();
#pragma unroll
        for (int group = 0; group < MostHeadDim / KeyBlock; group++)
        {
            int first_column = group * KeyBlock;
            if (first_column >= size.value_dim) break;
            float part[4][4] = {};
            for (int key = 0; key < count; key += Staged)
            {
#pragma unroll 1
                for (int i = thread; i < Staged * KeyBlock; i += AttentionThreads)
                {
                    int d = i / KeyBlock, c = i % KeyBlock;
                    bool exists = key + d < count && first_column + c < size.value_dim;
                    tiles.staged[d][c] = exists ? v(first + key + d, first_column + c) : 0;
                }
                __syncthreads();
                if (works) add_products(part, tiles.weights + key, tiles.staged, row, column);
                __syncthreads();
            }
            if (!works) continue;
            Quad factors = *(const Quad*)&tiles.factors[row];
            const float fs[4] = {factors.x, factors.y, factors.z, factors.w};
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) sums[group][i][j] = fused(sums[group][i][j], fs[i], part[i][j]);
        }
    }

    if (thread % 4 == 0) tiles.factors[query] = total == 0 ? 0 : quotient(1, total);
#pragma unroll
    for (int group = 0; group < MostHeadDim / KeyBlock; group++)
    {
        int first_column = group * KeyBlock;
        if (first_column >= size.value_dim) break;
        __syncthreads();
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int i = 0; i < 4; i++) tiles.weights[column + j][row + i] = sums[group][i][j];
        __syncthreads();
#pragma unroll 1
        for (int i = thread; i < QueryBlock * KeyBlock; i += AttentionThreads)
        {
            int r = i / KeyBlock, c = i % KeyBlock;
            if (r < size.queries && first_column + c < size.value_dim) y(r, first_column + c, tiles.weights[c][r] * tiles.factors[r]);
        }
    }
}
