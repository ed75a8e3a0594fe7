// ConvTranspose2d: an input pixel times [4·Co, Ci] is the four output pixels that it alone feeds. Maps of a batch follow each other, so
// pixels count on from one to the next.
#pragma once
#include "tensor.cuh"

struct ConvTranspose2dArguments
{
    Run run;
    View x, weight, residual, y;
    const float* bias;
    // Of an input map.
    int width;
};

// The row of results that an input pixel feeds by one of the four taps.
DEVICE i64 target_of(const ConvTranspose2dArguments& a, int pixel, int tap)
{
    int line = pixel / a.width;
    return (2 * (i64)line + tap / 2) * (2 * a.width) + 2 * (pixel - line * a.width) + tap % 2;
}

// Stores a product of an input pixel and a row of the weight, which is an output channel's of one of four pixels.
DEVICE void store_product(const ConvTranspose2dArguments& a, int pixel, int column, float product)
{
    int tap = column / a.y.columns, channel = column - tap * a.y.columns;
    i64 target = target_of(a, pixel, tap);
    float y = a.bias ? product + a.bias[channel] : product;
    // One map may be added to the results of all.
    if (a.residual.data) y = y + load(a.residual, at(a.residual, target % a.residual.rows, channel));
    store(a.y, at(a.y, target, channel), y);
}
