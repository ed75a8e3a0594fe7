// Rows of operands for tensor_product.cuh.
#pragma once
#include "matrix_rows.cuh"
#include "tensor_core.cuh"

// Rows first … of a bf16 matrix that ends before row end, fetched asynchronously: rows begin at multiples of 16 bytes, and the depth is
// one of chunks.
struct AsyncRows
{
    const u16* data;
    int stride, rows, depth;

    DEVICE_MEMBER AsyncRows(const View& v, int first, int end)
        : data((const u16*)v.data + at(v, first, 0)), stride(v.row_stride), rows(end - first), depth(v.columns) {}

    DEVICE_MEMBER void fetch(u32 to, int row, int k) const
    {
        // A tile's rows are few: 32 bits hold the distance.
        copy_async(to, data + (row * stride + k), row < rows && k < depth ? 16 : 0);
    }
};

// Numbers k … of a row, of which there are so many in all, one by one, as bf16; zeros behind them.
template <class Row> DEVICE void gather(u32 to, const Row& row, int k, int depth)
{
#pragma unroll 1
    for (int i = 0; i < ChunkSize; i++) store_shared(to + i * (u32)sizeof(u16), round_bf16(k + i < depth ? row(k + i) : 0));
}

// The same rows wherever they begin and whatever their depth.
struct GatheredRows
{
    MatrixRows rows;

    DEVICE_MEMBER GatheredRows(const View& v, int first, int end) : rows{v, end, first} {}

    DEVICE_MEMBER void fetch(u32 to, int row, int k) const { gather(to, rows.row(row), k, rows.matrix.columns); }
};
