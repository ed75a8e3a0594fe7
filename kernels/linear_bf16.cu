// Linear where x and W are bf16: tiles by tensor cores.
#include "common/fast_math.cuh"
#include "common/linear.cuh"
#include "common/skinny_product.cuh"
#include "common/tensor_rows.cuh"

template <class S, class Rows> DEVICE void linear(const LinearArguments& a)
{
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), columns = a.weight.rows, first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    if (first_row >= rows) return;
    Pairs y(a.y, columns), residual(a.residual, columns);
    product_of_tile<S>(Rows(a.x, first_row, rows), Rows(a.weight, first_column, columns), a.x.columns, [&](int band, const float* sums)
    {
#pragma unroll 1
        for (int i = threadIdx.x; i < S::WarpRows * S::Columns / 2; i += S::Threads)
        {
            int r = i / (S::Columns / 2), c = i % (S::Columns / 2) * 2, row = first_row + band + r, column = first_column + c;
            if (row >= rows || column >= columns) continue;
            Pair p = *(const Pair*)&sums[r * S::SumPitch + c];
            int next = least(column + 1, columns - 1);
            if (a.bias) p = {p.x + a.bias[column], p.y + a.bias[next]};
            p = {fast_activate(p.x, a.activation), fast_activate(p.y, a.activation)};
            if (a.scale) p = {p.x * a.scale[column], p.y * a.scale[next]};
            if (a.residual.data)
            {
                Pair before = residual.load(row, column);
                p = {before.x + p.x, before.y + p.y};
            }
            y.store(row, column, p);
        }
    });
}

KERNEL(Tile128x128::Threads) linear_bf16_128x128(const LinearArguments a) { linear<Tile128x128, AsyncRows>(a); }
KERNEL(Tile128x144::Threads) linear_bf16_128x144(const LinearArguments a) { linear<Tile128x144, AsyncRows>(a); }
KERNEL(Tile64x128::Threads) linear_bf16_64x128(const LinearArguments a) { linear<Tile64x128, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) linear_bf16_64x64(const LinearArguments a) { linear<Tile64x64, AsyncRows>(a); }
KERNEL(Tile16x64::Threads) linear_bf16_16x64(const LinearArguments a) { linear<Tile16x64, AsyncRows>(a); }
KERNEL(Tile16x32::Threads) linear_bf16_16x32(const LinearArguments a) { linear<Tile16x32, AsyncRows>(a); }
KERNEL(Tile16x16::Threads) linear_bf16_16x16(const LinearArguments a) { linear<Tile16x16, AsyncRows>(a); }
KERNEL(Skinny32::Threads) linear_bf16_skinny_32(const LinearArguments a) { linear<Skinny32, AsyncRows>(a); }
KERNEL(Skinny16::Threads) linear_bf16_skinny_16(const LinearArguments a) { linear<Skinny16, AsyncRows>(a); }
KERNEL(Skinny8::Threads) linear_bf16_skinny_8(const LinearArguments a) { linear<Skinny8, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) linear_bf16_gathered(const LinearArguments a) { linear<Tile64x64, GatheredRows>(a); }
