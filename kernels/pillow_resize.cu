// PillowResize: Pillow's bicubic resize of 8-bit RGB, to the byte: along the rows first, rounded to bytes, then down the columns. All sums are
// integers. A block makes 8 rows of 32 pixels; what they need of the rows that are resized along passes through shared memory, 16 rows at a
// time, so that only rows at the seam of two blocks are made by both.
#include "common/tensor.cuh"

const int PixelsAcross = 32, RowsDown = 8, RowsHeld = 16, BytesAcross = 3 * PixelsAcross, FractionBits = 22;

// Pixel i of the result is a sum of count[i] source pixels from first[i] on, by weights in fixed point at [i·stride].
struct PillowTaps
{
    const int *first, *count, *weight;
    int stride;
};

struct PillowResizeArguments
{
    Run run;
    View x, y;
    PillowTaps across, down;
    int in_width, height, width;
};

DEVICE u8 level(int sum) { return (u8)least(most(sum >> FractionBits, 0), 255); }

KERNEL(256) pillow_resize(const PillowResizeArguments a)
{
    __shared__ u8 held[RowsHeld][BytesAcross];
    if (is_stopped(a.run)) return;
    const int half = 1 << (FractionBits - 1);
    int tiles = (a.width + PixelsAcross - 1) / PixelsAcross, tile = blockIdx.x / tiles;
    int first_x = (blockIdx.x - tile * tiles) * PixelsAcross, first_y = tile * RowsDown, last_y = least(first_y + RowsDown, a.height) - 1;
    int x = first_x + threadIdx.x % PixelsAcross, y = first_y + threadIdx.x / PixelsAcross, place = threadIdx.x % PixelsAcross * 3;
    bool is_inside = x < a.width && y < a.height;
    int first = is_inside ? a.down.first[y] : 0, count = is_inside ? a.down.count[y] : 0;
    int red = half, green = half, blue = half, end = a.down.first[last_y] + a.down.count[last_y];
    for (int row = a.down.first[first_y]; row < end; row += RowsHeld)
    {
#pragma unroll 1
        for (int i = threadIdx.x; i < RowsHeld * BytesAcross; i += 256)
        {
            int r = i / BytesAcross, byte = i % BytesAcross, target = first_x + byte / 3;
            if (row + r >= end || target >= a.width) continue;
            const u8* from = (const u8*)a.x.data + at(a.x, (i64)(row + r) * a.in_width + a.across.first[target], byte % 3);
            const int* weights = a.across.weight + (i64)target * a.across.stride;
            int sum = half;
#pragma unroll 1
            for (int k = 0; k < a.across.count[target]; k++) sum += weights[k] * from[3 * k];
            held[r][byte] = level(sum);
        }
        __syncthreads();
        for (int k = most(row - first, 0); k < least(row - first + RowsHeld, count); k++)
        {
            int weight = a.down.weight[(i64)y * a.down.stride + k];
            const u8* pixel = &held[first + k - row][place];
            red += weight * pixel[0];
            green += weight * pixel[1];
            blue += weight * pixel[2];
        }
        __syncthreads();
    }
    if (!is_inside) return;
    u8* to = (u8*)a.y.data + at(a.y, (i64)y * a.width + x, 0);
    to[0] = level(red);
    to[1] = level(green);
    to[2] = level(blue);
}
