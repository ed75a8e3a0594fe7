// FlashAttention on the tensor cores, for bfloat16 and the head widths of the models. A block has Rows query rows of a segment and a head.
#include "common/tensor_attention.cuh"
#include "common/flash_attention.cuh"

template <class Shape> DEVICE void flash_attention(const FlashAttentionArguments& a)
{
    extern __shared__ ALIGNED(16) u8 shared[];
    if (is_stopped(a.run)) return;
    // Heads of the other widths are not split, and have no code for it.
    float* partials = Shape::HeadDim == 256 ? a.partials : 0;
    SplitBlock block = partials ? split_block(a, blockIdx.x, Shape::Rows) : whole_block(a, blockIdx.x, Shape::Rows);
    if (block.segment >= a.segments.count) return;
    Segment segment = segment_at(a.segments, block.segment, rows_of(a.run, a.q), rows_of(a.run, a.k));
    if (block.first >= segment.rows) return;
    int head = blockIdx.y, kv_head = head / a.group, rows = least(Shape::Rows, segment.rows - block.first);
    int start = a.ends_with_keys ? segment.keys - segment.rows : a.start >= 0 ? a.run.numbers[a.start] : 0;
    i64 first_row = segment.first_row + block.first;
    SeenKeys seen = {block.begin, segment.keys, segment.keys};
    if (a.causal) seen.visible = start + block.first + 1;
    seen.end = least(segment.keys, seen.visible + rows - 1);
    if (partials) seen.end = least(seen.end, block.begin + a.split_keys);
    const u16 *q = (const u16*)a.q.data + head * Shape::HeadDim, *k = (const u16*)a.k.data + kv_head * Shape::HeadDim;
    const u16* v = (const u16*)a.v.data + kv_head * Shape::ValueDim;
    auto copy_queries = [&](u32 to)
    {
        copy_rows<Shape::Threads, Shape::Rows, Shape::HeadDim, Shape::KeyPitch>(to, a.q.data,
            [&](int i) { return i < rows ? q + (first_row + i) * a.q.row_stride : 0; });
    };
    auto key = [&](int i) { return k + row_of(segment, a.segments.page_shift, i) * a.k.row_stride; };
    auto value = [&](int i) { return v + row_of(segment, a.segments.page_shift, i) * a.v.row_stride; };
    AttentionSums<Shape> sums;
    attend<Shape>(sums, shared_address(shared), seen, a.scale, a.q.data, copy_queries, key, value);
    if (!partials)
    {
        store_results<Shape>(sums, (float*)shared, a.y, rows, head * Shape::ValueDim, [&](int i) { return first_row + i; });
        return;
    }
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < Shape::RowTiles; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int row = threadIdx.x / 32 * Shape::WarpRows + i * 16 + lane / 4 + half * 8;
            if (row >= rows) continue;
            float* to = partial_at(a, block.partial + block.first + row, head);
#pragma unroll
            for (int j = 0; j < Shape::ValueTiles; j++)
                *(Pair*)(to + j * 8 + lane % 4 * 2) = {sums.values[i][j][2 * half], sums.values[i][j][2 * half + 1]};
            if (lane % 4 == 0) *(Pair*)(to + Shape::ValueDim) = {sums.largest[i][half] * a.scale * Log2OfE, sums.total[i][half]};
        }
}

// By key width, value width where it differs, and query rows of a block. Of one head's shapes, all give the same bits.
// Key width, value width, row tiles, keys of a block, stages, whether queries stay in registers.
KERNEL(128) flash_attention_16_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<16, 16, 1, 64, 2, true>>(a); }
KERNEL(128) flash_attention_32_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<32, 32, 1, 64, 2, true>>(a); }
KERNEL(128) flash_attention_64_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<64, 64, 1, 64, 2, true>>(a); }
KERNEL(128) flash_attention_64_rows128(const FlashAttentionArguments a) { flash_attention<AttentionShape<64, 64, 2, 64, 2, true>>(a); }
KERNEL(128) flash_attention_72_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<72, 72, 1, 64, 2, true>>(a); }
KERNEL(128) flash_attention_72_rows128(const FlashAttentionArguments a) { flash_attention<AttentionShape<72, 72, 2, 64, 2, false>>(a); }
KERNEL(128) flash_attention_80_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<80, 80, 1, 64, 2, true>>(a); }
KERNEL(128) flash_attention_128_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<128, 128, 1, 64, 2, true>>(a); }
KERNEL(128) flash_attention_256_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<256, 256, 1, 32, 2, false>>(a); }
KERNEL(128) flash_attention_256_64_rows64(const FlashAttentionArguments a) { flash_attention<AttentionShape<256, 64, 1, 64, 1, false>>(a); }
KERNEL(128) flash_attention_256_64_rows128(const FlashAttentionArguments a)
{
    flash_attention<AttentionShape<256, 64, 2, 64, 1, false>>(a);
}
