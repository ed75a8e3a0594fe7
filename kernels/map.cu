// Map: y = f(x)·scale + shift, element by element.
#include "common/tensor.cuh"
#include "common/math.cuh"

struct MapArguments
{
    Run run;
    View x, y;
    int function;
    float scale, shift;
};

KERNEL(256) map(const MapArguments a)
{
    if (is_stopped(a.run)) return;
    i64 i = (i64)blockIdx.x * 256 + threadIdx.x;
    int columns = columns_of(a.run, a.x);
    if (i >= (i64)rows_of(a.run, a.x) * columns) return;
    i64 row = i / columns;
    int column = (int)(i - row * columns);
    float x = load(a.x, at(a.x, row, column));
    store(a.y, at(a.y, row, column), fused(activate(x, a.function), a.scale, a.shift));
}
