// PixelShuffle: four neighbouring patches side by side in the channels. Threads share the patches.
#include "common/copy.cuh"

struct PixelShuffleArguments
{
    Run run;
    View x, y;
    Share share;
    int height, width, transposed;
};

KERNEL(256) pixel_shuffle(const PixelShuffleArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, a.x.rows, a.x.columns);
    int row = own.row / a.width, place = own.row - row * a.width;
    int token = a.transposed ? place / 2 * (a.height / 2) + row / 2 : row / 2 * (a.width / 2) + place / 2;
    int first = (row % 2 * 2 + place % 2) * a.x.columns;
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step)
        copy_element(a.x, at(a.x, own.row, c), a.y, at(a.y, token, first + c));
}
