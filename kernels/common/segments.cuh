// Which query rows of an attention belong together, and where their keys and values lie: AttentionSegments of Core. Filled by
// src/Sa2VA.Cuda/Kernels/AttentionSegments.cs.
#pragma once
#include "tensor.cuh"

struct Segments
{
    // Keys of each segment, first query row of each and one more, pages of each [count][pages_each]; 0 where none are given.
    const int *lengths, *offsets, *pages;
    int count, pages_each, page_shift;
    // Where rows and keys fall into equal parts; all of them if count is 1.
    int rows_each, keys_each;
};

// A segment in this run. Key j is row first_key + j, or lies in its pages.
struct Segment
{
    int first_row, rows, keys;
    i64 first_key;
    const int* pages;
};

// Where a block of query rows begins.
struct RowBlock
{
    int segment, first;
};

// Blocks of so many rows, counted through all segments; the segment is count behind the last one.
DEVICE RowBlock row_block(const Segments& s, int block, int rows)
{
    if (!s.offsets)
    {
        int each = (s.rows_each + rows - 1) / rows;
        return {block / each, block % each * rows};
    }
    int segment = 0;
    for (; segment < s.count; segment++)
    {
        int blocks = (s.offsets[segment + 1] - s.offsets[segment] + rows - 1) / rows;
        if (block < blocks) break;
        block -= blocks;
    }
    return {segment, block * rows};
}

// The query rows and keys that a segment has in this run.
struct SegmentSize
{
    int first_row, rows, keys;
};

DEVICE SegmentSize segment_size(const Segments& s, int index, int all_rows, int all_keys)
{
    SegmentSize r;
    r.first_row = s.offsets ? s.offsets[index] : index * s.rows_each;
    // Of equal parts, a run has the first ones.
    bool exists = r.first_row < all_rows;
    r.rows = s.offsets ? s.offsets[index + 1] - r.first_row : s.count == 1 ? all_rows : exists ? s.rows_each : 0;
    r.keys = s.lengths ? s.lengths[index] : s.count == 1 ? all_keys : exists ? s.keys_each : 0;
    return r;
}

DEVICE Segment segment_at(const Segments& s, int index, int all_rows, int all_keys)
{
    SegmentSize size = segment_size(s, index, all_rows, all_keys);
    Segment r;
    r.first_row = size.first_row;
    r.rows = size.rows;
    r.keys = size.keys;
    r.pages = s.pages ? s.pages + (i64)index * s.pages_each : 0;
    r.first_key = s.lengths ? 0 : (i64)index * s.keys_each;
    if (s.lengths && !s.pages)
        for (int i = 0; i < index; i++) r.first_key += s.lengths[i];
    return r;
}

// The row that a segment's key has.
DEVICE i64 row_of(const Segment& s, int page_shift, int key)
{
    return s.pages ? ((i64)s.pages[key >> page_shift] << page_shift) + (key & ((1 << page_shift) - 1)) : s.first_key + key;
}

// A head's columns of a segment's keys or values.
struct SegmentColumns
{
    View matrix;
    Segment segment;
    int page_shift, column;
    DEVICE_MEMBER float operator()(int key, int c) const
    {
        return load(matrix, at(matrix, row_of(segment, page_shift, key), column + c));
    }
};
