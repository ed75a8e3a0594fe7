// Linear: y = residual + scale ⊙ activation(x·Wᵀ + bias).
#pragma once
#include "tensor.cuh"

struct LinearArguments
{
    Run run;
    View x, weight, residual, y;
    const float *bias, *scale;
    int activation;
};
