// LinearRotary where x and W are bf16, on cards of compute capability 9.0: tiles by warpgroups, with the bits of linear_rotary_bf16.cu,
// whose order of the weight's rows this has too.
#include "common/linear_rotary.cuh"
#include "common/warpgroup_product.cuh"

// What a lane's quads of a piece are among the heads.
struct PieceHeads
{
    // The quad among the heads' own channels and its first pair.
    int own, pair;
    bool is_rotated, is_half, is_second;

    DEVICE_MEMBER PieceHeads(const RotaryArguments& a, int channel)
        : own(channel), pair(0), is_rotated(channel < a.rotated), is_half(a.pairing == Half), is_second(channel % 8 >= 4)
    {
        if (!is_rotated) return;
        int pairs = a.cos.columns, in_head = channel % (2 * pairs);
        pair = is_half ? in_head / 8 * 4 : in_head / 2;
        if (is_half) own += pair - in_head + (is_second ? pairs : 0);
    }
};

struct RotaryPieces
{
    const RotaryArguments& a;
    int rows, columns, table_rows;
    PieceQuads quads;

    // Where pairs are neighbours, a quad has two of them and as many angles. Rows that go nowhere are below 0.
    struct Held
    {
        Quad cos[PieceQuads::Count], sin[PieceQuads::Count], bias, partner_bias;
        int to[PieceQuads::Count];
        bool turns[PieceQuads::Count];
    };

    DEVICE_MEMBER RotaryPieces(const RotaryArguments& arguments, int end)
        : a(arguments), rows(end), columns(a.weight.rows), table_rows(rows_of(a.run, a.cos)) {}

    // The table's row; below 0 nothing is rotated.
    DEVICE_MEMBER int position(int row) const { return a.positions.data ? ((const int*)a.positions.data)[row] : row % table_rows; }

    DEVICE_MEMBER static Quad angles(const View& table, int row, const PieceHeads& heads)
    {
        const float* from = (const float*)table.data + at(table, row, heads.pair);
        if (heads.is_half) return *(const Quad*)from;
        Pair two = *(const Pair*)from;
        return {two.x, two.y, 0, 0};
    }

    DEVICE_MEMBER Held fetch(int row, int column, int end) const
    {
        Held held;
        column += quads.column;
        bool is_there = column < end;
        PieceHeads heads(a, column);
        held.bias = quad_of(is_there ? a.bias : nullptr, column, columns, NothingToAdd);
        held.partner_bias = quad_of(is_there ? a.bias : nullptr, column ^ 4, columns, NothingToAdd);
#pragma unroll
        for (int i = 0; i < PieceQuads::Count; i++)
        {
            int r = row + quads.row + i * PieceQuads::RowsApart;
            held.to[i] = -1;
            held.turns[i] = false;
            held.cos[i] = held.sin[i] = {};
            if (!is_there || r >= rows) continue;
            held.to[i] = heads.own >= a.y.columns ? ((const int*)a.rows.data)[r] : r;
            int p = heads.is_rotated ? position(r) : -1;
            if (p < 0) continue;
            held.turns[i] = true;
            held.cos[i] = angles(a.cos, p, heads);
            held.sin[i] = angles(a.sin, p, heads);
        }
        return held;
    }

    DEVICE_MEMBER void finish(int, int column, int end, const float* sums, const Held& held) const
    {
        column += quads.column;
        if (column >= end) return;
        PieceHeads heads(a, column);
        QuadPlace place(a, heads.own);
        QuadRows target(place.to, place.to.columns);
#pragma unroll
        for (int i = 0; i < PieceQuads::Count; i++)
        {
            const float* row = sums + (quads.row + i * PieceQuads::RowsApart) * PieceQuads::Pitch;
            Quad q = *(const Quad*)(row + quads.column) + held.bias, c = held.cos[i], s = held.sin[i];
            if (held.turns[i] && heads.is_half)
            {
                // u·cos − v·sin is u·cos + v·(−sin).
                if (!heads.is_second) s = {-s.x, -s.y, -s.z, -s.w};
                q = q * c + (*(const Quad*)(row + (quads.column ^ 4)) + held.partner_bias) * s;
            }
            else if (held.turns[i])
                q = {q.x * c.x - q.y * s.x, q.y * c.x + q.x * s.x, q.z * c.y - q.w * s.y, q.w * c.y + q.z * s.y};
            if (held.to[i] >= 0) target.store(held.to[i], place.column, q);
        }
    }
};

template <class S> DEVICE void linear_rotary(const Mapped<RotaryArguments>& a)
{
    if (is_stopped(a.rest.run)) return;
    int rows = rows_of(a.rest.run, a.rest.x);
    warpgroup_product<S>(a.x, a.weight, rows, a.rest.weight.rows, a.rest.x.columns, RotaryPieces(a.rest, rows));
}

WARPGROUP_KERNEL(Hopper128x96::Threads) linear_rotary_bf16_hopper_128x96(const __grid_constant__ Mapped<RotaryArguments> a)
{
    linear_rotary<Hopper128x96>(a);
}
