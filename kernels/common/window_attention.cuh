// What the kernels of WindowAttention share.
#pragma once
#include "tensor.cuh"

struct WindowAttentionArguments
{
    Run run;
    View qkv, y;
    const float* bias;
    int height, width, heads, head_dim, window, pool;
    float scale;
};

// The larger one; NaN if one is that.
DEVICE float larger_or_nan(float a, float b) { return is_nan(a) || is_nan(b) ? a + b : larger(a, b); }
