// FlashAttention: softmax(scale·q·kᵀ)·v of each head and segment. A block has 32 query rows of a segment and a head; one
// where they are few.
#include "common/attention.cuh"
#include "common/few_queries.cuh"
#include "common/flash_attention.cuh"

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

// Heads of 4·Lanes channels, all keys seen.
template <int Lanes> DEVICE void attend_few(const FlashAttentionArguments& a, FewQueriesParts& parts)
{
    RowBlock block = row_block(a.segments, blockIdx.x, 1);
    if (block.segment >= a.segments.count) return;
    Segment segment = segment_at(a.segments, block.segment, rows_of(a.run, a.q), rows_of(a.run, a.k));
    if (block.first >= segment.rows) return;
    int head = blockIdx.y, own = threadIdx.x % Lanes * 4, kv_channel = head / a.group * a.head_dim + own;
    i64 row = segment.first_row + block.first;
    Quad q = widen(a.q, read_raw(a.q, at(a.q, row, head * a.head_dim + own)));
    q = {q.x * a.scale, q.y * a.scale, q.z * a.scale, q.w * a.scale};
    float y = attend_few<Lanes>(parts, q, a.k, a.v, segment, kv_channel);
    if (threadIdx.x < 4 * Lanes) store(a.y, at(a.y, row, head * a.value_dim + threadIdx.x), y);
}

KERNEL(FewQueriesThreads) flash_attention_few_16(const FlashAttentionArguments a)
{
    __shared__ FewQueriesParts parts;
    if (!is_stopped(a.run)) attend_few<4>(a, parts);
}

KERNEL(FewQueriesThreads) flash_attention_few_32(const FlashAttentionArguments a)
{
    __shared__ FewQueriesParts parts;
    if (!is_stopped(a.run)) attend_few<8>(a, parts);
}
