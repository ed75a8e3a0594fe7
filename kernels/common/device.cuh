// What kernels need of the language, for NVRTC, nvcc and clang alike: no header of CUDA is included anywhere.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#if defined(__clang__)
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __grid_constant__ __attribute__((grid_constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __forceinline__ __inline__ __attribute__((always_inline))
struct ThreadIndex { __declspec(property(get = get)) u32 x; __device__ u32 get() const { return __nvvm_read_ptx_sreg_tid_x(); } };
struct BlockIndex {
    __declspec(property(get = getX)) u32 x;
    __declspec(property(get = getY)) u32 y;
    __declspec(property(get = getZ)) u32 z;
    __device__ u32 getX() const { return __nvvm_read_ptx_sreg_ctaid_x(); }
    __device__ u32 getY() const { return __nvvm_read_ptx_sreg_ctaid_y(); }
    __device__ u32 getZ() const { return __nvvm_read_ptx_sreg_ctaid_z(); }
};
struct GridSize {
    __declspec(property(get = getX)) u32 x;
    __declspec(property(get = getY)) u32 y;
    __device__ u32 getX() const { return __nvvm_read_ptx_sreg_nctaid_x(); }
    __device__ u32 getY() const { return __nvvm_read_ptx_sreg_nctaid_y(); }
};
static const ThreadIndex threadIdx;
static const BlockIndex blockIdx;
static const GridSize gridDim;
#endif

#define ALIGNED(bytes) __attribute__((aligned(bytes)))
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__

const u32 AllLanes = 0xffffffff;

// Named instructions instead of the headers' functions. Compilation never contracts: where a product is fused, it says so.
DEVICE float fused(float a, float b, float c) { float d; asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c)); return d; }
DEVICE float bits_to_float(u32 bits) { float f; asm("mov.b32 %0, %1;" : "=f"(f) : "r"(bits)); return f; }
DEVICE u32 float_to_bits(float f) { u32 bits; asm("mov.b32 %0, %1;" : "=r"(bits) : "f"(f)); return bits; }
DEVICE float absolute(float x) { return bits_to_float(float_to_bits(x) & 0x7fffffff); }
DEVICE float larger(float a, float b) { float d; asm("max.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; }
DEVICE float smaller(float a, float b) { float d; asm("min.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; }
DEVICE float nearest(float x) { float d; asm("cvt.rni.f32.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }
DEVICE float root(float x) { float d; asm("sqrt.rn.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }
DEVICE float quotient(float a, float b) { float d; asm("div.rn.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; }
DEVICE bool is_finite(float x) { return (float_to_bits(x) & 0x7f800000) != 0x7f800000; }
DEVICE bool is_nan(float x) { return x != x; }

// Four floats that are loaded and stored at once.
struct ALIGNED(16) Quad { float x, y, z, w; };

DEVICE int least(int a, int b) { return a < b ? a : b; }
DEVICE int most(int a, int b) { return a > b ? a : b; }

// The value of another lane of the warp: that of lane ^ mask.
DEVICE float from_lane_xor(float x, int mask)
{
    float d;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(d) : "f"(x), "r"(mask));
    return d;
}

DEVICE int from_lane_xor(int x, int mask)
{
    int d;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(d) : "r"(x), "r"(mask));
    return d;
}

DEVICE float warp_sum(float x)
{
    for (int mask = 16; mask > 0; mask >>= 1) x = x + from_lane_xor(x, mask);
    return x;
}

DEVICE float warp_max(float x)
{
    for (int mask = 16; mask > 0; mask >>= 1) x = larger(x, from_lane_xor(x, mask));
    return x;
}
