// Conv2d as a product: each output pixel's inputs, in the order (ky, kx, channel), are a row of a matrix that is gathered as it is needed.
// Maps of a batch follow each other.
#pragma once
#include "tensor.cuh"

struct Conv2dArguments
{
    Run run;
    View x, weight, y;
    const float* bias;
    int height, width, out_height, out_width, kernel, stride, padding;
};

// The inputs of one output pixel; zeros outside the map, and where there is no such pixel.
struct Patch
{
    View x;
    i64 map;
    int height, width, kernel, top, left;
    bool is_there;

    // Where input k is; −1 for a zero.
    DEVICE_MEMBER i64 place(int k) const
    {
        int tap = k / x.columns, channel = k - tap * x.columns, down = tap / kernel;
        int row = top + down, column = left + tap - down * kernel;
        bool is_inside = is_there && row >= 0 && row < height && column >= 0 && column < width;
        return is_inside ? at(x, map + (i64)row * width + column, channel) : -1;
    }

    DEVICE_MEMBER float operator()(int k) const
    {
        i64 i = place(k);
        return i < 0 ? 0 : load(x, i);
    }
};

struct Patches
{
    const Conv2dArguments& a;
    int end, first;

    DEVICE_MEMBER const View& source() const { return a.x; }

    DEVICE_MEMBER Patch row(int r) const
    {
        int pixel = first + r, line = pixel / a.out_width, map = line / a.out_height;
        int top = (line - map * a.out_height) * a.stride - a.padding, left = (pixel - line * a.out_width) * a.stride - a.padding;
        return {a.x, (i64)map * a.height * a.width, a.height, a.width, a.kernel, top, left, pixel < end};
    }
};
