// Normalize: 8-bit pixels to floats by a table per channel.
#include "common/elements.cuh"

struct NormalizeArguments
{
    Run run;
    View image, table, y;
    Share share;
};

KERNEL(256) normalize(const NormalizeArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.image), a.image.columns);
    for (int c = own.column; c < own.end; c += own.step)
    {
        u8 level = ((const u8*)a.image.data)[at(a.image, own.row, c)];
        store(a.y, at(a.y, own.row, c), load(a.table, at(a.table, c, level)));
    }
}
