// DepthwiseConv2d: one k×k filter per channel; a thread has one channel of one pixel. The filter is [k·k, C], so that neighbouring threads
// read neighbouring numbers. Maps of a batch follow each other.
#include "common/tensor.cuh"

struct DepthwiseConv2dArguments
{
    Run run;
    View x, y;
    const float *weight, *bias;
    int height, width, kernel;
};

KERNEL(256) depthwise_conv2d(const DepthwiseConv2dArguments a)
{
    if (is_stopped(a.run)) return;
    i64 i = (i64)blockIdx.x * 256 + threadIdx.x;
    int channels = a.x.columns, half = a.kernel / 2;
    if (i >= (i64)rows_of(a.run, a.x) * channels) return;
    int pixel = (int)(i / channels), channel = (int)(i - (i64)pixel * channels);
    int line = pixel / a.width, column = pixel - line * a.width, row = line % a.height;
    float y = a.bias ? a.bias[channel] : 0;
    for (int down = most(0, half - row); down < least(a.kernel, a.height + half - row); down++)
    {
        i64 from = (i64)(line + down - half) * a.width + column - half;
        for (int right = most(0, half - column); right < least(a.kernel, a.width + half - column); right++)
            y = fused(load(a.x, at(a.x, from + right, channel)), a.weight[(down * a.kernel + right) * channels + channel], y);
    }
    store(a.y, at(a.y, pixel, channel), y);
}
