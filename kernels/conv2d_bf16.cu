// Conv2d where x and the weight are bf16: tiles by tensor cores.
#include "common/conv2d.cuh"
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

template <class S, class X, class Rows> DEVICE void conv2d(const Conv2dArguments& a)
{
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.y), first_pixel = blockIdx.x * S::Rows, first_channel = blockIdx.y * S::Columns;
    if (first_pixel >= pixels) return;
    X x = {Patches{a, pixels, first_pixel}};
    tensor_product<S>(x, Rows(a.weight, first_channel, a.weight.rows), a.weight.columns, [&](int band, const float* sums)
    {
        for (int i = threadIdx.x; i < S::WarpRows * S::Columns; i += S::Threads)
        {
            int r = i / S::Columns, c = i % S::Columns, pixel = first_pixel + band + r, channel = first_channel + c;
            if (pixel >= pixels || channel >= a.weight.rows) continue;
            float y = sums[r * S::SumPitch + c];
            store(a.y, at(a.y, pixel, channel), a.bias ? y + a.bias[channel] : y);
        }
    });
}

KERNEL(Tile64x64::Threads) conv2d_bf16_64x64(const Conv2dArguments a) { conv2d<Tile64x64, AsyncPatches, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) conv2d_bf16_gathered(const Conv2dArguments a) { conv2d<Tile64x64, GatheredPatches, GatheredRows>(a); }
