// FlashAttention for bfloat16 on cards of compute capability 9.0: by warpgroups, with the bits of flash_attention_bf16.cu.
#include "common/warpgroup_attention.cuh"

// Key width, value width, keys of a block, stages, blocks of a multiprocessor, whether products and weights overlap.
typedef HopperAttention<64, 64, 64, 3, 2, false> Heads64;
typedef HopperAttention<72, 72, 64, 4, 1, true> Heads72;
typedef HopperAttention<80, 80, 64, 4, 1, true> Heads80;
typedef HopperAttention<128, 128, 64, 3, 1, true> Heads128;
typedef HopperAttention<256, 256, 32, 4, 1, true> Heads256;
typedef HopperAttention<256, 64, 64, 3, 1, true> Memory;
typedef const MappedAttention<WideMaps> Wide;
typedef const MappedAttention<NarrowMaps> Narrow;

#define ATTENTION(shape) extern "C" __global__ void __launch_bounds__(shape::Threads, shape::Resident)

ATTENTION(Heads64) flash_attention_bf16_hopper_64(const __grid_constant__ Wide a) { warpgroup_attention<Heads64>(a); }
ATTENTION(Heads72) flash_attention_bf16_hopper_72(const __grid_constant__ Narrow a) { warpgroup_attention<Heads72>(a); }
ATTENTION(Heads80) flash_attention_bf16_hopper_80(const __grid_constant__ Narrow a) { warpgroup_attention<Heads80>(a); }
ATTENTION(Heads128) flash_attention_bf16_hopper_128(const __grid_constant__ Wide a) { warpgroup_attention<Heads128>(a); }
ATTENTION(Heads256) flash_attention_bf16_hopper_256(const __grid_constant__ Wide a) { warpgroup_attention<Heads256>(a); }
ATTENTION(Memory) flash_attention_bf16_hopper_256_64(const __grid_constant__ Wide a) { warpgroup_attention<Memory>(a); }
