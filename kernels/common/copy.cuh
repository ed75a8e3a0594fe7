// Elements from tensor to tensor.
#pragma once
#include "elements.cuh"

// The bits as they are where the types are equal; else floats are rounded to nearest even, where NaN keeps its upper bits, and integers
// become floats.
DEVICE void copy_element(const View& from, i64 i, const View& to, i64 j)
{
    if (from.type == to.type)
    {
        if (to.type == F32 || to.type == I32) ((u32*)to.data)[j] = ((const u32*)from.data)[i];
        else if (to.type == F16 || to.type == BF16) ((u16*)to.data)[j] = ((const u16*)from.data)[i];
        else if (to.type == I64) ((u64*)to.data)[j] = ((const u64*)from.data)[i];
        else ((u8*)to.data)[j] = ((const u8*)from.data)[i];
    }
    else if (from.type == I32) ((float*)to.data)[j] = (float)((const int*)from.data)[i];
    else
    {
        float x = load(from, i);
        if (to.type == BF16 && is_nan(x)) ((u16*)to.data)[j] = (u16)(float_to_bits(x) >> 16 | 0x40);
        else store(to, j, x);
    }
}

DEVICE void clear_element(const View& to, i64 j)
{
    if (to.type == F32 || to.type == I32) ((u32*)to.data)[j] = 0;
    else if (to.type == F16 || to.type == BF16) ((u16*)to.data)[j] = 0;
    else if (to.type == I64) ((u64*)to.data)[j] = 0;
    else ((u8*)to.data)[j] = 0;
}

// What a thread has of a row.
DEVICE void copy_own(const View& from, i64 from_row, const View& to, i64 to_row, const OwnElements& own)
{
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step) copy_element(from, at(from, from_row, c), to, at(to, to_row, c));
}

DEVICE void clear_own(const View& to, i64 to_row, const OwnElements& own)
{
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step) clear_element(to, at(to, to_row, c));
}
