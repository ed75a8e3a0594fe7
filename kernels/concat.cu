// Concat: parts one under the other, each with its run-time length, segment by segment. A launch for each part.
#include "common/copy.cuh"

const int MostParts = 16;

struct ConcatArguments
{
    Run run;
    View y;
    Share share;
    int parts, segments, index;
    // The part that is copied, and rows of each of its segments; equal segments where there are none.
    View part, lengths;
    View all_parts[MostParts], all_lengths[MostParts];
};

struct SegmentLengthsArguments
{
    Run run;
    View part, lengths;
    int site;
};

enum { Negative = 1, NotAllRows = 2 };

// Reports lengths that are below 0, or not all rows of a part. One warp, of which one thread does the work: segments are few.
KERNEL(32) check_segment_lengths(const SegmentLengthsArguments a)
{
    if (is_stopped(a.run) || threadIdx.x > 0) return;
    i64 sum = 0;
    for (int s = 0; s < a.lengths.columns; s++)
    {
        int length = ((const int*)a.lengths.data)[s];
        if (length < 0)
        {
            report(a.run, a.site, Negative, length, s, 0);
            return;
        }
        sum += length;
    }
    int rows = rows_of(a.run, a.part);
    if (sum != rows) report(a.run, a.site, NotAllRows, (int)sum, (int)(sum >> 32), rows);
}

// Rows of a part in the segments before that one.
DEVICE int rows_before(const Run& run, const View& part, const View& lengths, int segments, int segment)
{
    if (!lengths.data) return segments == 1 ? segment * rows_of(run, part) : segment * (part.rows / segments);
    int sum = 0;
#pragma unroll 1
    for (int s = 0; s < segment; s++) sum += ((const int*)lengths.data)[s];
    return sum;
}

// The segment that a row of a part belongs to.
DEVICE int segment_of(const View& part, const View& lengths, int segments, int row)
{
    if (!lengths.data) return segments == 1 ? 0 : row / (part.rows / segments);
    int segment = 0, end = ((const int*)lengths.data)[0];
    while (row >= end) end += ((const int*)lengths.data)[++segment];
    return segment;
}

// As many elements as are moved at once where rows consist of them.
struct ALIGNED(16) Words { u32 a, b, c, d; };

DEVICE void copy_words(const View& from, i64 from_row, const View& to, i64 to_row, const OwnElements& own)
{
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step)
        ((Words*)to.data)[at(to, to_row, c)] = ((const Words*)from.data)[at(from, from_row, c)];
}

template <bool OfWords> DEVICE void copy_part(const ConcatArguments& a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.part), a.y.columns);
    if (own.column >= own.end) return;
    // Above a row stand its part's rows above it, all of its segment of the parts before, and the segments before.
    int segment = segment_of(a.part, a.lengths, a.segments, own.row);
    i64 row = own.row;
#pragma unroll
    for (int i = 0; i < MostParts; i++)
        if (i < a.parts && i != a.index)
            row += rows_before(a.run, a.all_parts[i], a.all_lengths[i], a.segments, i < a.index ? segment + 1 : segment);
    if (OfWords) copy_words(a.part, own.row, a.y, row, own);
    else copy_own(a.part, own.row, a.y, row, own);
}

KERNEL(256) concat(const ConcatArguments a) { copy_part<false>(a); }

// Columns and strides of y and of the part are in words.
KERNEL(256) concat_words(const ConcatArguments a) { copy_part<true>(a); }
