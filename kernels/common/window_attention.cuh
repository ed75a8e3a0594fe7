// What the kernels of WindowAttention share.
#pragma once
#include "tensor.cuh"
#include "z_order.cuh"

struct WindowAttentionArguments
{
    Run run;
    View qkv, y;
    const float* bias;
    int height, width, heads, head_dim, window, pool;
    // Of the window's side where the map is in Z-order, else 0.
    int order_bits;
    float scale;
};

// A map's window, and where the map of results, each made of `by` × `by` tokens, has its own. In a raster map windows are counted line by
// line, in Z-order as their rows are: a window is one run of rows, and so are its results.
struct Window
{
    int top, left, first, first_result;

    DEVICE_MEMBER Window(const WindowAttentionArguments& a, int number, int by)
    {
        int across = (a.width + a.window - 1) / a.window, area = a.window * a.window;
        top = a.order_bits > 0 ? 0 : number / across * a.window;
        left = a.order_bits > 0 ? 0 : number % across * a.window;
        first = a.order_bits > 0 ? number * area : top * a.width + left;
        first_result = a.order_bits > 0 ? first / (by * by) : top / by * (a.width / by) + left / by;
    }
};

// The larger one; NaN if one is that.
DEVICE float larger_or_nan(float a, float b) { return is_nan(a) || is_nan(b) ? a + b : larger(a, b); }
