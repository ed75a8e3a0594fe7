// Map: y = f(x)·scale + shift, element by element.
#include "common/elements.cuh"
#include "common/math.cuh"

struct MapArguments
{
    Run run;
    View x, y;
    Share share;
    int function;
    float scale, shift;
};

KERNEL(256) map(const MapArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.x), columns_of(a.run, a.x));
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step)
    {
        float x = load(a.x, at(a.x, own.row, c));
        store(a.y, at(a.y, own.row, c), fused(activate(x, a.function), a.scale, a.shift));
    }
}
