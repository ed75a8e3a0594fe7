// Linear where x and W are bf16: tiles by tensor cores.
#include "common/epilogue.cuh"
#include "common/fast_math.cuh"
#include "common/linear.cuh"
#include "common/skinny_product.cuh"
#include "common/tensor_rows.cuh"

// residual + scale ⊙ activation(sums + bias)
template <class S> struct LinearEpilogue
{
    int first_row, first_column, rows, activation;
    typedef ThreadQuads<S, S::Columns> Quads;
    Quads quads;
    QuadRows y;
    AddedRows<S, S::Columns> residual;
    Quad bias, scale;

    DEVICE_MEMBER LinearEpilogue(const LinearArguments& a, int row, int column, int end)
        : first_row(row), first_column(column), rows(end), activation(a.activation), quads(a.weight.rows - column), y(a.y, a.weight.rows),
          residual(a.residual, a.weight.rows, column + quads.column),
          bias(quad_of(a.bias, column + quads.column, a.weight.rows, NothingToAdd)),
          scale(quad_of(a.scale, column + quads.column, a.weight.rows, 1)) {}

    // Rows of a band that are there.
    DEVICE_MEMBER int end_of(int band) const { return least(S::WarpRows, rows - first_row - band); }

    DEVICE_MEMBER void fetch(int band, float* sums) const
    {
        if (!residual.is_fetched) return;
#pragma unroll 1
        for (int r = quads.row, end = end_of(band); r < end; r += Quads::RowsAtOnce)
            residual.fetch(sums, r, quads.column, first_row + band + r, first_column + quads.column);
        commit_copies();
    }

    DEVICE_MEMBER void finish(int band, float* sums) const
    {
        wait_copies<0>();
        int column = first_column + quads.column, end = end_of(band);
#pragma unroll 1
        for (int first = quads.row; first < end; first += Quads::Together * Quads::RowsAtOnce)
        {
            Quad p[Quads::Together];
            int r[Quads::Together];
#pragma unroll
            for (int i = 0; i < Quads::Together; i++)
            {
                // The first again where there is no other: what was fetched may be read by its own thread alone.
                r[i] = first + i * Quads::RowsAtOnce < end ? first + i * Quads::RowsAtOnce : first;
                p[i] = *(const Quad*)&sums[r[i] * S::SumPitch + quads.column] + bias;
            }
            fast_activate(p, activation);
#pragma unroll
            for (int i = 0; i < Quads::Together; i++) p[i] = p[i] * scale;
            residual.add(p, sums, r, quads.column, [&](int i) { return (i64)(first_row + band + r[i]); }, column);
#pragma unroll
            for (int i = 0; i < Quads::Together; i++)
                if (i == 0 || first + i * Quads::RowsAtOnce < end) y.store(first_row + band + r[i], column, p[i]);
        }
    }
};

template <class S, class Rows, class WeightRows = Rows> DEVICE void linear(const LinearArguments& a)
{
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), columns = a.weight.rows, first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    if (first_row >= rows) return;
    product_of_tile<S>(Rows(a.x, first_row, rows), WeightRows(a.weight, first_column, columns), a.x.columns,
        [&] { return LinearEpilogue<S>(a, first_row, first_column, rows); });
}

KERNEL(Tile128x128::Threads) linear_bf16_128x128(const LinearArguments a) { linear<Tile128x128, AsyncRows>(a); }
KERNEL(Tile96x96::Threads) linear_bf16_96x96(const LinearArguments a) { linear<Tile96x96, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) linear_bf16_64x64(const LinearArguments a) { linear<Tile64x64, AsyncRows>(a); }
KERNEL(Tile16x64::Threads) linear_bf16_16x64(const LinearArguments a) { linear<Tile16x64, AsyncRows>(a); }
KERNEL(Tile16x32::Threads) linear_bf16_16x32(const LinearArguments a) { linear<Tile16x32, AsyncRows>(a); }
KERNEL(Tile16x16::Threads) linear_bf16_16x16(const LinearArguments a) { linear<Tile16x16, AsyncRows>(a); }
KERNEL(Skinny32::Threads) linear_bf16_skinny_32(const LinearArguments a) { linear<Skinny32, AsyncRows>(a); }
KERNEL(Skinny16::Threads) linear_bf16_skinny_16(const LinearArguments a) { linear<Skinny16, AsyncRows>(a); }
KERNEL(Skinny8::Threads) linear_bf16_skinny_8(const LinearArguments a) { linear<Skinny8, AsyncRows>(a); }
KERNEL(Skinny32Int8::Threads) linear_bf16_skinny_32_int8(const LinearArguments a) { linear<Skinny32Int8, AsyncRows, CodeRows<8>>(a); }
KERNEL(Skinny16Int8::Threads) linear_bf16_skinny_16_int8(const LinearArguments a) { linear<Skinny16Int8, AsyncRows, CodeRows<8>>(a); }
KERNEL(Skinny32Int4::Threads) linear_bf16_skinny_32_int4(const LinearArguments a) { linear<Skinny32Int4, AsyncRows, CodeRows<4>>(a); }
KERNEL(Skinny16Int4::Threads) linear_bf16_skinny_16_int4(const LinearArguments a) { linear<Skinny16Int4, AsyncRows, CodeRows<4>>(a); }
KERNEL(Tile64x64::Threads) linear_bf16_gathered(const LinearArguments a) { linear<Tile64x64, GatheredRows>(a); }
