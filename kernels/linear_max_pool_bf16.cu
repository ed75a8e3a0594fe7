// LinearMaxPool where x and W are bf16: a tile's rows are 2×2 blocks of a map in Z-order, four rows each, of whose sums the largest is
// stored.
#include "common/epilogue.cuh"
#include "common/shared_quad.cuh"
#include "common/tensor_product.cuh"
#include "common/tensor_rows.cuh"

struct LinearMaxPoolArguments
{
    Run run;
    View x, weight, y;
    const float* bias;
};

// NaN stays NaN.
DEVICE float largest(float a, float b) { return is_nan(a) || is_nan(b) ? a + b : larger(a, b); }
DEVICE Quad largest(const Quad& a, const Quad& b) { return {largest(a.x, b.x), largest(a.y, b.y), largest(a.z, b.z), largest(a.w, b.w)}; }

template <class S> struct PoolEpilogue
{
    int first_row, first_column;
    typedef ThreadQuads<S, S::Columns> Quads;
    Quads quads;
    QuadRows y;
    Quad bias;

    DEVICE_MEMBER PoolEpilogue(const LinearMaxPoolArguments& a, int row, int column)
        : first_row(row), first_column(column), quads(a.weight.rows - column), y(a.y, a.weight.rows),
          bias(quad_of(a.bias, column + quads.column, a.weight.rows, NothingToAdd)) {}

    DEVICE_MEMBER void fetch(int, float*) const {}

    DEVICE_MEMBER void finish(int band, const float* sums) const
    {
#pragma unroll 1
        for (int r = quads.row; r < S::WarpRows / 4 && (first_row + band) / 4 + r < y.v.rows; r += Quads::RowsAtOnce)
        {
            const float* block = &sums[4 * r * S::SumPitch + quads.column];
            Quad q = shared_quad(block);
#pragma unroll
            for (int n = 1; n < 4; n++) q = largest(q, shared_quad(block + n * S::SumPitch));
            // The bias is the same for all four: rounding keeps their order.
            y.store((first_row + band) / 4 + r, first_column + quads.column, q + bias);
        }
    }
};

template <class S> DEVICE void linear_max_pool(const LinearMaxPoolArguments& a)
{
    if (is_stopped(a.run)) return;
    int first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    AsyncRows x(a.x, first_row, a.x.rows), weight(a.weight, first_column, a.weight.rows);
    tensor_product<S>(x, weight, a.x.columns, [&] { return PoolEpilogue<S>(a, first_row, first_column); });
}

KERNEL(Tile96x96::Threads) linear_max_pool_bf16_96x96(const LinearMaxPoolArguments a) { linear_max_pool<Tile96x96>(a); }
