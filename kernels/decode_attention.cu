// DecodeAttention: a query row of each sequence over the sequence's keys. A block has a split of the keys of a head and sequence; a second
// kernel puts the splits together.
#include "common/attention_splits.cuh"
#include "common/online_softmax.cuh"
#include "common/team.cuh"
#include "common/math.cuh"

const int DecodeThreads = SplitKeys, MostDecodeDim = 256, Columns = MostDecodeDim / DecodeThreads;

KERNEL(DecodeThreads) decode_attention(const DecodeAttentionArguments a)
{
    __shared__ float query[MostDecodeDim], weights[SplitKeys];
    if (is_stopped(a.run)) return;
    int thread = threadIdx.x, split = blockIdx.x, head = blockIdx.y, sequence = blockIdx.z, rows = rows_of(a.run, a.q);
    Segment segment = segment_at(a.segments, sequence, rows, rows_of(a.run, a.k));
    int first = split * SplitKeys, count = least(SplitKeys, segment.keys - first);
    if (sequence >= rows || count <= 0) return;
    for (int c = thread; c < a.head_dim; c += DecodeThreads) query[c] = load(a.q, at(a.q, sequence, head * a.head_dim + c)) * a.scale;
    SegmentColumns keys = {a.k, segment, a.segments.page_shift, head / a.group * a.head_dim}, values = keys;
    values.matrix = a.v;
    __syncthreads();

    // A thread has a key's score, then columns of the values.
    float score = 0;
#pragma unroll 4
    for (int c = 0; c < a.head_dim && thread < count; c++) score = fused(query[c], keys(first + thread, c), score);
    if (thread >= count) score = minus_infinity();
    float largest = team_max<DecodeThreads>(score), weight = exponential(score - shift_of(largest));
    weights[thread] = weight;
    float total = team_sum<DecodeThreads>(weight), *partial = a.partials.at(sequence, head, split);
#pragma unroll
    for (int i = 0; i < Columns; i++)
    {
        int c = thread + i * DecodeThreads;
        float sum = 0;
#pragma unroll 4
        for (int j = 0; j < count && c < a.head_dim; j++) sum = fused(weights[j], values(first + j, c), sum);
        if (c < a.head_dim) partial[c] = sum;
    }
    if (thread > 0) return;
    partial[a.head_dim] = largest;
    partial[a.head_dim + 1] = total;
}

// y of a head and sequence, of its splits in order; a sequence without keys has 0.
KERNEL(DecodeThreads) decode_attention_combine(const DecodeAttentionArguments a)
{
    __shared__ float weights[DecodeThreads];
    if (is_stopped(a.run)) return;
    int thread = threadIdx.x, head = blockIdx.x, sequence = blockIdx.y, rows = rows_of(a.run, a.q), width = a.head_dim;
    if (sequence >= rows) return;
    int splits = splits_of(segment_at(a.segments, sequence, rows, rows_of(a.run, a.k)).keys), stride = width + 2;
    const float* partials = a.partials.at(sequence, head, 0);
    float largest = minus_infinity();
    for (int i = thread; i < splits; i += DecodeThreads) largest = larger(largest, partials[(i64)i * stride + width]);
    largest = team_max<DecodeThreads>(largest);

    // A thread has a split's weight, then columns.
    float total = 0, sums[Columns] = {};
    for (int first = 0; first < splits; first += DecodeThreads)
    {
        int count = least(DecodeThreads, splits - first);
        const float* partial = partials + (i64)first * stride;
        __syncthreads();
        if (thread < count) weights[thread] = exponential(partial[thread * stride + width] - shift_of(largest));
        __syncthreads();
#pragma unroll
        for (int i = 0; i < Columns; i++)
        {
            int c = thread + i * DecodeThreads;
#pragma unroll 8
            for (int j = 0; j < count && c < width; j++) sums[i] = fused(partial[j * stride + c], weights[j], sums[i]);
        }
#pragma unroll 8
        for (int j = 0; j < count; j++) total = fused(partial[j * stride + width + 1], weights[j], total);
    }
#pragma unroll
    for (int i = 0; i < Columns; i++)
    {
        int c = thread + i * DecodeThreads;
        if (c < width) store(a.y, at(a.y, sequence, head * width + c), splits == 0 ? 0 : sums[i] * quotient(1, total));
    }
}
