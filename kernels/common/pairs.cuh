// Matrices by pairs of neighbouring columns.
#pragma once
#include "tensor.cuh"

struct ALIGNED(8) Pair { float x, y; };

// The first column of a pair is even; the last column of a matrix may be alone. A pair is one access where its place allows that.
struct Pairs
{
    View v;
    int columns;
    bool are_whole;

    DEVICE_MEMBER Pairs(const View& view, int end) : v(view), columns(end)
    {
        u64 bytes = v.type == F32 ? 8 : 4;
        are_whole = v.type != F16 && v.row_stride % 2 == 0 && (u64)v.data % bytes == 0;
    }

    DEVICE_MEMBER Pair load(i64 row, int column) const
    {
        i64 i = at(v, row, column);
        bool both = column + 1 < columns;
        if (!are_whole || !both) return {::load(v, i), both ? ::load(v, i + 1) : 0};
        if (v.type == F32) return *(const Pair*)((const float*)v.data + i);
        u32 halves = *(const u32*)((const u16*)v.data + i);
        return {bits_to_float(halves << 16), bits_to_float(halves & 0xffff0000)};
    }

    DEVICE_MEMBER void store(i64 row, int column, Pair p) const
    {
        i64 i = at(v, row, column);
        bool both = column + 1 < columns;
        if (!are_whole || !both)
        {
            ::store(v, i, p.x);
            if (both) ::store(v, i + 1, p.y);
        }
        else if (v.type == F32) *(Pair*)((float*)v.data + i) = p;
        else *(u32*)((u16*)v.data + i) = round_bf16(p.x) | (u32)round_bf16(p.y) << 16;
    }
};
