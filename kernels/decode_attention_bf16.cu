// DecodeAttention on the tensor cores, for bfloat16 and the head widths of the models. A block has a split of the keys of a key head and
// sequence, for all query heads that share it: they are the rows of one tile, so keys and values are read once for all of them. Each warp
// has a quarter of the keys; sums are added in the order of the warps.
#include "common/attention_splits.cuh"
#include "common/pairs.cuh"
#include "common/tensor_attention.cuh"

const int MostGroup = 16, Warps = 4, WarpKeys = SplitKeys / Warps;

template <int HeadDim> DEVICE void attend_split(const DecodeAttentionArguments& a)
{
    typedef AttentionShape<HeadDim, HeadDim, 1, WarpKeys, 1, true> Shape;
    extern __shared__ ALIGNED(16) u8 shared[];
    __shared__ float largest_of[Warps][MostGroup], total_of[Warps][MostGroup];
    if (is_stopped(a.run)) return;
    int kv_head = blockIdx.y, sequence = blockIdx.z, rows = rows_of(a.run, a.q), first = blockIdx.x * SplitKeys;
    Segment segment = segment_at(a.segments, sequence, rows, rows_of(a.run, a.k));
    int count = least(SplitKeys, segment.keys - first);
    if (sequence >= rows || count <= 0) return;

    const u16* q = (const u16*)a.q.data + at(a.q, sequence, kv_head * a.group * HeadDim);
    const u16 *k = (const u16*)a.k.data + kv_head * HeadDim, *v = (const u16*)a.v.data + kv_head * HeadDim;
    u32 queries = shared_address(shared), keys = queries + MostGroup * Shape::KeyPitch, values = keys + SplitKeys * Shape::KeyPitch;
    copy_rows<Shape::Threads, MostGroup, HeadDim, Shape::KeyPitch>(queries, a.q.data,
        [&](int i) { return i < a.group ? q + i * HeadDim : 0; });
    copy_rows<Shape::Threads, SplitKeys, HeadDim, Shape::KeyPitch>(keys, a.q.data,
        [&](int i) { return i < count ? k + row_of(segment, a.segments.page_shift, first + i) * a.k.row_stride : 0; });
    commit_copies();
    copy_rows<Shape::Threads, SplitKeys, HeadDim, Shape::ValuePitch>(values, a.q.data,
        [&](int i) { return i < count ? v + row_of(segment, a.segments.page_shift, first + i) * a.v.row_stride : 0; });
    commit_copies();
    wait_copies<1>();
    __syncthreads();

    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    u32 held[1][Shape::HeadSteps][4];
#pragma unroll
    for (int step = 0; step < Shape::HeadSteps; step++)
        load_matrices(held[0][step], queries + lane % 16 * Shape::KeyPitch + lane / 16 * 16 + step * 32);
    float scores[1][WarpKeys / 8][4];
    score<Shape>(scores, held, queries, keys + (warp * WarpKeys + lane % 8 + lane / 16 * 8) * Shape::KeyPitch + lane / 8 % 2 * 16);
    int end = count - warp * WarpKeys;
    if (end < WarpKeys) mask<Shape>(scores, end, end);

    // Weights are of the largest score of all warps.
    AttentionSums<Shape> sums = {};
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        float largest = minus_infinity();
#pragma unroll
        for (int j = 0; j < WarpKeys / 8; j++) largest = larger(largest, larger(scores[0][j][2 * half], scores[0][j][2 * half + 1]));
        largest = larger(largest, from_lane_xor(largest, 1));
        largest = larger(largest, from_lane_xor(largest, 2));
        if (lane % 4 == 0) largest_of[warp][lane / 4 + 8 * half] = largest;
    }
    wait_copies<0>();
    __syncthreads();
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        sums.largest[0][half] = minus_infinity();
#pragma unroll
        for (int w = 0; w < Warps; w++) sums.largest[0][half] = larger(sums.largest[0][half], largest_of[w][lane / 4 + 8 * half]);
    }
    soften<Shape>(sums, scores, a.scale * Log2OfE);
    u32 from = values + (warp * WarpKeys + lane % 16) * Shape::ValuePitch + lane / 16 * 16;
    add_values<Shape>(sums, scores, from);
    // What their rounding left of the weights counts too: multiplies are not what is waited for.
#pragma unroll
    for (int j = 0; j < WarpKeys / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) scores[0][j][e] = scores[0][j][e] - widen_bf16(round_bf16(scores[0][j][e]));
    add_values<Shape>(sums, scores, from);

    // The warps' sums take the place of the keys.
    const int Pitch = HeadDim + 8;
    float* parts = (float*)(shared + MostGroup * Shape::KeyPitch);
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        int row = lane / 4 + 8 * half;
        float total = sums.total[0][half];
        total = total + from_lane_xor(total, 1);
        total = total + from_lane_xor(total, 2);
        if (lane % 4 == 0) total_of[warp][row] = total;
#pragma unroll
        for (int j = 0; j < Shape::ValueTiles; j++)
            *(Pair*)(parts + (warp * MostGroup + row) * Pitch + 8 * j + lane % 4 * 2) =
                {sums.values[0][j][2 * half], sums.values[0][j][2 * half + 1]};
    }
    __syncthreads();
    for (int i = threadIdx.x; i < a.group * HeadDim; i += Shape::Threads)
    {
        int row = i / HeadDim, column = i % HeadDim;
        float sum = 0;
#pragma unroll
        for (int w = 0; w < Warps; w++) sum = sum + parts[(w * MostGroup + row) * Pitch + column];
        a.partials.at(sequence, kv_head * a.group + row, blockIdx.x)[column] = sum;
    }
    if ((int)threadIdx.x >= a.group) return;
    float largest = minus_infinity(), total = 0;
#pragma unroll
    for (int w = 0; w < Warps; w++)
    {
        largest = larger(largest, largest_of[w][threadIdx.x]);
        total = total + total_of[w][threadIdx.x];
    }
    float* partial = a.partials.at(sequence, kv_head * a.group + threadIdx.x, blockIdx.x);
    partial[HeadDim] = largest * a.scale;
    partial[HeadDim + 1] = total;
}

KERNEL(128) decode_attention_bf16_16(const DecodeAttentionArguments a) { attend_split<16>(a); }
KERNEL(128) decode_attention_bf16_32(const DecodeAttentionArguments a) { attend_split<32>(a); }
KERNEL(128) decode_attention_bf16_64(const DecodeAttentionArguments a) { attend_split<64>(a); }
KERNEL(128) decode_attention_bf16_128(const DecodeAttentionArguments a) { attend_split<128>(a); }
