// A part of a row in the registers of a team: each thread has Count times four neighbours, 4·Threads apart. All of it is asked for before
// any of it is looked at, so a row takes one trip to memory. Which thread has which element depends on nothing but its column.
#pragma once
#include "quads.cuh"
#include "team.cuh"

template <int Threads, int Count> struct HeldRow
{
    static const int Span = 4 * Threads * Count;
    float x[Count][4];

    static DEVICE_MEMBER int column(int i) { return 4 * (threadIdx.x % Threads + i * Threads); }

    // Elements first … of a row that ends before end; zeros behind it.
    DEVICE_MEMBER void read(const View& v, i64 row, int first, int end)
    {
        i64 start = at(v, row, first);
        int count = end - first;
        if (v.type == F32) read((const float*)v.data + start, is_in_quads(v), count);
        else if (is_in_quads(v) && count % 4 == 0)
        {
            Halves halves[Count];
#pragma unroll
            for (int i = 0; i < Count; i++)
            {
                halves[i] = {};
                if (column(i) < count) halves[i] = *(const Halves*)((const u16*)v.data + start + column(i));
            }
#pragma unroll
            for (int i = 0; i < Count; i++) set(i, widen(v.type, halves[i]));
        }
        else
        {
#pragma unroll
            for (int i = 0; i < Count; i++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    x[i][e] = column(i) + e < count ? widen(v.type, ((const u16*)v.data)[start + column(i) + e]) : 0;
        }
    }

    // The same of a vector.
    DEVICE_MEMBER void read(const float* from, int first, int end) { read(from + first, is_in_quads(from), end - first); }

    DEVICE_MEMBER void write(const View& v, i64 row, int first, int end) const
    {
        i64 start = at(v, row, first);
        int count = end - first;
        bool in_quads = is_in_quads(v) && count % 4 == 0;
#pragma unroll
        for (int i = 0; i < Count; i++)
        {
            i64 to = start + column(i);
            if (in_quads)
            {
                if (column(i) < count) store_quad(v, to, {x[i][0], x[i][1], x[i][2], x[i][3]});
            }
            else
            {
#pragma unroll
                for (int e = 0; e < 4; e++)
                    if (column(i) + e < count) store(v, to + e, x[i][e]);
            }
        }
    }

private:
    DEVICE_MEMBER void set(int i, const Quad& q)
    {
        x[i][0] = q.x;
        x[i][1] = q.y;
        x[i][2] = q.z;
        x[i][3] = q.w;
    }

    DEVICE_MEMBER void read(const float* from, bool in_quads, int count)
    {
        if (in_quads && count % 4 == 0)
        {
#pragma unroll
            for (int i = 0; i < Count; i++)
            {
                Quad q = {};
                if (column(i) < count) q = *(const Quad*)(from + column(i));
                set(i, q);
            }
        }
        else
        {
#pragma unroll
            for (int i = 0; i < Count; i++)
#pragma unroll
                for (int e = 0; e < 4; e++) x[i][e] = column(i) + e < count ? from[column(i) + e] : 0;
        }
    }
};

// Sums over a team of what each thread has added up of its four neighbours.
template <int Threads> DEVICE float team_sum(const float (&sums)[4])
{
    return team_sum<Threads>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}
