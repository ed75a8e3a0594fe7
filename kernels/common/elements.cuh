// How threads share the elements of a tensor where each is computed by itself.
#pragma once
#include "tensor.cuh"

// A block of 256 threads has 256 >> shift rows and as many columns of them as chunk says. Mirrored by src/Sa2VA.Cuda/Kernels/Share.cs.
struct Share { int shift, chunk; };

// What a thread has: columns column, column + step, … below end of a row. No columns where there is no such row.
struct OwnElements { int row, column, end, step; };

DEVICE OwnElements own_elements(const Share& share, int rows, int columns)
{
    u32 row = blockIdx.x * (256u >> share.shift) + (threadIdx.x >> share.shift);
    int step = 1 << share.shift, first = blockIdx.y * share.chunk;
    return {(int)row, first + (int)(threadIdx.x & (step - 1)), row < (u32)rows ? least(columns, first + share.chunk) : 0, step};
}
