// Combine: two tensors element by element; row r of a meets row r mod (rows of b).
#include "common/tensor.cuh"
#include "common/math.cuh"

enum Combination { Add, Multiply, SwiGlu };

struct CombineArguments
{
    Run run;
    View a, b, y;
    int function;
};

KERNEL(256) combine(const CombineArguments p)
{
    if (is_stopped(p.run)) return;
    i64 i = (i64)blockIdx.x * 256 + threadIdx.x;
    int columns = columns_of(p.run, p.a), repeat = rows_of(p.run, p.b);
    if (i >= (i64)rows_of(p.run, p.a) * columns) return;
    i64 row = i / columns;
    int column = (int)(i - row * columns);
    float a = load(p.a, at(p.a, row, column)), b = load(p.b, at(p.b, row % repeat, column));
    float y = p.function == Add ? a + b : p.function == Multiply ? a * b : silu(a) * b;
    store(p.y, at(p.y, row, column), y);
}
