// Reorder: a map's rows from raster order into Z-order, or back.
#include "common/elements.cuh"
#include "common/z_order.cuh"

struct ReorderArguments
{
    Run run;
    View x, y;
    // Rows are copied by units of 16, 4 or 2 bytes; share is of them.
    Share share;
    int unit, units, to_z_order;
    ZOrder order;
};

struct ALIGNED(16) Units { u32 words[4]; };

template <class T> DEVICE void copy_row(const ReorderArguments& a, i64 from, const OwnElements& own)
{
    const T* x = (const T*)a.x.data + from * a.units;
    T* y = (T*)a.y.data + (i64)own.row * a.units;
#pragma unroll 1
    for (int i = own.column; i < own.end; i += own.step) y[i] = x[i];
}

KERNEL(256) reorder(const ReorderArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, a.y.rows, a.units);
    if (own.column >= own.end) return;
    Pixel in_z = a.order.pixel(own.row);
    int from = a.to_z_order ? in_z.y * a.order.width + in_z.x : a.order.row(own.row / a.order.width, own.row % a.order.width);
    if (a.unit == 16) copy_row<Units>(a, from, own);
    else if (a.unit == 4) copy_row<u32>(a, from, own);
    else copy_row<u16>(a, from, own);
}
