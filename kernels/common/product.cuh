// A 64×64 tile of a product of two matrices in plain float32, by a block of 256 threads: the referee of the tensor core kernels.
// A thread has 4×4 results; both operands pass through shared memory, 16 of the depth at a time. Sums are chains of 64 products, which are
// then added up: nearer to the truth than one long chain. No sum depends on the size of the matrices.
#pragma once
#include "tensor.cuh"

const int Tile = 64, TileDepth = 16, Chain = 64, TilePitch = Tile + 4;

struct ProductTiles
{
    ALIGNED(16) float x[TileDepth][TilePitch];
    ALIGNED(16) float w[TileDepth][TilePitch];
};

// Results, [row][column].
typedef float ProductTile[Tile][Tile + 1];

// Rows first … of a matrix with so many valid rows; zeros beyond.
struct MatrixRows
{
    View matrix;
    int rows, first;
    DEVICE_MEMBER float operator()(int row, int k) const
    {
        return first + row < rows ? load(matrix, at(matrix, first + row, k)) : 0;
    }
};

// y[i][j] = Σ_k x(i, k)·w(j, k) for k < depth, there for all threads of the block.
template <class X, class W> DEVICE void product(ProductTile& y, ProductTiles& tiles, const X& x, const W& w, int depth)
{
    int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
    float total[4][4] = {}, part[4][4] = {};
    for (int k = 0; k < depth; k += TileDepth)
    {
        for (int i = threadIdx.x; i < Tile * TileDepth; i += 256)
        {
            int r = i / TileDepth, d = i % TileDepth;
            tiles.x[d][r] = k + d < depth ? x(r, k + d) : 0;
            tiles.w[d][r] = k + d < depth ? w(r, k + d) : 0;
        }
        __syncthreads();
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
