// How the sums of a tile become results: a thread has four neighbouring columns, the same in all rows that it finishes, so what belongs to
// columns is loaded once, and a warp stores rows in pieces of 128 bytes and more.
#pragma once
#include "quads.cuh"
#include "tensor_core.cuh"

// A thread's quads in bands of S::WarpRows rows and Columns columns: one in every RowsAtOnce-th row.
template <class S, int Columns> struct ThreadQuads
{
    static const int OfRow = Columns / 4, RowsAtOnce = S::Threads / OfRow;
    // Rows that a thread finishes together, so that they do not wait for each other.
    static const int Together = S::WarpRows >= 4 * RowsAtOnce ? 2 : 1;
    // The first one's row; S::WarpRows if the thread has none.
    int row, column;

    // Columns of the tile behind the first so many are not there.
    DEVICE_MEMBER ThreadQuads(int columns) : row(threadIdx.x / OfRow), column(threadIdx.x % OfRow * 4)
    {
        if (row >= RowsAtOnce || column >= columns) row = S::WarpRows;
    }
};

// A matrix by quads, the first column of which is a multiple of four; what lies behind its last column is left out.
struct QuadRows
{
    View v;
    int columns;
    bool are_whole;

    DEVICE_MEMBER QuadRows(const View& view, int end) : v(view), columns(end), are_whole(is_in_quads(view)) {}

    DEVICE_MEMBER bool is_whole(int column) const { return are_whole && column + 4 <= columns; }

    // One number after the other.
    DEVICE_MEMBER Quad load(i64 row, int column) const
    {
        i64 i = at(v, row, column);
        Quad q = {};
#pragma unroll 1
        for (int n = 0; n < 4; n++) q = {q.y, q.z, q.w, column + n < columns ? ::load(v, i + n) : 0};
        return q;
    }

    DEVICE_MEMBER void store(i64 row, int column, Quad q) const
    {
        i64 i = at(v, row, column);
        if (is_whole(column))
        {
            if (v.type == BF16) *(Halves*)((u16*)v.data + i) = {pack_bf16(q.x, q.y), pack_bf16(q.z, q.w)};
            else store_quad(v, i, q);
            return;
        }
#pragma unroll 1
        for (int n = 0; n < 4 && column + n < columns; n++)
        {
            ::store(v, i + n, q.x);
            q = {q.y, q.z, q.w, q.x};
        }
    }
};

// Four of a vector of so many numbers; something that changes no bit where there is no vector.
DEVICE Quad quad_of(const float* vector, int first, int count, float neutral)
{
    Quad q = {neutral, neutral, neutral, neutral};
    if (!vector) return q;
    if (is_in_quads(vector + first) && first + 4 <= count) return *(const Quad*)(vector + first);
#pragma unroll 1
    for (int n = 0; n < 4; n++) q = {q.y, q.z, q.w, first + n < count ? vector[first + n] : neutral};
    return q;
}

// x + NothingToAdd has the bits of x.
const float NothingToAdd = -0.0f;

DEVICE Quad operator+(const Quad& a, const Quad& b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }
DEVICE Quad operator*(const Quad& a, const Quad& b) { return {a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w}; }

// What is added to the sums of a band, by quads. Where a quad is one access it comes to shared memory, behind the sums, while those do: a
// thread asks for all it has in a band before it looks at any.
template <class S, int Columns> struct AddedRows
{
    QuadRows rows;
    bool is_fetched;

    DEVICE_MEMBER AddedRows(const View& v, int end, int column) : rows(v, end), is_fetched(v.data && rows.is_whole(column)) {}

    DEVICE_MEMBER static float* place(float* sums, int r, int quad) { return sums + S::WarpRows * S::SumPitch + r * Columns + quad; }

    // Asks for the quad of a band's row r and the tile's column `quad`.
    DEVICE_MEMBER void fetch(float* sums, int r, int quad, i64 row, int column) const
    {
        u32 to = shared_address(place(sums, r, quad));
        i64 i = at(rows.v, row, column);
        if (rows.v.type == F32) copy_async(to, (const float*)rows.v.data + i, sizeof(Quad));
        else asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(to), "l"((const u16*)rows.v.data + i) : "memory");
    }

    // Adds to some rows r[i] of a band, which are rows row(i) of the matrix.
    template <int Count, class Row>
    DEVICE_MEMBER void add(Quad (&q)[Count], float* sums, const int (&r)[Count], int quad, const Row& row, int column) const
    {
        if (!rows.v.data) return;
        if (!is_fetched) add_each(q, [&](int i) { return rows.load(row(i), column); });
        else if (rows.v.type == F32) add_each(q, [&](int i) { return *(const Quad*)place(sums, r[i], quad); });
        else add_each(q, [&](int i) { return widen(rows.v.type, *(const Halves*)place(sums, r[i], quad)); });
    }

    template <int Count, class Load> DEVICE_MEMBER static void add_each(Quad (&q)[Count], const Load& load)
    {
#pragma unroll
        for (int i = 0; i < Count; i++) q[i] = load(i) + q[i];
    }
};
