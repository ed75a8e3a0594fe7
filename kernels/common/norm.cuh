// What norms share.
#pragma once
#include "held_row.cuh"

// How a team of threads has its row: up to 1,024 elements of a warp's, or 64 of four lanes', are in its registers from the first look to
// the last, as are 4,096 of a block's; what is longer is read again for each look. A warp that holds fewer has the same bits and leaves
// registers to others. Mirrored by src/Sa2VA.Cuda/Kernels/RowTeam.cs.
template <int TeamThreads, int HeldCount = TeamThreads == Warp ? 8 : 4> struct NormTeam
{
    static const int Threads = TeamThreads, Count = HeldCount;
    static const bool AlwaysHolds = Threads <= Warp;
    typedef HeldRow<Threads, Count> Held;
    static const int Span = Held::Span;

    static DEVICE_MEMBER int row() { return blockIdx.x * (Block / Threads) + threadIdx.x / Threads; }

    static DEVICE_MEMBER bool holds(int columns) { return AlwaysHolds || columns <= Span; }

    // Behind the last part that begins there.
    static DEVICE_MEMBER int end(int columns) { return AlwaysHolds ? 1 : columns; }
};

#define EACH_HELD(Team) _Pragma("unroll") for (int i = 0; i < Team::Count; i++) _Pragma("unroll") for (int e = 0; e < 4; e++)

// Adds a residual's row to what is held of x's, and stores the sum: both are float32.
template <class Team> DEVICE void add_residual(typename Team::Held& x, const float* residual, float* sum, int first, int end)
{
    residual += first;
    sum += first;
    int count = end - first;
    bool in_quads = is_in_quads(residual) && is_in_quads(sum) && count % 4 == 0;
    Quad more[Team::Count];
#pragma unroll
    for (int i = 0; i < Team::Count; i++)
    {
        int c = x.column(i);
        more[i] = {};
        if (in_quads && c < count) more[i] = *(const Quad*)(residual + c);
        else if (!in_quads)
            more[i] = {c < count ? residual[c] : 0, c + 1 < count ? residual[c + 1] : 0, c + 2 < count ? residual[c + 2] : 0,
                c + 3 < count ? residual[c + 3] : 0};
    }
#pragma unroll
    for (int i = 0; i < Team::Count; i++)
    {
        int c = x.column(i);
        Quad both = {x.x[i][0] + more[i].x, x.x[i][1] + more[i].y, x.x[i][2] + more[i].z, x.x[i][3] + more[i].w};
        x.x[i][0] = both.x, x.x[i][1] = both.y, x.x[i][2] = both.z, x.x[i][3] = both.w;
        if (in_quads)
        {
            if (c < count) *(Quad*)(sum + c) = both;
            continue;
        }
        if (c < count) sum[c] = both.x;
        if (c + 1 < count) sum[c + 1] = both.y;
        if (c + 2 < count) sum[c + 2] = both.z;
        if (c + 3 < count) sum[c + 3] = both.w;
    }
}

// x of a row as a norm reads it first: with its residual, if it has one. What has to be read again is then the sum.
template <class Team, class Arguments> DEVICE void read_first(typename Team::Held& x, const Arguments& a, int row, int first, int columns)
{
    x.read(a.x, row, first, columns);
    if (!a.residual.data || columns == 0) return;
    const float* residual = (const float*)a.residual.data + at(a.residual, row % rows_of(a.run, a.residual), 0);
    add_residual<Team>(x, residual, (float*)a.sum.data + at(a.sum, row, 0), first, columns);
}

template <class Team, class Arguments> DEVICE void read_again(typename Team::Held& x, const Arguments& a, int row, int first, int columns)
{
    if (a.residual.data) x.read((const float*)a.sum.data + at(a.sum, row, 0), first, columns);
    else x.read(a.x, row, first, columns);
}

// 1/√(mean square + ε) of a row. NaN when the squares overflowed: 1/√∞ = 0 would make zeros of such a row, which look sound.
DEVICE float inverse_root(float mean_square, float epsilon)
{
    return is_finite(mean_square) ? quotient(1, root(mean_square + epsilon)) : bits_to_float(0xffc00000);
}
