// Four numbers of shared memory at once.
#pragma once
#include "quads.cuh"
#include "tensor_core.cuh"

// Spelled out: plain loads NVRTC splits into four where it sees fit, which meet in the same banks, and one of sixteen rows' in two or not by
// where its own objects lie in memory, so that no two builds gave the same code.
DEVICE Quad shared_quad(u32 from)
{
    Quad q;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(q.x), "=f"(q.y), "=f"(q.z), "=f"(q.w) : "r"(from) : "memory");
    return q;
}

DEVICE Quad shared_quad(const float* from) { return shared_quad(shared_address(from)); }
