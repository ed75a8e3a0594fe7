// What norms share.
#pragma once
#include "held_row.cuh"

// How a team of threads has its row: up to 1,024 elements of a warp's, or 64 of four lanes', are in its registers from the first look to
// the last, as are 4,096 of a block's; what is longer is read again for each look. Mirrored by src/Sa2VA.Cuda/Kernels/RowTeam.cs.
template <int TeamThreads> struct NormTeam
{
    static const int Threads = TeamThreads, Count = Threads == Warp ? 8 : 4;
    static const bool AlwaysHolds = Threads <= Warp;
    typedef HeldRow<Threads, Count> Held;
    static const int Span = Held::Span;

    static DEVICE_MEMBER int row() { return blockIdx.x * (Block / Threads) + threadIdx.x / Threads; }

    static DEVICE_MEMBER bool holds(int columns) { return AlwaysHolds || columns <= Span; }

    // Behind the last part that begins there.
    static DEVICE_MEMBER int end(int columns) { return AlwaysHolds ? 1 : columns; }
};

#define EACH_HELD(Team) _Pragma("unroll") for (int i = 0; i < Team::Count; i++) _Pragma("unroll") for (int e = 0; e < 4; e++)

// 1/√(mean square + ε) of a row. NaN when the squares overflowed: 1/√∞ = 0 would make zeros of such a row, which look sound.
DEVICE float inverse_root(float mean_square, float epsilon)
{
    return is_finite(mean_square) ? quotient(1, root(mean_square + epsilon)) : bits_to_float(0xffc00000);
}
