// What came with compute capability 9.0, for kernels of target sm_90a alone (files named *_hopper.cu): barriers that count bytes, copies of
// boxes of a matrix, products of a warpgroup that read their factors in shared memory.
#pragma once
#include "tensor_core.cuh"

#if defined(__clang__) && !__has_attribute(grid_constant)
#error "Tensor maps among the parameters take clang 20 or newer: older ones copy them to local memory."
#endif

// Registers move between the warps of a block: that takes a kernel of which one block fits a multiprocessor.
#define WARPGROUP_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)

const int WarpgroupThreads = 128;

// A matrix as copies of boxes see it (CUtensorMap), encoded by the driver.
struct ALIGNED(64) TensorMap { u64 encoded[16]; };

// What kernels of boxes are given: both factors as boxes, behind them what the same kernel of sm_80 is given. Copies take a map by its
// address among the parameters, so it may not be a copy: const __grid_constant__.
template <class Arguments> struct Mapped
{
    TensorMap x, weight;
    Arguments rest;
};

DEVICE void make_barrier(u32 barrier, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// Barriers made before may be used by copies.
DEVICE void fence_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

DEVICE void arrive(u32 barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory"); }

// Arrives, and so many bytes besides belong to the phase.
DEVICE void arrive_expecting(u32 barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

DEVICE bool is_phase_over(u32 barrier, u32 parity)
{
    u32 is_over;
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
        : "=r"(is_over) : "r"(barrier), "r"(parity) : "memory");
    return is_over != 0;
}

// Waits for the end of a phase: the first, the third … have parity 0. Of a barrier in its first phase, parity 1 is over.
DEVICE void wait_phase(u32 barrier, u32 parity)
{
    while (!is_phase_over(barrier, parity)) {}
}

DEVICE void prefetch_map(const TensorMap& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }

// A box that begins at a column and a row comes to shared memory, zeros where the matrix has ended, and tells the barrier its bytes.
DEVICE void copy_box(u32 to, const TensorMap& map, int column, int row, u32 barrier)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
        ::"r"(to), "l"(&map), "r"(column), "r"(row), "r"(barrier) : "memory");
}

// The same of a box of one of the heads that a row consists of: its first column in the head.
DEVICE void copy_box(u32 to, const TensorMap& map, int column, int head, int row, u32 barrier)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];"
        ::"r"(to), "l"(&map), "r"(column), "r"(head), "r"(row), "r"(barrier) : "memory");
}

// Registers of a thread from here on, for all threads of a warpgroup.
template <int Registers> DEVICE void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers)); }
template <int Registers> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers)); }

// The value of the warp's first lane, which the compiler then knows to be the same for all.
DEVICE int of_first_lane(int x)
{
    int d;
    asm volatile("shfl.sync.idx.b32 %0, %1, 0, 0x1f, 0xffffffff;" : "=r"(d) : "r"(x));
    return d;
}

DEVICE void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

// What this thread has stored in shared memory before may be read by products.
DEVICE void fence_stores() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Where products find rows of 64 bf16 numbers in shared memory as boxes with a swizzle of 128 bytes leave them: eight rows are 1,024 bytes
// and begin at a multiple of as many. Sixteen numbers on is 32 bytes on. Where columns are multiplied, the next 64 of them are next_box on.
DEVICE u64 describe_rows(u32 address, int next_box = 16)
{
    const u64 Swizzle128 = (u64)1 << 62, EightRows = (u64)(1024 >> 4) << 32;
    return Swizzle128 | EightRows | (u64)(next_box >> 4) << 16 | (address & 0x3ffff) >> 4;
}

// The same of rows of 16 numbers, boxes with a swizzle of 32 bytes: eight rows are 256 bytes.
DEVICE u64 describe_narrow_rows(u32 address)
{
    const u64 Swizzle32 = (u64)3 << 62, EightRows = (u64)(256 >> 4) << 32, Unused = (u64)1 << 16;
    return Swizzle32 | EightRows | Unused | (address & 0x3ffff) >> 4;
}

const u64 Next16NarrowRows = 16 * 32 >> 4, Next64NarrowRows = 64 * 32 >> 4;
const u64 NextSixteen = 32 >> 4, Next16Rows = 16 * 128 >> 4, Next64Rows = 64 * 128 >> 4;

// Registers written before may be used by products.
DEVICE void fence_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Whoever computes these numbers does so before what follows, and nobody looks at them before.
template <int Count> DEVICE void hold(float (&x)[Count])
{
#pragma unroll
    for (int i = 0; i < Count; i++) asm volatile("" : "+f"(x[i]) :: "memory");
}

template <int Count> DEVICE void hold(u32 (&x)[Count])
{
#pragma unroll
    for (int i = 0; i < Count; i++) asm volatile("" : "+r"(x[i]) :: "memory");
}

