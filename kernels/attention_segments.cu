// What the host cannot look at of an attention's segments: lengths, offsets and pages that are on the device. By one warp, which writes
// nothing but what it found first.
#include "common/segments.cuh"

struct AttentionSegmentsArguments
{
    Run run;
    View q, k;
    Segments segments;
    // Most keys of a segment, pages of the pool.
    int capacity, pool;
    int offset_site, length_site, page_site, keys_site;
};

KERNEL(32) check_attention_segments(const AttentionSegmentsArguments a)
{
    if (is_stopped(a.run)) return;
    const Segments& s = a.segments;
    int lane = threadIdx.x, rows = rows_of(a.run, a.q), before = 0;
    bool reports = lane == 0;
    for (int i = 0; s.offsets && i <= s.count; i++)
    {
        int offset = s.offsets[i];
        if (i == 0 ? offset != 0 : offset < before || i == s.count && offset != rows)
        {
            // The code tells the rows.
            if (reports) report(a.run, a.offset_site, rows + 1, offset, i, before);
            return;
        }
        before = offset;
    }
    i64 keys = 0;
    for (int i = 0; i < s.count; i++)
    {
        int length = s.lengths[i];
        if (length < 0 || length > a.capacity)
        {
            if (reports) report(a.run, a.length_site, 1, length, i, 0);
            return;
        }
        keys += length;
    }
    if (!s.pages && keys > rows_of(a.run, a.k) && reports) report(a.run, a.keys_site, 1, (int)keys, 0, rows_of(a.run, a.k));
    for (int i = 0; s.pages && i < s.count; i++)
    {
        const int* pages = s.pages + (i64)i * s.pages_each;
        int count = ((s.lengths[i] - 1) >> s.page_shift) + 1, wrong = lane;
        while (wrong < count && pages[wrong] >= 0 && pages[wrong] < a.pool) wrong += 32;
        for (int mask = 16; mask > 0; mask >>= 1) wrong = least(wrong, from_lane_xor(wrong, mask));
        if (wrong >= count) continue;
        if (reports) report(a.run, a.page_site, 1, pages[wrong], wrong, 0);
        return;
    }
}
