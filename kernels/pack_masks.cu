// PackMasks: masks at the picture's size as bits, by two bilinear resizes of which only the samples exist that a pixel needs; a warp makes a
// word. Beside them whether the logits are finite, and the results behind them.
#include "common/team.cuh"
#include "common/taps.cuh"

// Taps are two a sample; up is for both axes of L → S, across and down for S → width and height. A pixel above the threshold is inside.
struct PackMasksArguments
{
    Run run;
    View results, y;
    Taps up, across, down;
    int low_side, height, width, words_per_row;
    float threshold;
};

DEVICE u32 ballot(bool vote)
{
    u32 lanes;
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(lanes) : "r"((u32)vote));
    return lanes;
}

// Sample (x, y) of the S×S map.
DEVICE float middle(const float* low, int side, const Taps& up, int x, int y)
{
    int left = up.index[2 * x], right = up.index[2 * x + 1];
    float to_left = up.weight[2 * x], to_right = up.weight[2 * x + 1];
    const float *upper = low + up.index[2 * y] * side, *lower = low + up.index[2 * y + 1] * side;
    float above = to_left * upper[left] + to_right * upper[right], below = to_left * lower[left] + to_right * lower[right];
    return above * up.weight[2 * y] + below * up.weight[2 * y + 1];
}

KERNEL(256) pack_masks(const PackMasksArguments a)
{
    if (is_stopped(a.run)) return;
    i64 word = (i64)blockIdx.x * (Block / Warp) + threadIdx.x / Warp, row = word / a.words_per_row, object = row / a.height;
    if (object >= rows_of(a.run, a.results)) return;
    int y = (int)(row - object * a.height), x = (int)(word - row * a.words_per_row) * Warp + threadIdx.x % Warp;
    bool is_inside = false;
    if (x < a.width)
    {
        const float* low = (const float*)a.results.data + at(a.results, object, 0);
        int left = a.across.index[2 * x], right = a.across.index[2 * x + 1];
        float to_left = a.across.weight[2 * x], to_right = a.across.weight[2 * x + 1];
        int upper = a.down.index[2 * y], lower = a.down.index[2 * y + 1];
        float above = to_left * middle(low, a.low_side, a.up, left, upper) + to_right * middle(low, a.low_side, a.up, right, upper);
        float below = to_left * middle(low, a.low_side, a.up, left, lower) + to_right * middle(low, a.low_side, a.up, right, lower);
        is_inside = above * a.down.weight[2 * y] + below * a.down.weight[2 * y + 1] > a.threshold;
    }
    u32 bits = ballot(is_inside);
    if (threadIdx.x % Warp == 0) ((u32*)a.y.data)[at(a.y, object, (int)(word - object * a.height * a.words_per_row))] = bits;
}

// A block for each object.
KERNEL(256) pack_results(const PackMasksArguments a)
{
    if (is_stopped(a.run)) return;
    int object = blockIdx.x, logits = a.low_side * a.low_side, wrong = 0;
    if (object >= rows_of(a.run, a.results)) return;
    const float* from = (const float*)a.results.data + at(a.results, object, 0);
    u32* to = (u32*)a.y.data + at(a.y, object, a.height * a.words_per_row);
    for (int i = threadIdx.x; i < logits; i += Block) wrong += !is_finite(from[i]);
    wrong = team_sum<Block>(wrong);
    if (threadIdx.x == 0) to[0] = wrong == 0;
    for (int i = threadIdx.x; i < a.results.columns - logits; i += Block) to[1 + i] = float_to_bits(from[logits + i]);
}
