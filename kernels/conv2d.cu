// Conv2d: each output pixel's inputs, in the order (ky, kx, channel), are a row of a matrix that is gathered as the product needs it. A block
// has a 64×64 tile of pixels and output channels. Maps of a batch follow each other.
#include "common/product.cuh"

struct Conv2dArguments
{
    Run run;
    View x, weight, y;
    const float* bias;
    int height, width, out_height, out_width, kernel, stride, padding;
};

// The inputs of one output pixel; zeros outside the map, and where there is no such pixel.
struct Patch
{
    View x;
    i64 map;
    int height, width, kernel, top, left;
    bool is_there;
    DEVICE_MEMBER float operator()(int k) const
    {
        int tap = k / x.columns, channel = k - tap * x.columns, down = tap / kernel;
        int row = top + down, column = left + tap - down * kernel;
        bool is_inside = is_there && row >= 0 && row < height && column >= 0 && column < width;
        return is_inside ? load(x, at(x, map + (i64)row * width + column, channel)) : 0;
    }
};

struct Patches
{
    const Conv2dArguments& a;
    int end, first;
    DEVICE_MEMBER Patch row(int r) const
    {
        int pixel = first + r, line = pixel / a.out_width, map = line / a.out_height;
        int top = (line - map * a.out_height) * a.stride - a.padding, left = (pixel - line * a.out_width) * a.stride - a.padding;
        return {a.x, (i64)map * a.height * a.width, a.height, a.width, a.kernel, top, left, pixel < end};
    }
};

KERNEL(256) conv2d(const Conv2dArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.y), first_pixel = blockIdx.x * Tile, first_channel = blockIdx.y * Tile;
    if (first_pixel >= pixels) return;
    MatrixRows weight = {a.weight, a.weight.rows, first_channel};
    product(sums, tiles, Patches{a, pixels, first_pixel}, weight, pixels - first_pixel, a.weight.columns);
    for (int i = threadIdx.x; i < Tile * Tile; i += 256)
    {
        int pixel = first_pixel + i / Tile, channel = first_channel + i % Tile;
        if (pixel >= pixels || channel >= a.weight.rows) continue;
        float y = sums[i / Tile][i % Tile];
        if (a.bias) y = y + a.bias[channel];
        store(a.y, at(a.y, pixel, channel), y);
    }
}
