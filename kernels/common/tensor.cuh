// Tensors and runs as the host describes them: src/Sa2VA.Cuda/View.cs and CheckSites.cs, field by field.
#pragma once
#include "device.cuh"

enum Type { F32, F16, BF16, I32, I64, U8, Bool };

// Rows of elements. Where Length is not negative, numbers[Length] is a run-time length: so many times PerStep rows are there, or so many
// columns if PerStep is 0; rows and columns are then the capacity.
struct View
{
    void* data;
    int rows, columns, row_stride, length, per_step;
    int type;
};

// What a check that failed found; code 0: nothing yet.
struct Fault
{
    int code, site;
    i64 position;
    int value, place, other, unused;
};

// What all kernels of a run share. The two integers before the numbers are the run's position in its queue.
struct Run
{
    const int* numbers;
    Fault* fault;
};

// True if a check before this kernel failed: nothing may be written then. A kernel either checks or works, so all blocks see the same.
DEVICE bool is_stopped(const Run& run) { return run.fault->code != 0; }

DEVICE int rows_of(const Run& run, const View& v)
{
    return v.length >= 0 && v.per_step > 0 ? run.numbers[v.length] * v.per_step : v.rows;
}

DEVICE int columns_of(const Run& run, const View& v) { return v.length >= 0 && v.per_step == 0 ? run.numbers[v.length] : v.columns; }

DEVICE i64 at(const View& v, i64 row, int column) { return row * v.row_stride + column; }

DEVICE float widen_bf16(u16 x) { return bits_to_float((u32)x << 16); }
DEVICE float widen_f16(u16 x) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(x)); return f; }
DEVICE u16 round_bf16(float x) { u16 h; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(x)); return h; }
DEVICE u16 round_f16(float x) { u16 h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x)); return h; }

// Element i behind the first, whatever float type it is stored in. The branch is the same for all threads.
DEVICE float load(const View& v, i64 i)
{
    if (v.type == F32) return ((const float*)v.data)[i];
    u16 half = ((const u16*)v.data)[i];
    return v.type == BF16 ? widen_bf16(half) : widen_f16(half);
}

DEVICE void store(const View& v, i64 i, float x)
{
    if (v.type == F32) ((float*)v.data)[i] = x;
    else ((u16*)v.data)[i] = v.type == BF16 ? round_bf16(x) : round_f16(x);
}

// Notes what a check found, if it is the first.
DEVICE void report(const Run& run, int site, int code, int value, int place, int other)
{
    int before;
    asm volatile("atom.global.cas.b32 %0, [%1], 0, %2;" : "=r"(before) : "l"(&run.fault->code), "r"(code) : "memory");
    if (before != 0) return;
    run.fault->site = site;
    run.fault->position = *(const i64*)(run.numbers - 2);
    run.fault->value = value;
    run.fault->place = place;
    run.fault->other = other;
}
