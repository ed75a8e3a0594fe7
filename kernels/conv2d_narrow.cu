// Conv2d of 3×3 filters from few channels to few, where x and the weight are bf16: a thread has all channels of one output pixel. Tiles of
// tensor cores would multiply zeros, and gather their operands number by number. A sum is one chain over (ky, kx, channel).
#include "common/conv2d.cuh"
#include "common/quads.cuh"

const int Taps = 9, Threads = 256;

template <int In> struct Pixel;

template <> struct Pixel<1>
{
    u16 bits;
    DEVICE_MEMBER float channel(int) const { return widen_bf16(bits); }
};

template <> struct Pixel<4>
{
    Halves bits;
    DEVICE_MEMBER float channel(int c) const { return widen(BF16, (c < 2 ? bits.low : bits.high) >> 16 * (c % 2) & 0xffff); }
};

template <int In, int Out> DEVICE void conv2d_narrow(const Conv2dArguments& a)
{
    __shared__ ALIGNED(16) float weights[Taps * In][Out];
    if (is_stopped(a.run)) return;
    for (int i = threadIdx.x; i < Taps * In * Out; i += Threads)
        weights[i / Out][i % Out] = widen_bf16(((const u16*)a.weight.data)[at(a.weight, i % Out, i / Out)]);
    __syncthreads();
    int pixel = blockIdx.x * Threads + threadIdx.x, pixels = rows_of(a.run, a.y);
    if (pixel >= pixels) return;
    Patch patch = Patches{a, pixels, 0}.row(pixel);
    Pixel<In> x[Taps];
#pragma unroll
    for (int t = 0; t < Taps; t++)
    {
        i64 place = patch.place(t * In);
        x[t] = place < 0 ? Pixel<In>() : *(const Pixel<In>*)((const u16*)a.x.data + place);
    }
#pragma unroll
    for (int o = 0; o < Out; o += 4)
    {
        Quad y = {};
#pragma unroll
        for (int k = 0; k < Taps * In; k++)
        {
            float input = x[k / In].channel(k % In);
            Quad w = *(const Quad*)&weights[k][o];
            y = {fused(input, w.x, y.x), fused(input, w.y, y.y), fused(input, w.z, y.z), fused(input, w.w, y.w)};
        }
        if (a.bias) y = {y.x + a.bias[o], y.y + a.bias[o + 1], y.z + a.bias[o + 2], y.w + a.bias[o + 3]};
        store_quad(a.y, at(a.y, pixel, o), y);
    }
}

KERNEL(Threads) conv2d_narrow_1_4(const Conv2dArguments a) { conv2d_narrow<1, 4>(a); }
KERNEL(Threads) conv2d_narrow_4_16(const Conv2dArguments a) { conv2d_narrow<4, 16>(a); }
