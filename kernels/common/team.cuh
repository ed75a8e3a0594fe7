// Threads that reduce a row together: a warp, a block of 256 for long rows, or four lanes for short ones, whose warp is there as a whole.
// Which of them depends on the row's length alone, so a row's result has the same bits wherever it stands.
#pragma once
#include "tensor.cuh"

const int Lanes = 4, Warp = 32, Block = 256;

// x of all threads of a team by an operator that commutes: in a fixed tree, over the lanes of each warp, then over the warps.
template <int Threads, class T, class Operator> DEVICE T team_reduce(T x, const Operator& combined)
{
    for (int mask = (Threads < Warp ? Threads : Warp) / 2; mask > 0; mask >>= 1) x = combined(x, from_lane_xor(x, mask));
    if constexpr (Threads > Warp)
    {
        const int Warps = Threads / Warp;
        __shared__ T parts[Warps];
        if (threadIdx.x % Warp == 0) parts[threadIdx.x / Warp] = x;
        __syncthreads();
        x = parts[threadIdx.x % Warps];
        for (int mask = Warps / 2; mask > 0; mask >>= 1) x = combined(x, from_lane_xor(x, mask));
        __syncthreads();
    }
    return x;
}

struct Sum
{
    DEVICE_MEMBER float operator()(float a, float b) const { return a + b; }
    DEVICE_MEMBER int operator()(int a, int b) const { return a + b; }
};

struct Largest { DEVICE_MEMBER float operator()(float a, float b) const { return larger(a, b); } };

template <int Threads> DEVICE float team_sum(float x) { return team_reduce<Threads>(x, Sum()); }
template <int Threads> DEVICE int team_sum(int x) { return team_reduce<Threads>(x, Sum()); }
template <int Threads> DEVICE float team_max(float x) { return team_reduce<Threads>(x, Largest()); }

// The row of a warp of this block.
DEVICE int row_of_warp() { return blockIdx.x * (Block / Warp) + threadIdx.x / Warp; }
