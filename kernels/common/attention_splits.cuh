// DecodeAttention's sequences are cut into splits of so many keys, which are attended to beside each other; then one kernel puts them
// together in order. Splits begin at multiples of their length, so a sequence's bits depend on nothing but the sequence.
#pragma once
#include "segments.cuh"

const int SplitKeys = 128;

DEVICE int splits_of(int keys) { return (keys + SplitKeys - 1) / SplitKeys; }

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

struct DecodeAttentionArguments
{
    Run run;
    View q, k, v, y;
    Segments segments;
    Partials partials;
    int group, head_dim;
    float scale;
};
