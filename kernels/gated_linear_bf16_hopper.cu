// GatedLinear where x and the weight are bf16, on cards of compute capability 9.0: tiles by warpgroups, of which one half of the columns
// are gates and the other their ups, with the bits of gated_linear_bf16.cu.
#include "common/fast_math.cuh"
#include "common/gated_linear.cuh"
#include "common/shared_quad.cuh"
#include "common/warpgroup_product.cuh"

struct GatedPieces
{
    // Gates of a piece, and as many ups behind them.
    static const int Columns = PieceQuads::Columns / 2;
    int rows, columns, row, column;
    QuadRows y;

    struct Held {};

    // Eight lanes that shared memory serves together have two rows two apart, which lie in different banks.
    DEVICE_MEMBER GatedPieces(const GatedLinearArguments& a, int end)
        : rows(end), columns(a.weight.rows / 2), row(threadIdx.x / 16 % 2 * 4 + threadIdx.x / 4 % 2 * 2 + threadIdx.x / 8 % 2),
          column(threadIdx.x % 4 * 4), y(a.y, columns) {}

    DEVICE_MEMBER Held fetch(int, int, int) const { return {}; }

    DEVICE_MEMBER void finish(int first_row, int first_column, int end, const float* sums, const Held&) const
    {
        if (first_column + column >= end) return;
#pragma unroll
        for (int r = row; r < PieceQuads::Rows; r += 8)
        {
            const float* gates = sums + r * PieceQuads::Pitch + column;
            Quad q = fast_silu(shared_quad(gates)) * shared_quad(gates + Columns);
            if (first_row + r < rows) y.store(first_row + r, first_column + column, q);
        }
    }
};

template <class S> DEVICE void gated_linear(const Mapped<GatedLinearArguments>& a)
{
    if (is_stopped(a.rest.run)) return;
    int rows = rows_of(a.rest.run, a.rest.x);
    warpgroup_product<S, 2>(a.x, a.weight, rows, a.rest.weight.rows / 2, a.rest.x.columns, GatedPieces(a.rest, rows));
}

WARPGROUP_KERNEL(Hopper128x192::Threads) gated_linear_bf16_hopper_128x192(const __grid_constant__ Mapped<GatedLinearArguments> a)
{
    gated_linear<Hopper128x192>(a);
}
