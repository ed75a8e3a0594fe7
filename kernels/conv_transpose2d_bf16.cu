// ConvTranspose2d where x and the weight are bf16: tiles by tensor cores.
#include "common/conv_transpose2d.cuh"
#include "common/tensor_product.cuh"
#include "common/tensor_rows.cuh"

template <class S, class Rows> DEVICE void conv_transpose2d(const ConvTranspose2dArguments& a)
{
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.x), first_pixel = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    if (first_pixel >= pixels) return;
    Rows x(a.x, first_pixel, pixels), weight(a.weight, first_column, a.weight.rows);
    tensor_product<S>(x, weight, a.x.columns, [&](int band, const float* sums)
    {
        for (int i = threadIdx.x; i < S::WarpRows * S::Columns; i += S::Threads)
        {
            int r = i / S::Columns, c = i % S::Columns, pixel = first_pixel + band + r, column = first_column + c;
            if (pixel < pixels && column < a.weight.rows) store_product(a, pixel, column, sums[r * S::SumPitch + c]);
        }
    });
}

KERNEL(Tile64x128::Threads) conv_transpose2d_bf16_64x128(const ConvTranspose2dArguments a)
{
    conv_transpose2d<Tile64x128, AsyncRows>(a);
}

KERNEL(Tile64x64::Threads) conv_transpose2d_bf16_gathered(const ConvTranspose2dArguments a)
{
    conv_transpose2d<Tile64x64, GatheredRows>(a);
}
