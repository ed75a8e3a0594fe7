// FlashAttention: softmax(scale·q·kᵀ)·v of each head and segment. A block has 32 query rows of a segment and a head.
#include "common/attention.cuh"
#include "common/segments.cuh"

struct FlashAttentionArguments
{
    Run run;
    View q, k, v, y;
    Segments segments;
    int group, head_dim, value_dim;
    float scale;
    // Causal: row i sees keys up to start + i; ends_with_keys: start is such that the last row sees the last key.
    int causal, ends_with_keys, start;
};

KERNEL(AttentionThreads) flash_attention(const FlashAttentionArguments a)
{
    __shared__ AttentionTiles tiles;
    if (is_stopped(a.run)) return;
    RowBlock block = row_block(a.segments, blockIdx.x, QueryBlock);
    if (block.segment >= a.segments.count) return;
    Segment segment = segment_at(a.segments, block.segment, rows_of(a.run, a.q), rows_of(a.run, a.k));
    if (block.first >= segment.rows) return;
    int head = blockIdx.y, kv_head = head / a.group;
    int start = a.ends_with_keys ? segment.keys - segment.rows : a.start >= 0 ? a.run.numbers[a.start] : 0;
    i64 first_row = segment.first_row + block.first;
    AttentionSize size = {a.head_dim, a.value_dim, least(QueryBlock, segment.rows - block.first), segment.keys,
        a.causal ? start + block.first + 1 : segment.keys};
    auto query = [&](int row, int c) { return load(a.q, at(a.q, first_row + row, head * a.head_dim + c)); };
    SegmentColumns keys = {a.k, segment, a.segments.page_shift, kv_head * a.head_dim};
    SegmentColumns values = {a.v, segment, a.segments.page_shift, kv_head * a.value_dim};
    auto result = [&](int row, int c, float x) { store(a.y, at(a.y, first_row + row, head * a.value_dim + c), x); };
    attend(tiles, size, a.scale, query, keys, values, result);
}
