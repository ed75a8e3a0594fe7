// Four neighbouring elements of a row at once.
#pragma once
#include "tensor.cuh"

// Four elements of 16 bits.
struct ALIGNED(8) Halves { u32 low, high; };

// Twice as many.
struct ALIGNED(16) Eight { Halves first, second; };

// True if rows begin where four elements can be loaded and stored at once.
DEVICE bool is_in_quads(const View& v) { return v.row_stride % 4 == 0 && (u64)v.data % (v.type == F32 ? 16 : 8) == 0; }

DEVICE bool is_in_quads(const float* p) { return (u64)p % sizeof(Quad) == 0; }

DEVICE float widen(int type, u32 half) { return type == BF16 ? bits_to_float(half << 16) : widen_f16((u16)half); }

DEVICE Quad widen(int type, Halves h)
{
    return {widen(type, h.low & 0xffff), widen(type, h.low >> 16), widen(type, h.high & 0xffff), widen(type, h.high >> 16)};
}

DEVICE u32 narrow(int type, float x) { return type == BF16 ? round_bf16(x) : round_f16(x); }

DEVICE Halves narrow(int type, const Quad& q)
{
    return {narrow(type, q.x) | narrow(type, q.y) << 16, narrow(type, q.z) | narrow(type, q.w) << 16};
}

DEVICE void store_quad(const View& v, i64 i, const Quad& q)
{
    if (v.type == F32) *(Quad*)((float*)v.data + i) = q;
    else *(Halves*)((u16*)v.data + i) = narrow(v.type, q);
}
