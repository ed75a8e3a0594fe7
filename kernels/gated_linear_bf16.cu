// GatedLinear where x and the weight are bf16: tiles by tensor cores, of which one half of the columns are gates and the other their ups.
#include "common/epilogue.cuh"
#include "common/fast_math.cuh"
#include "common/gated_linear.cuh"
#include "common/shared_quad.cuh"
#include "common/skinny_product.cuh"
#include "common/tensor_rows.cuh"

// Rows of gates, and the same of ups behind them.
template <class Rows> struct GatesAndUps
{
    Rows gates, ups;
    int count;

    DEVICE_MEMBER void fetch(u32 to, int row, int k) const
    {
        if (row < count) gates.fetch(to, row, k);
        else ups.fetch(to, row - count, k);
    }

    DEVICE_MEMBER u32 scale(int row, int stage) const { return row < count ? gates.scale(row, stage) : ups.scale(row - count, stage); }
};

template <class S> struct GatedEpilogue
{
    static const int Columns = S::Columns / 2;
    int first_row, first_column, rows;
    typedef ThreadQuads<S, Columns> Quads;
    Quads quads;
    QuadRows y;

    DEVICE_MEMBER GatedEpilogue(const GatedLinearArguments& a, int row, int column, int end)
        : first_row(row), first_column(column), rows(end), quads(a.weight.rows / 2 - column), y(a.y, a.weight.rows / 2) {}

    DEVICE_MEMBER void fetch(int, float*) const {}

    DEVICE_MEMBER void finish(int band, const float* sums) const
    {
        int column = first_column + quads.column, end = least(S::WarpRows, rows - first_row - band);
#pragma unroll 1
        for (int first = quads.row; first < end; first += Quads::Together * Quads::RowsAtOnce)
        {
            Quad p[Quads::Together];
#pragma unroll
            for (int i = 0; i < Quads::Together; i++)
            {
                int r = first + i * Quads::RowsAtOnce < end ? first + i * Quads::RowsAtOnce : first;
                const float* gates = sums + r * S::SumPitch + quads.column;
                p[i] = fast_silu(shared_quad(gates)) * shared_quad(gates + Columns);
            }
#pragma unroll
            for (int i = 0; i < Quads::Together; i++)
            {
                int r = first + i * Quads::RowsAtOnce;
                if (i == 0 || r < end) y.store(first_row + band + r, column, p[i]);
            }
        }
    }
};

template <class S, class Rows, class WeightRows = Rows> DEVICE void gated_linear(const GatedLinearArguments& a)
{
    if (is_stopped(a.run)) return;
    const int Columns = S::Columns / 2;
    int rows = rows_of(a.run, a.x), columns = a.weight.rows / 2, first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * Columns;
    if (first_row >= rows) return;
    GatesAndUps<WeightRows> weight =
        {WeightRows(a.weight, first_column, columns), WeightRows(a.weight, columns + first_column, a.weight.rows), Columns};
    product_of_tile<S>(Rows(a.x, first_row, rows), weight, a.x.columns,
        [&] { return GatedEpilogue<S>(a, first_row, first_column, rows); });
}

KERNEL(Tile128x128::Threads) gated_linear_bf16_128x128(const GatedLinearArguments a) { gated_linear<Tile128x128, AsyncRows>(a); }
KERNEL(Tile96x96::Threads) gated_linear_bf16_96x96(const GatedLinearArguments a) { gated_linear<Tile96x96, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) gated_linear_bf16_64x64(const GatedLinearArguments a) { gated_linear<Tile64x64, AsyncRows>(a); }
KERNEL(Tile16x64::Threads) gated_linear_bf16_16x64(const GatedLinearArguments a) { gated_linear<Tile16x64, AsyncRows>(a); }
KERNEL(Tile16x32::Threads) gated_linear_bf16_16x32(const GatedLinearArguments a) { gated_linear<Tile16x32, AsyncRows>(a); }
KERNEL(Skinny32::Threads) gated_linear_bf16_skinny_32(const GatedLinearArguments a) { gated_linear<Skinny32, AsyncRows>(a); }
KERNEL(Skinny16::Threads) gated_linear_bf16_skinny_16(const GatedLinearArguments a) { gated_linear<Skinny16, AsyncRows>(a); }
KERNEL(Skinny32Int8::Threads) gated_linear_bf16_skinny_32_int8(const GatedLinearArguments a)
{
    gated_linear<Skinny32Int8, AsyncRows, CodeRows<8>>(a);
}
KERNEL(Skinny32Int4::Threads) gated_linear_bf16_skinny_32_int4(const GatedLinearArguments a)
{
    gated_linear<Skinny32Int4, AsyncRows, CodeRows<4>>(a);
}
KERNEL(Tile64x64::Threads) gated_linear_bf16_gathered(const GatedLinearArguments a) { gated_linear<Tile64x64, GatheredRows>(a); }
