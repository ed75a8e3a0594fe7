// PatchRows: what each output pixel of a convolution sees of an 8-bit image, normalised, as the rows of a product.
#include "common/quads.cuh"
#include "common/z_order.cuh"

struct PatchRowsArguments
{
    Run run;
    View image, table, y;
    int height, width, out_height, out_width, kernel, stride, padding, is_z_ordered;
    ZOrder order;
};

const int Channels = 3, Levels = 256, Threads = 256;
// Numbers that a thread makes at once, and how many times.
const int PartSize = 8, PartsOfThread = 2;

KERNEL(Threads) patch_rows(const PatchRowsArguments a)
{
    __shared__ float table[Channels * Levels];
    if (is_stopped(a.run)) return;
    for (int i = threadIdx.x; i < Channels * Levels; i += Threads) table[i] = load(a.table, at(a.table, i / Levels, i % Levels));
    __syncthreads();
    int rows = rows_of(a.run, a.y), parts = a.y.columns / PartSize, line_size = a.kernel * Channels, width = a.width * Channels;
#pragma unroll 1
    for (int n = 0; n < PartsOfThread; n++)
    {
        int part = (blockIdx.x * PartsOfThread + n) * Threads + threadIdx.x, row = part / parts, first = (part - row * parts) * PartSize;
        if (row >= rows) return;
        // Maps of a batch follow each other; in Z-order there is one.
        int row_line = row / a.out_width, map = a.is_z_ordered ? 0 : row_line / a.out_height;
        Pixel to = a.is_z_ordered ? a.order.pixel(row) : Pixel{row_line - map * a.out_height, row - row_line * a.out_width};
        int left = (to.x * a.stride - a.padding) * Channels;
        const u8* image = (const u8*)a.image.data + (i64)map * a.height * width;
        // A line of a patch is one piece of a line of the image; a part has numbers of one or two. Lines behind the patch are as those
        // outside the image.
        int down = first / line_size, across = first - down * line_size, here = line_size - across;
        int y = to.y * a.stride - a.padding + down, end = least(a.height, y - down + a.kernel), line = y * width;
        bool is_first_there = (u32)y < (u32)end, is_next_there = (u32)(y + 1) < (u32)end;
        int channel = across % Channels, levels[Channels];
#pragma unroll
        for (int i = 0; i < Channels; i++) levels[i] = (channel + i) % Channels * Levels;
        float values[PartSize];
#pragma unroll
        for (int i = 0; i < PartSize; i++)
        {
            bool is_first = i < here;
            int x = (is_first ? left + across : left - here) + i;
            bool is_inside = (is_first ? is_first_there : is_next_there) && (u32)x < (u32)width;
            values[i] = is_inside ? table[levels[i % Channels] + image[(is_first ? line : line + width) + x]] : 0;
        }
        i64 place = at(a.y, row, first);
        Quad low = {values[0], values[1], values[2], values[3]}, high = {values[4], values[5], values[6], values[7]};
        if (a.y.type == F32)
        {
            store_quad(a.y, place, low);
            store_quad(a.y, place + 4, high);
        }
        else *(Eight*)((u16*)a.y.data + place) = {narrow(a.y.type, low), narrow(a.y.type, high)};
    }
}
