// DepthwiseConv2d: one k×k filter per channel; a thread has one channel of four neighbouring pixels, which share most of their inputs. The
// filter is [k·k, C], so that neighbouring threads read neighbouring numbers. Maps of a batch follow each other. A sum is the bias and the
// taps inside the map in their order, wherever the four begin.
#include "common/several.cuh"

struct DepthwiseConv2dArguments
{
    Run run;
    View x, y;
    const float *weight, *bias;
    int height, width, kernel;
};

// Pixels of a thread, taps of a filter's row at once, and what those read.
const int Pixels = 4, AtOnce = 7, Inputs = Pixels + AtOnce - 1;

KERNEL(256) depthwise_conv2d(const DepthwiseConv2dArguments a)
{
    if (is_stopped(a.run)) return;
    int channels = a.x.columns, half = a.kernel / 2, groups = (a.width + Pixels - 1) / Pixels;
    i64 i = (i64)blockIdx.x * 256 + threadIdx.x;
    int group = (int)(i / channels), channel = (int)(i - (i64)group * channels);
    int line = group / groups, column = (group - line * groups) * Pixels, row = line % a.height;
    if ((i64)line * a.width >= rows_of(a.run, a.x)) return;
    float y[Pixels];
#pragma unroll
    for (int p = 0; p < Pixels; p++) y[p] = a.bias ? a.bias[channel] : 0;
#pragma unroll 1
    for (int down = most(0, half - row); down < least(a.kernel, a.height + half - row); down++)
    {
#pragma unroll 1
        for (int right = 0; right < a.kernel; right += AtOnce)
        {
            int first = column - half + right, taps = least(AtOnce, a.kernel - right);
            i64 place = at(a.x, (i64)(line + down - half) * a.width + first, channel), places[Inputs];
            const float* weights = a.weight + (down * a.kernel + right) * channels + channel;
            float x[Inputs], weight[AtOnce];
#pragma unroll
            for (int j = 0; j < Inputs; j++)
                places[j] = first + j >= 0 && first + j < a.width && j < taps + Pixels - 1 ? place + j * a.x.row_stride : -1;
#pragma unroll
            for (int t = 0; t < AtOnce; t++) weight[t] = t < taps ? weights[t * channels] : 0;
            load_several(x, a.x, places);
#pragma unroll
            for (int t = 0; t < AtOnce; t++)
#pragma unroll
                for (int p = 0; p < Pixels; p++)
                    if (t < taps && places[p + t] >= 0) y[p] = fused(x[p + t], weight[t], y[p]);
        }
    }
#pragma unroll
    for (int p = 0; p < Pixels; p++)
        if (column + p < a.width) store(a.y, at(a.y, (i64)line * a.width + column + p, channel), y[p]);
}
