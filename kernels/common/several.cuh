// Elements of one tensor that are loaded together.
#pragma once
#include "tensor.cuh"

// Elements at several places, zeros where a place is −1: all are asked for before the first is waited for.
template <int Count> DEVICE void load_several(float (&to)[Count], const View& v, const i64 (&places)[Count])
{
    if (v.type == F32)
    {
#pragma unroll
        for (int i = 0; i < Count; i++) to[i] = places[i] < 0 ? 0 : ((const float*)v.data)[places[i]];
        return;
    }
    u16 halves[Count];
#pragma unroll
    for (int i = 0; i < Count; i++) halves[i] = places[i] < 0 ? 0 : ((const u16*)v.data)[places[i]];
#pragma unroll
    for (int i = 0; i < Count; i++) to[i] = v.type == BF16 ? widen_bf16(halves[i]) : widen_f16(halves[i]);
}
