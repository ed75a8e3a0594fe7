// DecodeAttention: a query row of each sequence over the sequence's keys. A block has a split of the keys of a head and sequence; a second
// kernel puts the splits together.
#include "common/attention_splits.cuh"
#include "common/online_softmax.cuh"
#include "common/segments.cuh"
#include "common/team.cuh"
#include "common/math.cuh"

struct DecodeAttentionArguments
{
    Run run;
    View q, k, v, y;
    Segments segments;
    Partials partials;
    int group, head_dim;
    float scale;
};

const int DecodeThreads = 128, MostDecodeDim = 256, Columns = MostDecodeDim / DecodeThreads;

KERNEL(DecodeThreads) decode_attention(const DecodeAttentionArguments a)
{
    __shared__ float query[MostDecodeDim], weights[DecodeThreads];
    if (is_stopped(a.run)) return;
    int thread = threadIdx.x, split = blockIdx.x, head = blockIdx.y, sequence = blockIdx.z, rows = rows_of(a.run, a.q);
    Segment segment = segment_at(a.segments, sequence, rows, rows_of(a.run, a.k));
    int each = keys_of_split(segment.keys), begin = split * each, end = least(begin + each, segment.keys);
    if (sequence >= rows || begin >= end) return;
    for (int c = thread; c < a.head_dim; c += DecodeThreads) query[c] = load(a.q, at(a.q, sequence, head * a.head_dim + c)) * a.scale;
    SegmentColumns keys = {a.k, segment, a.segments.page_shift, head / a.group * a.head_dim}, values = keys;
    values.matrix = a.v;
    __syncthreads();

    // A thread has a key's score, then columns of the values.
    float largest = minus_infinity(), total = 0, sums[Columns] = {};
    for (int first = begin; first < end; first += DecodeThreads)
    {
        int count = least(DecodeThreads, end - first);
        float score = 0;
#pragma unroll 4
        for (int c = 0; c < a.head_dim && thread < count; c++) score = fused(query[c], keys(first + thread, c), score);
        if (thread >= count) score = minus_infinity();
        float before = largest;
        largest = larger(largest, team_max<DecodeThreads>(score));
        float factor = exponential(before - shift_of(largest)), weight = exponential(score - shift_of(largest));
        weights[thread] = weight;
        total = fused(total, factor, team_sum<DecodeThreads>(weight));
#pragma unroll
        for (int i = 0; i < Columns; i++)
        {
            int c = thread + i * DecodeThreads;
            float part = 0;
#pragma unroll 4
            for (int j = 0; j < count && c < a.head_dim; j++) part = fused(weights[j], values(first + j, c), part);
            sums[i] = fused(sums[i], factor, part);
        }
    }
    float* partial = a.partials.at(sequence, head, split);
#pragma unroll
    for (int i = 0; i < Columns; i++)
        if (thread + i * DecodeThreads < a.head_dim) partial[thread + i * DecodeThreads] = sums[i];
    if (thread > 0) return;
    partial[a.head_dim] = largest;
    partial[a.head_dim + 1] = total;
}

// y of a head and sequence, of its splits in order; a sequence without keys has 0.
KERNEL(DecodeThreads) decode_attention_combine(const DecodeAttentionArguments a)
{
    if (is_stopped(a.run)) return;
    int head = blockIdx.x, sequence = blockIdx.y, rows = rows_of(a.run, a.q);
    if (sequence >= rows) return;
    int splits = splits_of(segment_at(a.segments, sequence, rows, rows_of(a.run, a.k)).keys), width = a.head_dim;
    float largest = minus_infinity();
    for (int i = 0; i < splits; i++) largest = larger(largest, a.partials.at(sequence, head, i)[width]);
    for (int c = threadIdx.x; c < width; c += DecodeThreads)
    {
        float total = 0, sum = 0;
#pragma unroll 1
        for (int i = 0; i < splits; i++)
        {
            const float* partial = a.partials.at(sequence, head, i);
            float weight = exponential(partial[width] - shift_of(largest));
            total = fused(partial[width + 1], weight, total);
            sum = fused(partial[c], weight, sum);
        }
        store(a.y, at(a.y, sequence, head * width + c), splits == 0 ? 0 : sum * quotient(1, total));
    }
}
