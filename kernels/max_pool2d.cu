// MaxPool2d: the largest of each 2×2 block, channel by channel.
#include "common/elements.cuh"

struct MaxPool2dArguments
{
    Run run;
    View x, y;
    Share share;
    int in_width, width, is_z_ordered;
};

// NaN stays NaN.
DEVICE float largest(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : larger(a, b); }

KERNEL(256) max_pool2d(const MaxPool2dArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, a.y.rows, a.y.columns);
    int row = own.row / a.width;
    // In Z-order a block is four rows.
    i64 top = a.is_z_ordered ? (i64)4 * own.row : (i64)2 * row * a.in_width + 2 * (own.row - row * a.width);
    i64 bottom = top + (a.is_z_ordered ? 2 : a.in_width);
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step)
    {
        float upper = largest(load(a.x, at(a.x, top, c)), load(a.x, at(a.x, top + 1, c)));
        float lower = largest(load(a.x, at(a.x, bottom, c)), load(a.x, at(a.x, bottom + 1, c)));
        store(a.y, at(a.y, own.row, c), largest(upper, lower));
    }
}
