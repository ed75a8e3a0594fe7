// FlashAttention's second kernel where keys are split: a query row's splits are put together in their order. A warp has a row of a head.
#include "common/flash_attention.cuh"
#include "common/online_softmax.cuh"
#include "common/fast_math.cuh"

const int CombineThreads = 256, MostValueDim = 256, ColumnsOfLane = MostValueDim / 32;

KERNEL(CombineThreads) flash_attention_combine(const FlashAttentionArguments a)
{
    if (is_stopped(a.run)) return;
    int lane = threadIdx.x % 32, heads = heads_of(a), width = a.value_dim;
    int all_rows = rows_of(a.run, a.q), all_keys = rows_of(a.run, a.k);
    i64 item = (i64)blockIdx.x * (CombineThreads / 32) + threadIdx.x / 32;
    int row = (int)(item / heads), head = (int)(item - (i64)row * heads);
    if (row >= all_rows) return;
    i64 partial = 0;
    int segment = 0;
    SegmentSize size = segment_size(a.segments, 0, all_rows, all_keys);
    while (row >= size.first_row + size.rows && segment + 1 < a.segments.count)
    {
        partial += (i64)size.rows * splits_of(a, size.keys);
        size = segment_size(a.segments, ++segment, all_rows, all_keys);
    }
    int splits = splits_of(a, size.keys);
    const float* first = partial_at(a, partial + row - size.first_row, head);
    i64 step = (i64)size.rows * heads * (width + 2);

    float largest = minus_infinity();
#pragma unroll 4
    for (int i = 0; i < splits; i++) largest = larger(largest, first[i * step + width]);
    // −0 added to a number is the number, also where that is −0.
    float shift = shift_of(largest), total = 0, sums[ColumnsOfLane];
#pragma unroll
    for (int j = 0; j < ColumnsOfLane; j++) sums[j] = bits_to_float(0x80000000);
#pragma unroll 2
    for (int i = 0; i < splits; i++)
    {
        const float* from = first + i * step;
        float weight = exponential2(from[width] - shift);
        total = fused(from[width + 1], weight, total);
#pragma unroll
        for (int j = 0; j < ColumnsOfLane; j++)
            if (lane + 32 * j < width) sums[j] = fused(from[lane + 32 * j], weight, sums[j]);
    }
    float inverse = total == 0 ? 0 : quotient(1, total);
#pragma unroll
    for (int j = 0; j < ColumnsOfLane; j++)
        if (lane + 32 * j < width) store(a.y, at(a.y, row, head * width + lane + 32 * j), sums[j] * inverse);
}
