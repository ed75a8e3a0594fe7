// Which samples of a source make a sample of the result along one axis, and with what weight: Taps of src/Sa2VA.Cuda/Kernels/Taps.cs.
#pragma once
#include "device.cuh"

// Tap t of sample i is at [i·count + t].
struct Taps
{
    const int* index;
    const float* weight;
    int count;
};
