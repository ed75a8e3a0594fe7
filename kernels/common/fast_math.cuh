// The activation functions by the special function unit, to about 1e-6: for results of bf16 operands.
#pragma once
#include "math.cuh"

DEVICE float exponential2(float x) { float d; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }
DEVICE float reciprocal(float x) { float d; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }

const float Log2OfE = 1.442695041f;

DEVICE float fast_sigmoid(float x) { return reciprocal(1 + exponential2(-Log2OfE * x)); }

DEVICE float fast_silu(float x) { return x * fast_sigmoid(x); }

// The error function's complement by Abramowitz and Stegun 7.1.26, absolute error below 2e-7.
DEVICE float fast_gelu(float x)
{
    float a = absolute(x) * 0.70710678118654752f, t = reciprocal(fused(0.3275911f, a, 1)), p = 1.061405429f;
    p = fused(p, t, -1.453152027f);
    p = fused(p, t, 1.421413741f);
    p = fused(p, t, -0.284496736f);
    p = fused(p, t, 0.254829592f);
    float outside = 0.5f * x * (p * t * exponential2(-Log2OfE * a * a));
    return x < 0 ? outside : x - outside;
}

DEVICE float fast_activate(float x, int activation)
{
    switch (activation)
    {
        case Relu: return fused(x, 0, larger(x, 0));
        case Gelu: return fast_gelu(x);
        case GeluTanh: return x * fast_sigmoid(1.5957691216057308f * fused(0.044715f * x * x, x, x));
        case Silu: return fast_silu(x);
        case Sigmoid: return fast_sigmoid(x);
        default: return x;
    }
}
