// Softmax over scores that come block by block.
#pragma once
#include "device.cuh"

DEVICE float minus_infinity() { return bits_to_float(0xff800000); }

// What is taken from scores before their exponential: the largest so far. Where nothing is visible yet that is −∞, and 0 in its place makes
// every exponential 0 instead of NaN.
DEVICE float shift_of(float largest) { return largest == minus_infinity() ? 0 : largest; }
