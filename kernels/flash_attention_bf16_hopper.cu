// FlashAttention for bfloat16 on cards of compute capability 9.0: by warpgroups, with the bits of flash_attention_bf16.cu.
#include "common/warpgroup_attention.cuh"

typedef HopperAttention<64, 3, 2, false> Heads64;
typedef HopperAttention<256, 3, 1, true> Memory;

extern "C" __global__ void __launch_bounds__(Heads64::Threads, Heads64::Resident)
    flash_attention_bf16_hopper_64(const __grid_constant__ MappedAttention a)
{
    warpgroup_attention<Heads64>(a);
}

extern "C" __global__ void __launch_bounds__(Memory::Threads, Memory::Resident)
    flash_attention_bf16_hopper_256_64(const __grid_constant__ MappedAttention a)
{
    warpgroup_attention<Memory>(a);
}
