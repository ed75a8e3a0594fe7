// What a queue copies from one buffer to another: bytes as they are, unless a check of an earlier run failed.
#include "common/tensor.cuh"

struct CopyBytesArguments
{
    Run run;
    const u8* from;
    u8* to;
    i64 bytes;
};

const int Each = 16;

// A thread moves 16 bytes, at once where both ends are aligned to them.
KERNEL(256) copy_bytes(const CopyBytesArguments a)
{
    if (is_stopped(a.run)) return;
    i64 first = ((i64)blockIdx.x * 256 + threadIdx.x) * Each;
    if (first >= a.bytes) return;
    bool is_aligned = (((u64)a.from | (u64)a.to) & (Each - 1)) == 0;
    if (is_aligned && first + Each <= a.bytes)
    {
        *(Quad*)(a.to + first) = *(const Quad*)(a.from + first);
        return;
    }
    i64 end = first + Each < a.bytes ? first + Each : a.bytes;
#pragma unroll 1
    for (i64 i = first; i < end; i++) a.to[i] = a.from[i];
}
