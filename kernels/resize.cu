// Resize: separable resampling by taps that the host makes, along the rows first. Sums are in the order of the taps.
#include "common/elements.cuh"
#include "common/taps.cuh"

struct ResizeArguments
{
    Run run;
    View x, y;
    Share share;
    Taps across, down;
    int in_height, in_width, height, width;
};

KERNEL(256) resize(const ResizeArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.y), a.y.columns);
    int line = own.row / a.width, map = line / a.height;
    int x = (own.row - line * a.width) * a.across.count, y = (line - map * a.height) * a.down.count;
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step)
    {
        float result = 0;
#pragma unroll 1
        for (int v = 0; v < a.down.count; v++)
        {
            float weight = a.down.weight[y + v];
            // Infinity in a row that has no part in the result stays there.
            if (weight == 0) continue;
            i64 row = ((i64)map * a.in_height + a.down.index[y + v]) * a.in_width;
            float sum = 0;
#pragma unroll 1
            for (int h = 0; h < a.across.count; h++)
                sum = sum + a.across.weight[x + h] * load(a.x, at(a.x, row + a.across.index[x + h], c));
            result = result + weight * sum;
        }
        store(a.y, at(a.y, own.row, c), result);
    }
}
