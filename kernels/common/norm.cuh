// What norms share.
#pragma once
#include "team.cuh"

// 1/√(mean square + ε) of a row. NaN when the squares overflowed: 1/√∞ = 0 would make zeros of such a row, which look sound.
DEVICE float inverse_root(float mean_square, float epsilon)
{
    return is_finite(mean_square) ? quotient(1, root(mean_square + epsilon)) : bits_to_float(0xffc00000);
}
