// WindowAttention on the tensor cores, for bfloat16, the head width of SAM 2.1 and windows that fill the map.
#include "common/tensor_attention.cuh"
#include "common/window_attention.cuh"

struct ALIGNED(16) Eight { u32 pairs[4]; };

// Spelled out, or NVRTC makes four loads of it.
DEVICE Eight load_eight(const u16* from)
{
    Eight e;
    asm("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(e.pairs[0]), "=r"(e.pairs[1]), "=r"(e.pairs[2]), "=r"(e.pairs[3]) : "l"(from));
    return e;
}

DEVICE u32 larger_pair(u32 a, u32 b)
{
    return pack_bf16(larger_or_nan(bits_to_float(a << 16), bits_to_float(b << 16)),
        larger_or_nan(bits_to_float(a & 0xffff0000), bits_to_float(b & 0xffff0000)));
}

DEVICE Eight larger_of(const Eight& a, const Eight& b)
{
    return {larger_pair(a.pairs[0], b.pairs[0]), larger_pair(a.pairs[1], b.pairs[1]), larger_pair(a.pairs[2], b.pairs[2]),
        larger_pair(a.pairs[3], b.pairs[3])};
}

// A block has Rows queries of a window and a head.
template <class Shape> DEVICE void window_attention(const WindowAttentionArguments& a)
{
    const int Rows = Shape::Rows, Dim = Shape::HeadDim;
    extern __shared__ ALIGNED(16) u8 shared[];
    if (is_stopped(a.run)) return;
    int by = a.pool ? 2 : 1, side = a.window / by, blocks = (side * side + Rows - 1) / Rows;
    int first = blockIdx.x % blocks * Rows, head = blockIdx.y, rows = least(Rows, side * side - first);
    Window window(a, blockIdx.x / blocks, by);
    i64 stride = a.qkv.row_stride;
    const u16 *q = (const u16*)a.qkv.data + head * Dim, *k = q + a.heads * Dim, *v = k + a.heads * Dim;
    bool is_raster = a.order_bits == 0;
    // In Z-order queries and results are taken as they lie, keys line by line as in a raster map: a sum keeps its order.
    auto token = [&](int i)
    {
        return (i64)(window.first + (is_raster ? i / a.window * a.width + i % a.window : z_row_of(i, a.order_bits)));
    };
    auto query = [&](int i)
    {
        int n = first + i;
        return q + (i64)(window.first + (is_raster ? (n / side * a.width + n % side) * by : n * by * by)) * stride;
    };
    auto copy_queries = [&](u32 to)
    {
        if (!a.pool)
        {
            copy_rows<Shape::Threads, Rows, Dim, Shape::KeyPitch>(to, a.qkv.data, [&](int i) { return i < rows ? query(i) : 0; });
            return;
        }
#pragma unroll 1
        for (int i = threadIdx.x; i < Rows * (Dim / 8); i += Shape::Threads)
        {
            int row = i / (Dim / 8), part = i % (Dim / 8);
            Eight largest = {0, 0, 0, 0};
            if (row < rows)
            {
                // Four rows in Z-order, two and two in a raster map.
                const u16 *upper = query(row) + part * 8, *lower = upper + (is_raster ? a.width : 2) * stride;
                largest = larger_of(larger_of(load_eight(upper), load_eight(upper + stride)),
                    larger_of(load_eight(lower), load_eight(lower + stride)));
            }
            *(Eight*)(shared + row * Shape::KeyPitch + part * 16) = largest;
        }
    };
    auto key = [&](int i) { return k + token(i) * stride; };
    auto value = [&](int i) { return v + token(i) * stride; };
    AttentionSums<Shape> sums;
    int keys = a.window * a.window;
    attend<Shape>(sums, shared_address(shared), {0, keys, keys}, a.scale, a.qkv.data, copy_queries, key, value);
    store_results<Shape>(sums, (float*)shared, a.y, rows, head * Dim, [&](int i)
    {
        int n = first + i;
        return (i64)(window.first_result + (is_raster ? n / side * (a.width / by) + n % side : n));
    });
}

// By query rows of a block and keys that are in shared memory at once: windows of up to 16 queries are a warp's.
// Key width, value width, row tiles, keys, stages, whether queries stay in registers, warps.
KERNEL(32) window_attention_72_rows16_keys16(const WindowAttentionArguments a)
{
    window_attention<AttentionShape<72, 72, 1, 16, 1, true, 1>>(a);
}

KERNEL(32) window_attention_72_rows16_keys64(const WindowAttentionArguments a)
{
    window_attention<AttentionShape<72, 72, 1, 64, 1, true, 1>>(a);
}

KERNEL(128) window_attention_72_rows64_keys64(const WindowAttentionArguments a)
{
    window_attention<AttentionShape<72, 72, 1, 64, 2, true, 4>>(a);
}

KERNEL(128) window_attention_72_rows128_keys64(const WindowAttentionArguments a)
{
    window_attention<AttentionShape<72, 72, 2, 64, 2, false, 4>>(a);
}
