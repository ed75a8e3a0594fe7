// FlashAttention for bfloat16 on cards of compute capability 9.0: by warpgroups, with the bits of flash_attention_bf16.cu.
#include "common/warpgroup_attention.cuh"

// Key width, value width, keys of a block, stages, blocks of a multiprocessor, whether products and weights overlap.
typedef HopperAttention<64, 64, 64, 3, 2, false> Heads64;
typedef HopperAttention<72, 72, 64, 4, 1, true> Heads72;
typedef HopperAttention<80, 80, 64, 4, 1, true> Heads80;
typedef HopperAttention<128, 128, 64, 3, 1, true> Heads128;
typedef HopperAttention<256, 256, 32, 4, 1, true> Heads256;
typedef HopperAttention<256, 64, 64, 3, 1, true> Memory;

extern "C" __global__ void __launch_bounds__(Heads64::Threads, Heads64::Resident)
    flash_attention_bf16_hopper_64(const __grid_constant__ MappedAttention a)
{
    warpgroup_attention<Heads64>(a);
}

extern "C" __global__ void __launch_bounds__(Heads72::Threads, Heads72::Resident)
    flash_attention_bf16_hopper_72(const __grid_constant__ MappedNarrowAttention a)
{
    warpgroup_attention<Heads72>(a);
}

extern "C" __global__ void __launch_bounds__(Heads80::Threads, Heads80::Resident)
    flash_attention_bf16_hopper_80(const __grid_constant__ MappedNarrowAttention a)
{
    warpgroup_attention<Heads80>(a);
}

extern "C" __global__ void __launch_bounds__(Heads128::Threads, Heads128::Resident)
    flash_attention_bf16_hopper_128(const __grid_constant__ MappedAttention a)
{
    warpgroup_attention<Heads128>(a);
}

extern "C" __global__ void __launch_bounds__(Heads256::Threads, Heads256::Resident)
    flash_attention_bf16_hopper_256(const __grid_constant__ MappedAttention a)
{
    warpgroup_attention<Heads256>(a);
}

extern "C" __global__ void __launch_bounds__(Memory::Threads, Memory::Resident)
    flash_attention_bf16_hopper_256_64(const __grid_constant__ MappedAttention a)
{
    warpgroup_attention<Memory>(a);
}
