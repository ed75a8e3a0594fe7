// A sequence's keys are cut into splits, which are attended to beside each other; then one kernel puts them together in order. Where they
// are cut depends on the number of keys alone, so a sequence's bits depend on nothing else.
#pragma once
#include "device.cuh"

const int SplitUnit = 128, MostSplits = 32;

// The keys of each split but the last.
DEVICE int keys_of_split(int keys)
{
    int units = (keys + SplitUnit - 1) / SplitUnit;
    return (units + MostSplits - 1) / MostSplits * SplitUnit;
}

DEVICE int splits_of(int keys) { return keys == 0 ? 0 : (keys + keys_of_split(keys) - 1) / keys_of_split(keys); }

// What the splits of heads and sequences leave, [sequence][head][split]: the sums of weighted values, the largest score, the sum of weights.
struct Partials
{
    float* data;
    int heads, splits, width;
    DEVICE_MEMBER float* at(int sequence, int head, int split) const
    {
        return data + (((i64)sequence * heads + head) * splits + split) * (width + 2);
    }
};
