// The activation functions by the special function unit, to about 1e-6: for results of bf16 operands.
#pragma once
#include "math.cuh"

DEVICE float exponential2(float x) { float d; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }
DEVICE float reciprocal(float x) { float d; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }

const float Log2OfE = 1.442695041f;

DEVICE float fast_sigmoid(float x) { return reciprocal(1 + exponential2(-Log2OfE * x)); }

DEVICE float fast_silu(float x) { return x * fast_sigmoid(x); }
DEVICE Quad fast_silu(const Quad& q) { return {fast_silu(q.x), fast_silu(q.y), fast_silu(q.z), fast_silu(q.w)}; }

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

// What a sigmoid makes of x: sigmoid(x), x·sigmoid(x), or GELU's approximation x·sigmoid(2·√(2/π)·(x + 0.044715·x³)).
DEVICE float fast_activate_by_sigmoid(float x, int activation)
{
    float s = fast_sigmoid(activation == GeluTanh ? 1.5957691216057308f * fused(0.044715f * x * x, x, x) : x);
    return activation == Sigmoid ? s : x * s;
}

template <int Count, class F> DEVICE void for_each(Quad (&q)[Count], const F& f)
{
#pragma unroll
    for (int i = 0; i < Count; i++) q[i] = {f(q[i].x), f(q[i].y), f(q[i].z), f(q[i].w)};
}

// Of some quads at once: the branches, which are the same for all threads, come but once, and quads do not wait for each other.
template <int Count> DEVICE void fast_activate(Quad (&q)[Count], int activation)
{
    if (activation == None) return;
    if (activation == Relu) for_each(q, [](float x) { return fused(x, 0, larger(x, 0)); });
    else if (activation == Gelu) for_each(q, [](float x) { return fast_gelu(x); });
    else for_each(q, [&](float x) { return fast_activate_by_sigmoid(x, activation); });
}
