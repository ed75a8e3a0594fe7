// GatedLinear: y = silu(x·Gᵀ) ⊙ (x·Uᵀ); the weight has G's rows, then U's.
#pragma once
#include "tensor.cuh"

struct GatedLinearArguments
{
    Run run;
    View x, weight, y;
};
