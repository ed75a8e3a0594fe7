// A 64×64 tile of a product of two matrices in plain float32, by a block of 256 threads: the referee of the tensor core kernels.
// A thread has 4×4 results; both operands pass through shared memory, 16 of the depth at a time, the next of which are on their way to
// registers meanwhile. Sums are chains of 64 products, which are then added up: nearer to the truth than one long chain. No sum depends on
// the size of the matrices.
#pragma once
#include "matrix_rows.cuh"
#include "several.cuh"

const int Tile = 64, TileDepth = 16, Chain = 64, TilePitch = Tile + 4;

struct ProductTiles
{
    ALIGNED(16) float x[TileDepth][TilePitch];
    ALIGNED(16) float w[TileDepth][TilePitch];
};

// Results, [row][column].
typedef float ProductTile[Tile][Tile + 1];

// Number k of each of four rows.
template <class Row> DEVICE void fetch_four(float (&to)[4], const View& source, const Row (&rows)[4], int k, int depth)
{
    i64 places[4];
#pragma unroll
    for (int i = 0; i < 4; i++) places[i] = k < depth ? rows[i].place(k) : -1;
    load_several(to, source, places);
}

// y[i][j] = Σ_k x.row(i)(k) · w.row(j)(k) for i < rows and k < depth, there for all threads of the block.
template <class X, class W> DEVICE void product(ProductTile& y, ProductTiles& tiles, const X& x, const W& w, int rows, int depth)
{
    // A thread fetches one of sixteen places of the depth, of every sixteenth row.
    int place = threadIdx.x % TileDepth, fetched = threadIdx.x / TileDepth;
    const decltype(x.row(0)) xs[4] = {x.row(fetched), x.row(fetched + 16), x.row(fetched + 32), x.row(fetched + 48)};
    const decltype(w.row(0)) ws[4] = {w.row(fetched), w.row(fetched + 16), w.row(fetched + 32), w.row(fetched + 48)};
    int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
    // A warp has eight rows: where none is asked for, it only fetches.
    bool multiplies = threadIdx.x / 32 * 8 < rows;
    float total[4][4] = {}, part[4][4] = {}, next_x[4], next_w[4];
    fetch_four(next_x, x.source(), xs, place, depth);
    fetch_four(next_w, w.source(), ws, place, depth);
    for (int k = 0; k < depth; k += TileDepth)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            tiles.x[place][fetched + 16 * i] = next_x[i];
            tiles.w[place][fetched + 16 * i] = next_w[i];
        }
        __syncthreads();
        fetch_four(next_x, x.source(), xs, k + TileDepth + place, depth);
        fetch_four(next_w, w.source(), ws, k + TileDepth + place, depth);
        if (multiplies)
        {
#pragma unroll
            for (int d = 0; d < TileDepth; d++)
            {
                Quad a = *(const Quad*)&tiles.x[d][row], b = *(const Quad*)&tiles.w[d][column];
                const float as[4] = {a.x, a.y, a.z, a.w}, bs[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
                for (int i = 0; i < 4; i++)
#pragma unroll
                    for (int j = 0; j < 4; j++) part[i][j] = fused(as[i], bs[j], part[i][j]);
            }
        }
        __syncthreads();
        if ((k + TileDepth) % Chain != 0 && k + TileDepth < depth) continue;
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
            {
                total[i][j] = total[i][j] + part[i][j];
                part[i][j] = 0;
            }
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) y[row + i][column + j] = total[i][j];
    __syncthreads();
}
