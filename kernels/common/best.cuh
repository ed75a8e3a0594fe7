// The largest of numbers and where it is.
#pragma once
#include "team.cuh"

// A number and its index. What is not finite is larger than anything, at −1.
struct Best
{
    float value;
    int index;
};

DEVICE Best best_of_none() { return {bits_to_float(0xff800000), 0x7fffffff}; }

DEVICE Best candidate(float x, int index) { return is_finite(x) ? Best{x, index} : Best{bits_to_float(0x7f800000), -1}; }

DEVICE Best from_lane_xor(Best b, int mask) { return {from_lane_xor(b.value, mask), from_lane_xor(b.index, mask)}; }

// The larger one, of equals that with the lower index.
struct Better
{
    DEVICE_MEMBER Best operator()(Best a, Best b) const
    {
        return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
    }
};
