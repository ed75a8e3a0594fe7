// Conv2d where x and the weight are bf16: tiles by tensor cores.
#include "common/conv2d.cuh"
#include "common/epilogue.cuh"
#include "common/tensor_product.cuh"
#include "common/tensor_rows.cuh"

// Patches whose channels come in chunks, fetched asynchronously.
struct AsyncPatches
{
    Patches patches;

    DEVICE_MEMBER void fetch(u32 to, int row, int k) const
    {
        const Conv2dArguments& a = patches.a;
        i64 place = k < a.weight.columns ? patches.row(row).place(k) : -1;
        copy_async(to, (const u16*)a.x.data + (place < 0 ? 0 : place), place < 0 ? 0 : 16);
    }
};

struct GatheredPatches
{
    Patches patches;

    DEVICE_MEMBER void fetch(u32 to, int row, int k) const { gather(to, patches.row(row), k, patches.a.weight.columns); }
};

template <class S> struct Conv2dEpilogue
{
    int first_pixel, first_channel, pixels;
    typedef ThreadQuads<S, S::Columns> Quads;
    Quads quads;
    QuadRows y;
    Quad bias;

    DEVICE_MEMBER Conv2dEpilogue(const Conv2dArguments& a, int pixel, int channel, int end)
        : first_pixel(pixel), first_channel(channel), pixels(end), quads(a.weight.rows - channel), y(a.y, a.weight.rows),
          bias(quad_of(a.bias, channel + quads.column, a.weight.rows, NothingToAdd)) {}

    DEVICE_MEMBER void fetch(int, float*) const {}

    DEVICE_MEMBER void finish(int band, const float* sums) const
    {
#pragma unroll 1
        for (int r = quads.row; r < S::WarpRows && first_pixel + band + r < pixels; r += Quads::RowsAtOnce)
            y.store(first_pixel + band + r, first_channel + quads.column, *(const Quad*)&sums[r * S::SumPitch + quads.column] + bias);
    }
};

template <class S, class X, class Rows> DEVICE void conv2d(const Conv2dArguments& a)
{
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.y), first_pixel = blockIdx.x * S::Rows, first_channel = blockIdx.y * S::Columns;
    if (first_pixel >= pixels) return;
    X x = {Patches{a, pixels, first_pixel}};
    tensor_product<S>(x, Rows(a.weight, first_channel, a.weight.rows), a.weight.columns,
        [&] { return Conv2dEpilogue<S>(a, first_pixel, first_channel, pixels); });
}

KERNEL(Tile64x64::Threads) conv2d_bf16_64x64(const Conv2dArguments a) { conv2d<Tile64x64, AsyncPatches, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) conv2d_bf16_gathered(const Conv2dArguments a) { conv2d<Tile64x64, GatheredPatches, GatheredRows>(a); }
