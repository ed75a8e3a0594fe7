// Functions of float32, to about one unit in the last place. Coefficients: Cephes single-precision library (Moshier).
#pragma once
#include "device.cuh"

enum Activation { None, Relu, Gelu, GeluTanh, Silu, Sigmoid };

DEVICE float power_of_two(float n) { return bits_to_float((u32)((int)n + 127) << 23); }

// e^x; 0 below −87.3 (no subnormals), infinity above 88.7.
DEVICE float exponential(float x)
{
    float clamped = smaller(larger(x, -87.33654f), 88.72283f), n = nearest(clamped * 1.442695041f);
    float r = fused(n, 2.12194440e-4f, fused(n, -0.693359375f, clamped));
    float p = 1.9875691500e-4f;
    p = fused(p, r, 1.3981999507e-3f);
    p = fused(p, r, 8.3334519073e-3f);
    p = fused(p, r, 4.1665795894e-2f);
    p = fused(p, r, 1.6666665459e-1f);
    p = fused(p, r, 5.0000001201e-1f);
    float y = fused(p, r * r, r + 1);
    // n reaches 128, where 2^n itself has no exponent left: half of it goes in twice.
    float half = nearest(n * 0.5f);
    y = y * power_of_two(half) * power_of_two(n - half);
    if (x < -87.33654f) y = 0;
    if (x > 88.72283f) y = bits_to_float(0x7f800000);
    return is_nan(x) ? x : y;
}

// The error function, absolute error below 1e-7.
DEVICE float error_function(float x)
{
    float a = absolute(x), square = x * x;
    if (a < 1)
    {
        float p = 7.853861353153693e-5f;
        p = fused(p, square, -8.010193625184903e-4f);
        p = fused(p, square, 5.188327685732524e-3f);
        p = fused(p, square, -2.685381193529856e-2f);
        p = fused(p, square, 1.128358514861418e-1f);
        p = fused(p, square, -3.761262582423300e-1f);
        p = fused(p, square, 1.128379165726710f);
        return x * p;
    }
    // Beyond 1: 1 − e^(−x²)/|x| · P(1/x²), with one polynomial up to 2 and another above.
    float inverse = quotient(1, a), t = inverse * inverse, p;
    if (a < 2)
    {
        p = 2.326819970068386e-2f;
        p = fused(p, t, -1.387039388740657e-1f);
        p = fused(p, t, 3.687424674597105e-1f);
        p = fused(p, t, -5.824733027278666e-1f);
        p = fused(p, t, 6.210004621745983e-1f);
        p = fused(p, t, -4.944515323274145e-1f);
        p = fused(p, t, 3.404879937665872e-1f);
        p = fused(p, t, -2.741127028184656e-1f);
        p = fused(p, t, 5.638259427386472e-1f);
    }
    else
    {
        p = -1.047766399936249e1f;
        p = fused(p, t, 1.297719955372516e1f);
        p = fused(p, t, -7.495518717768503f);
        p = fused(p, t, 2.921019019210786f);
        p = fused(p, t, -1.015265279202700f);
        p = fused(p, t, 4.218463358204948e-1f);
        p = fused(p, t, -2.820767439740514e-1f);
        p = fused(p, t, 5.641895067754075e-1f);
    }
    float tail = exponential(-square) * inverse * p, y = 1 - tail;
    return x < 0 ? -y : y;
}

// About 2e-7 relative.
DEVICE float hyperbolic_tangent(float x)
{
    float a = absolute(x), square = x * x;
    if (a < 0.625f)
    {
        float p = -5.70498872745e-3f;
        p = fused(p, square, 2.06390887954e-2f);
        p = fused(p, square, -5.37397155531e-2f);
        p = fused(p, square, 1.33314422036e-1f);
        p = fused(p, square, -3.33332819422e-1f);
        return fused(p * square, x, x);
    }
    float y = 1 - quotient(2, exponential(a + a) + 1);
    return x < 0 ? -y : y;
}

DEVICE float sigmoid(float x) { return quotient(1, 1 + exponential(-x)); }

DEVICE float silu(float x) { return quotient(x, 1 + exponential(-x)); }

// The activation functions of Core.
DEVICE float activate(float x, int activation)
{
    switch (activation)
    {
        // x·0 adds nothing to a finite result, and keeps −∞ from passing for 0.
        case Relu: return fused(x, 0, larger(x, 0));
        case Gelu: return 0.5f * x * (1 + error_function(x * 0.70710678118654752f));
        case GeluTanh: return 0.5f * x * (1 + hyperbolic_tangent(0.7978845608028654f * fused(0.044715f * x * x, x, x)));
        case Silu: return silu(x);
        case Sigmoid: return sigmoid(x);
        default: return x;
    }
}
