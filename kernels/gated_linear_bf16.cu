// GatedLinear where x and the weight are bf16: tiles by tensor cores, of which one half of the columns are gates and the other their ups.
#include "common/fast_math.cuh"
#include "common/gated_linear.cuh"
#include "common/skinny_product.cuh"
#include "common/tensor_rows.cuh"

// Rows of gates, and the same of ups behind them. Behind the last gate are ups, whose products nobody asks for.
template <class Rows> struct GatesAndUps
{
    Rows weight;
    int count, jump;

    DEVICE_MEMBER void fetch(u32 to, int row, int k) const { weight.fetch(to, row < count ? row : row + jump, k); }
};

template <class S, class Rows> DEVICE void gated_linear(const GatedLinearArguments& a)
{
    if (is_stopped(a.run)) return;
    const int Columns = S::Columns / 2;
    int rows = rows_of(a.run, a.x), columns = a.weight.rows / 2, first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * Columns;
    if (first_row >= rows) return;
    Pairs y(a.y, columns);
    GatesAndUps<Rows> weight = {Rows(a.weight, first_column, a.weight.rows), Columns, columns - Columns};
    product_of_tile<S>(Rows(a.x, first_row, rows), weight, a.x.columns, [&](int band, const float* sums)
    {
#pragma unroll 1
        for (int i = threadIdx.x; i < S::WarpRows * Columns / 2; i += S::Threads)
        {
            int r = i / (Columns / 2), c = i % (Columns / 2) * 2, row = first_row + band + r, column = first_column + c;
            if (row >= rows || column >= columns) continue;
            const float* gates = sums + r * S::SumPitch + c;
            Pair gate = *(const Pair*)gates, up = *(const Pair*)(gates + Columns);
            y.store(row, column, {fast_silu(gate.x) * up.x, fast_silu(gate.y) * up.y});
        }
    });
}

KERNEL(Tile128x144::Threads) gated_linear_bf16_128x144(const GatedLinearArguments a) { gated_linear<Tile128x144, AsyncRows>(a); }
KERNEL(Tile64x128::Threads) gated_linear_bf16_64x128(const GatedLinearArguments a) { gated_linear<Tile64x128, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) gated_linear_bf16_64x64(const GatedLinearArguments a) { gated_linear<Tile64x64, AsyncRows>(a); }
KERNEL(Tile16x64::Threads) gated_linear_bf16_16x64(const GatedLinearArguments a) { gated_linear<Tile16x64, AsyncRows>(a); }
KERNEL(Tile16x32::Threads) gated_linear_bf16_16x32(const GatedLinearArguments a) { gated_linear<Tile16x32, AsyncRows>(a); }
KERNEL(Skinny32::Threads) gated_linear_bf16_skinny_32(const GatedLinearArguments a) { gated_linear<Skinny32, AsyncRows>(a); }
KERNEL(Skinny16::Threads) gated_linear_bf16_skinny_16(const GatedLinearArguments a) { gated_linear<Skinny16, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) gated_linear_bf16_gathered(const GatedLinearArguments a) { gated_linear<Tile64x64, GatheredRows>(a); }
