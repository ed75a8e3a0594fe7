// LinearArgMax where x and W are bf16: the best of tiles by tensor cores.
#include "common/linear_arg_max.cuh"
#include "common/skinny_product.cuh"
#include "common/tensor_rows.cuh"

template <class S> struct BestOfTile
{
    static const int LanesOfRow = S::Threads / S::WarpRows;
    const LinearArgMaxArguments& a;
    int first_row, first_column;

    DEVICE_MEMBER void fetch(int, float*) const {}

    DEVICE_MEMBER void finish(int band, const float* sums) const
    {
        int r = threadIdx.x / LanesOfRow;
        keep_best<LanesOfRow>(a, sums + r * S::SumPitch, S::Columns, first_row + band + r, first_column);
    }
};

template <class S, class Rows> DEVICE void best_of_tile(const LinearArgMaxArguments& a)
{
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    if (first_row >= rows) return;
    Rows x(a.x, first_row, rows), weight(a.weight, first_column, a.weight.rows);
    product_of_tile<S>(x, weight, a.x.columns, [&] { return BestOfTile<S>{a, first_row, first_column}; });
}

KERNEL(Tile64x128::Threads) linear_arg_max_bf16_64x128(const LinearArgMaxArguments a) { best_of_tile<Tile64x128, AsyncRows>(a); }
KERNEL(Tile16x64::Threads) linear_arg_max_bf16_16x64(const LinearArgMaxArguments a) { best_of_tile<Tile16x64, AsyncRows>(a); }
KERNEL(Skinny32::Threads) linear_arg_max_bf16_skinny_32(const LinearArgMaxArguments a) { best_of_tile<Skinny32, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) linear_arg_max_bf16_gathered(const LinearArgMaxArguments a) { best_of_tile<Tile64x64, GatheredRows>(a); }
