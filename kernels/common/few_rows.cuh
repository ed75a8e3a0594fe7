// A product of few rows in plain float32, with the sums of product.cuh: chains of 64 products that are added up in order. Here the chains
// lie beside each other instead of behind each other: a thread has one of a column for four rows, and eight times as many threads as there
// are chains, at most 256, are a block.
#pragma once
#include "product.cuh"
#include "quads.cuh"

const int FewRows = 4, FewColumns = 8, MostChains = 32, ChainQuads = Chain / 4, ChainPitch = Chain + 4;

struct FewRowsTiles
{
    // Rows of x; chains stand apart, so that those of a warp are in different banks.
    ALIGNED(16) float x[FewRows][MostChains * ChainPitch];
    float sums[MostChains][FewRows * FewColumns];
};

// Chains that a block has at once: whole warps of them.
DEVICE int chains_at_once(int depth) { return least(MostChains, (depth + 4 * Chain - 1) / (4 * Chain) * 4); }

// 64 neighbours of a matrix whose rows are whole chunks of 16 bytes, of which so many are there; zeros behind them.
DEVICE void read_chain(float (&to)[Chain], const View& v, i64 start, int count)
{
    if (v.type == F32)
    {
#pragma unroll
        for (int i = 0; i < ChainQuads; i++)
        {
            Quad q = {};
            if (4 * i < count) q = *(const Quad*)((const float*)v.data + start + 4 * i);
            to[4 * i] = q.x;
            to[4 * i + 1] = q.y;
            to[4 * i + 2] = q.z;
            to[4 * i + 3] = q.w;
        }
    }
    else
    {
        Eight halves[Chain / 8];
#pragma unroll
        for (int i = 0; i < Chain / 8; i++)
        {
            halves[i] = {};
            if (8 * i < count) halves[i] = *(const Eight*)((const u16*)v.data + start + 8 * i);
        }
#pragma unroll
        for (int i = 0; i < ChainQuads; i++)
        {
            Quad q = widen(v.type, i % 2 == 0 ? halves[i / 2].first : halves[i / 2].second);
            to[4 * i] = q.x;
            to[4 * i + 1] = q.y;
            to[4 * i + 2] = q.z;
            to[4 * i + 3] = q.w;
        }
    }
}

// Rows of x of all chains from first on to shared memory; zeros where there is no such row, and behind its end.
DEVICE void read_rows(FewRowsTiles& tiles, const View& x, int first_row, int rows, int first, int chains)
{
    const int Each = FewRows * ChainQuads / FewColumns, OfRow = Each / FewRows;
    int threads = FewColumns * chains, end = x.columns - first;
    Quad quads[Each];
    Halves halves[Each];
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        int row = first_row + i / OfRow, c = 4 * ((int)threadIdx.x + i % OfRow * threads);
        bool is_there = row < rows && c < end;
        i64 from = at(x, row, first + c);
        quads[i] = {};
        halves[i] = {};
        if (x.type == F32 && is_there) quads[i] = *(const Quad*)((const float*)x.data + from);
        if (x.type != F32 && is_there) halves[i] = *(const Halves*)((const u16*)x.data + from);
    }
#pragma unroll
    for (int i = 0; i < Each; i++)
    {
        int quad = (int)threadIdx.x + i % OfRow * threads;
        if (x.type != F32) quads[i] = widen(x.type, halves[i]);
        *(Quad*)&tiles.x[i / OfRow][quad / ChainQuads * ChainPitch + quad % ChainQuads * 4] = quads[i];
    }
}

// Σ_k x[first_row + r][k]·w[first_column + c][k] in thread 8·r + c of the first warp.
DEVICE float few_rows_product(FewRowsTiles& tiles, const View& x, const View& w, int first_row, int rows, int first_column)
{
    int depth = x.columns, chains = chains_at_once(depth);
    int column = threadIdx.x % FewColumns, chain = threadIdx.x / FewColumns;
    float total = 0;
    for (int first = 0; first < depth; first += Chain * chains)
    {
        float ws[Chain], sums[FewRows] = {};
        int k = first + Chain * chain;
        read_chain(ws, w, at(w, first_column + column, k), first_column + column < w.rows ? depth - k : 0);
        read_rows(tiles, x, first_row, rows, first, chains);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ChainQuads; i++)
#pragma unroll
            for (int r = 0; r < FewRows; r++)
            {
                Quad q = *(const Quad*)&tiles.x[r][chain * ChainPitch + 4 * i];
                sums[r] = fused(q.x, ws[4 * i], sums[r]);
                sums[r] = fused(q.y, ws[4 * i + 1], sums[r]);
                sums[r] = fused(q.z, ws[4 * i + 2], sums[r]);
                sums[r] = fused(q.w, ws[4 * i + 3], sums[r]);
            }
#pragma unroll
        for (int r = 0; r < FewRows; r++) tiles.sums[chain][r * FewColumns + column] = sums[r];
        __syncthreads();
        if (threadIdx.x < FewRows * FewColumns)
        {
#pragma unroll 8
            for (int c = 0; c < least(chains, (depth - first + Chain - 1) / Chain); c++) total = total + tiles.sums[c][threadIdx.x];
        }
        __syncthreads();
    }
    return total;
}
