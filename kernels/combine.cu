// Combine: two tensors element by element; row r of a meets row r mod (rows of b).
#include "common/elements.cuh"
#include "common/math.cuh"

enum Combination { Add, Multiply, SwiGlu };

struct CombineArguments
{
    Run run;
    View a, b, y;
    Share share;
    int function;
};

KERNEL(256) combine(const CombineArguments p)
{
    if (is_stopped(p.run)) return;
    OwnElements own = own_elements(p.share, rows_of(p.run, p.a), columns_of(p.run, p.a));
    if (own.column >= own.end) return;
    int other = own.row % rows_of(p.run, p.b);
#pragma unroll 1
    for (int c = own.column; c < own.end; c += own.step)
    {
        float a = load(p.a, at(p.a, own.row, c)), b = load(p.b, at(p.b, other, c));
        float y = p.function == Add ? a + b : p.function == Multiply ? a * b : silu(a) * b;
        store(p.y, at(p.y, own.row, c), y);
    }
}
