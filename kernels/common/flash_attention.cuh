// FlashAttention's arguments, and how its work is shared out. Many keys are cut into splits, which are attended to beside each other; then
// flash_attention_combine puts them together in order. Splits begin at multiples of their length, which the width of heads alone decides, so
// a query's bits depend on its keys alone. A segment of one split has the bits that it has where nothing is split.
#pragma once
#include "segments.cuh"

struct FlashAttentionArguments
{
    Run run;
    View q, k, v, y;
    Segments segments;
    // What splits leave of each query row and head; 0 where keys are not split.
    float* partials;
    // Keys of a split.
    int split_keys;
    int group, head_dim, value_dim;
    float scale;
    // Causal: row i sees keys up to start + i; ends_with_keys: start is such that the last row sees the last key.
    int causal, ends_with_keys, start;
};

DEVICE int heads_of(const FlashAttentionArguments& a) { return a.y.columns / a.value_dim; }

// A row's sums of weighted values in a split, the largest score in units of log₂, and the sum of weights.
DEVICE float* partial_at(const FlashAttentionArguments& a, i64 row, int head)
{
    return a.partials + (row * heads_of(a) + head) * (a.value_dim + 2);
}

// A segment without keys has a split without keys.
DEVICE int splits_of(const FlashAttentionArguments& a, int keys)
{
    return keys <= a.split_keys ? 1 : (keys + a.split_keys - 1) / a.split_keys;
}

// What a block has: rows of a segment from first on, and keys from begin on. Of the partials, a segment's begin at row partial, and each of
// its splits has as many as the segment has queries.
struct SplitBlock
{
    int segment, first, begin;
    i64 partial;
};

// Blocks are counted through the segments, in each through the splits, in each of these through the rows: neighbours read the same keys. The
// segment is count behind the last one.
DEVICE SplitBlock split_block(const FlashAttentionArguments& a, int block, int rows)
{
    int all_rows = rows_of(a.run, a.q), all_keys = rows_of(a.run, a.k), segment = 0;
    i64 partial = 0;
    for (; segment < a.segments.count; segment++)
    {
        SegmentSize size = segment_size(a.segments, segment, all_rows, all_keys);
        int blocks = (size.rows + rows - 1) / rows, splits = splits_of(a, size.keys), split = blocks == 0 ? 0 : block / blocks;
        if (block < blocks * splits)
            return {segment, (block - split * blocks) * rows, split * a.split_keys, partial + (i64)split * size.rows};
        block -= blocks * splits;
        partial += (i64)size.rows * splits;
    }
    return {segment, 0, 0, 0};
}

// The same where keys are not split.
DEVICE SplitBlock whole_block(const FlashAttentionArguments& a, int block, int rows)
{
    RowBlock of = row_block(a.segments, block, rows);
    return {of.segment, of.first, 0, 0};
}
