// FlashAttention for bfloat16 on cards of compute capability 9.0: by warpgroups, with the bits of flash_attention_bf16.cu.
#include "common/warpgroup_attention.cuh"

// Key width, value width, keys of a block, stages, blocks of a multiprocessor, whether products and weights overlap.
typedef HopperAttention<64, 64, 64, 3, 2, false> Heads64;
typedef HopperAttention<128, 128, 64, 3, 1, true> Heads128;
typedef HopperAttention<256, 64, 64, 3, 1, true> Memory;

#define ATTENTION(shape) extern "C" __global__ void __launch_bounds__(shape::Threads, shape::Resident)

ATTENTION(Heads64) flash_attention_bf16_hopper_64(const __grid_constant__ MappedAttention a) { warpgroup_attention<Heads64>(a); }
ATTENTION(Heads128) flash_attention_bf16_hopper_128(const __grid_constant__ MappedAttention a) { warpgroup_attention<Heads128>(a); }
ATTENTION(Memory) flash_attention_bf16_hopper_256_64(const __grid_constant__ MappedAttention a) { warpgroup_attention<Memory>(a); }