// Products since the last call are a group.
DEVICE void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits until all groups but the last Pending have ended: their factors are read, their sums are there.
template <int Pending> DEVICE void wait_products() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory"); }

// sums += x·wᵀ, later: x 64×16, w (twice as many rows as there are sums)×16. Warp i of the group has rows 16·i …; of eight columns, lane l
// has sums of row l / 4, columns 2·(l % 4) and the next, then the same of row l / 4 + 8.
#define SUMS_4(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3])
#define SUMS_16(i) SUMS_4(i), SUMS_4(i + 4), SUMS_4(i + 8), SUMS_4(i + 12)
#define NAMES_0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define NAMES_16 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NAMES_32 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define NAMES_48 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define NAMES_64 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define NAMES_80 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define NAMES_96 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define NAMES_112 "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define PRODUCT(columns, names, x, w) "{ .reg .pred p; setp.eq.u32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n" columns \
    "k16.f32.bf16.bf16 {" names "}, " x ", " w ", p, 1, 1, 0, 0; }"

// The same of 32 columns, and of 64, added to the sums or in their place.
DEVICE void multiply(float (&sums)[16], u64 x, u64 w, bool adds)
{
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %18, 0; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {" NAMES_0
        "}, %16, %17, p, 1, 1, 0, 0; }" : SUMS_16(0) : "l"(x), "l"(w), "r"((int)adds) : "memory");
}

DEVICE void multiply(float (&sums)[32], u64 x, u64 w, bool adds)
{
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" NAMES_0 ", " NAMES_16
        "}, %32, %33, p, 1, 1, 0, 0; }" : SUMS_16(0), SUMS_16(16) : "l"(x), "l"(w), "r"((int)adds) : "memory");
}

// sums += x·w: x in registers, a warp's sixteen rows as in multiply_add of tensor_core.cuh, w 16 rows of as many columns, described with
// the place of the next box.
#define PRODUCT_OF_HELD(columns, names, x, w) "{ .reg .pred p; setp.eq.u32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n" columns \
    "k16.f32.bf16.bf16 {" names "}, {" x "}, " w ", p, 1, 1, 1; }"
#define HELD(x) "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3])

DEVICE void multiply_add(float (&sums)[8], const u32 (&x)[4], u64 w)
{
    asm volatile(PRODUCT_OF_HELD("16", "%0, %1, %2, %3, %4, %5, %6, %7", "%8, %9, %10, %11", "%12")
        : SUMS_4(0), SUMS_4(4) : HELD(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[32], const u32 (&x)[4], u64 w)
{
    asm volatile(PRODUCT_OF_HELD("64", NAMES_0 ", " NAMES_16, "%32, %33, %34, %35", "%36")
        : SUMS_16(0), SUMS_16(16) : HELD(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[64], const u32 (&x)[4], u64 w)
{
    asm volatile(PRODUCT_OF_HELD("128", NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_48, "%64, %65, %66, %67", "%68")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48) : HELD(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[128], const u32 (&x)[4], u64 w)
{
    asm volatile(PRODUCT_OF_HELD("256", NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_48 ", " NAMES_64 ", " NAMES_80 ", " NAMES_96 ", "
        NAMES_112, "%128, %129, %130, %131", "%132")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48), SUMS_16(64), SUMS_16(80), SUMS_16(96), SUMS_16(112)
        : HELD(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[48], u64 x, u64 w)
{
    asm volatile(PRODUCT("96", NAMES_0 ", " NAMES_16 ", " NAMES_32, "%48", "%49")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32) : "l"(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[64], u64 x, u64 w)
{
    asm volatile(PRODUCT("128", NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_48, "%64", "%65")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48) : "l"(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[72], u64 x, u64 w)
{
    asm volatile(PRODUCT("144", NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_48 ", %64, %65, %66, %67, %68, %69, %70, %71", "%72", "%73")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48), SUMS_4(64), SUMS_4(68) : "l"(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[96], u64 x, u64 w)
{
    asm volatile(PRODUCT("192", NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_48 ", " NAMES_64 ", " NAMES_80, "%96", "%97")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48), SUMS_16(64), SUMS_16(80) : "l"(x), "l"(w) : "memory");
}

DEVICE void multiply_add(float (&sums)[128], u64 x, u64 w)
{
    asm volatile(PRODUCT("256", NAMES_0 ", " NAMES_16 ", " NAMES_32 ", " NAMES_48 ", " NAMES_64 ", " NAMES_80 ", " NAMES_96 ", "
        NAMES_112, "%128", "%129")
        : SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48), SUMS_16(64), SUMS_16(80), SUMS_16(96), SUMS_16(112)
        : "l"(x), "l"(w) : "memory");
}
