// ConvTranspose2d where x and the weight are bf16: tiles by tensor cores.
#include "common/conv_transpose2d.cuh"
#include "common/epilogue.cuh"
#include "common/tensor_product.cuh"
#include "common/tensor_rows.cuh"

template <class S> struct ConvTranspose2dEpilogue
{
    const ConvTranspose2dArguments& a;
    int first_pixel, first_column, pixels;
    typedef ThreadQuads<S, S::Columns> Quads;
    Quads quads;
    int tap, channel;
    bool is_of_one_tap;
    QuadRows y;
    AddedRows<S, S::Columns> residual;
    Quad bias;

    DEVICE_MEMBER ConvTranspose2dEpilogue(const ConvTranspose2dArguments& arguments, int pixel, int column, int end)
        : a(arguments), first_pixel(pixel), first_column(column), pixels(end), quads(a.weight.rows - column),
          tap((column + quads.column) / a.y.columns), channel(column + quads.column - tap * a.y.columns),
          is_of_one_tap(a.y.columns % 4 == 0), y(a.y, a.y.columns), residual(a.residual, a.y.columns, channel),
          bias(quad_of(a.bias, channel, a.y.columns, NothingToAdd)) {}

    // Pixels of a band that are there.
    DEVICE_MEMBER int end_of(int band) const { return least(S::WarpRows, pixels - first_pixel - band); }

    // The row that is added to a row of the results: one map may be added to all.
    DEVICE_MEMBER i64 added_to(i64 target) const { return residual.rows.v.data ? target % residual.rows.v.rows : 0; }

    DEVICE_MEMBER void fetch(int band, float* sums) const
    {
        if (!residual.is_fetched || !is_of_one_tap) return;
#pragma unroll 1
        for (int r = quads.row, end = end_of(band); r < end; r += Quads::RowsAtOnce)
            residual.fetch(sums, r, quads.column, added_to(target_of(a, first_pixel + band + r, tap)), channel);
        commit_copies();
    }

    DEVICE_MEMBER void finish(int band, float* sums) const
    {
        wait_copies<0>();
#pragma unroll 1
        for (int r = quads.row, end = end_of(band); r < end; r += Quads::RowsAtOnce)
        {
            const float* products = sums + r * S::SumPitch + quads.column;
            if (is_of_one_tap)
            {
                i64 target = target_of(a, first_pixel + band + r, tap);
                Quad q[] = {*(const Quad*)products + bias};
                residual.add(q, sums, {r}, quads.column, [&](int) { return added_to(target); }, channel);
                y.store(target, channel, q[0]);
            }
            else
#pragma unroll 1
                for (int n = 0; n < 4; n++)
                    store_product(a, first_pixel + band + r, first_column + quads.column + n, products[n]);
        }
    }
};

template <class S, class Rows> DEVICE void conv_transpose2d(const ConvTranspose2dArguments& a)
{
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.x), first_pixel = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    if (first_pixel >= pixels) return;
    Rows x(a.x, first_pixel, pixels), weight(a.weight, first_column, a.weight.rows);
    tensor_product<S>(x, weight, a.x.columns, [&] { return ConvTranspose2dEpilogue<S>(a, first_pixel, first_column, pixels); });
}

KERNEL(Tile64x128::Threads) conv_transpose2d_bf16_64x128(const ConvTranspose2dArguments a)
{
    conv_transpose2d<Tile64x128, AsyncRows>(a);
}

KERNEL(Tile64x64::Threads) conv_transpose2d_bf16_gathered(const ConvTranspose2dArguments a)
{
    conv_transpose2d<Tile64x64, GatheredRows>(a);
}
