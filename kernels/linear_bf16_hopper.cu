// Linear where x and W are bf16, on cards of compute capability 9.0: tiles by warpgroups, with the bits of linear_bf16.cu.
#include "common/fast_math.cuh"
#include "common/linear.cuh"
#include "common/warpgroup_product.cuh"

// residual + scale ⊙ activation(sums + bias)
struct LinearPieces
{
    const LinearArguments& a;
    int rows, columns;
    PieceQuads quads;
    QuadRows y, residual;

    // As it was loaded: numbers of 16 bits are widened when they are needed, so that nothing waits for them before.
    struct Held { Quad residual[PieceQuads::Count], bias, scale; };

    DEVICE_MEMBER LinearPieces(const LinearArguments& arguments, int end)
        : a(arguments), rows(end), columns(a.weight.rows), y(a.y, columns), residual(a.residual, columns) {}

    DEVICE_MEMBER bool is_narrow(int column) const { return residual.v.type != F32 && residual.is_whole(column); }

    DEVICE_MEMBER Held fetch(int row, int column, int end) const
    {
        Held held;
        column += quads.column;
        held.bias = quad_of(column < end ? a.bias : nullptr, column, columns, NothingToAdd);
        held.scale = quad_of(column < end ? a.scale : nullptr, column, columns, 1);
#pragma unroll
        for (int i = 0; i < PieceQuads::Count; i++)
        {
            int r = row + quads.row + i * PieceQuads::RowsApart;
            held.residual[i] = {};
            if (!residual.v.data || r >= rows || column >= end) continue;
            i64 at_residual = at(residual.v, r, column);
            if (is_narrow(column))
            {
                Halves halves = *(const Halves*)((const u16*)residual.v.data + at_residual);
                held.residual[i] = {bits_to_float(halves.low), bits_to_float(halves.high), 0, 0};
            }
            else if (residual.is_whole(column)) held.residual[i] = *(const Quad*)((const float*)residual.v.data + at_residual);
            else held.residual[i] = residual.load(r, column);
        }
        return held;
    }

    DEVICE_MEMBER void finish(int row, int column, int end, const float* sums, const Held& held) const
    {
        Quad p[PieceQuads::Count];
#pragma unroll
        for (int i = 0; i < PieceQuads::Count; i++)
            p[i] = *(const Quad*)(sums + (quads.row + i * PieceQuads::RowsApart) * PieceQuads::Pitch + quads.column) + held.bias;
        column += quads.column;
        if (column >= end) return;
        fast_activate(p, a.activation);
#pragma unroll
        for (int i = 0; i < PieceQuads::Count; i++)
        {
            int r = row + quads.row + i * PieceQuads::RowsApart;
            p[i] = p[i] * held.scale;
            if (residual.v.data)
            {
                Quad q = held.residual[i];
                if (is_narrow(column)) q = widen(residual.v.type, Halves{float_to_bits(q.x), float_to_bits(q.y)});
                p[i] = q + p[i];
            }
            if (r < rows) y.store(r, column, p[i]);
        }
    }
};

template <class S> DEVICE void linear(const Mapped<LinearArguments>& a)
{
    if (is_stopped(a.rest.run)) return;
    int rows = rows_of(a.rest.run, a.rest.x);
    warpgroup_product<S>(a.x, a.weight, rows, a.rest.weight.rows, a.rest.x.columns, LinearPieces(a.rest, rows));
}

WARPGROUP_KERNEL(Hopper128x96::Threads) linear_bf16_hopper_128x96(const __grid_constant__ Mapped<LinearArguments> a)
{
    linear<Hopper128x96>(a);
}

WARPGROUP_KERNEL(Hopper128x128::Threads) linear_bf16_hopper_128x128(const __grid_constant__ Mapped<LinearArguments> a)
{
    linear<Hopper128x128>(a);
}

WARPGROUP_KERNEL(Hopper128x144::Threads) linear_bf16_hopper_128x144(const __grid_constant__ Mapped<LinearArguments> a)
{
    linear<Hopper128x144>(a);
}

WARPGROUP_KERNEL(Hopper128x192::Threads) linear_bf16_hopper_128x192(const __grid_constant__ Mapped<LinearArguments> a)
{
    linear<Hopper128x192>(a);
}

WARPGROUP_KERNEL(Hopper128x256::Threads) linear_bf16_hopper_128x256(const __grid_constant__ Mapped<LinearArguments> a)
{
    linear<Hopper128x256>(a);
}
