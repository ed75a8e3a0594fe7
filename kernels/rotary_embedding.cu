// RotaryEmbedding: rotates the channel pairs of each head by the angles of a table row. A thread has pairs.
#include "common/rotation.cuh"

struct RotaryEmbeddingArguments
{
    Run run;
    View x, cos, sin, positions, y;
    Share share;
    int heads, pairing;
};

KERNEL(256) rotary_embedding(const RotaryEmbeddingArguments a)
{
    if (is_stopped(a.run)) return;
    int pairs = a.cos.columns;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.x), a.heads * pairs);
    if (own.column >= own.end) return;
    int position = a.positions.data ? ((const int*)a.positions.data)[own.row] : own.row % rows_of(a.run, a.cos);
#pragma unroll 1
    for (int i = own.column; i < own.end; i += own.step)
        rotate_pair(a.x, own.row, a.y, own.row, i, Angles{a.cos, a.sin, position, a.pairing});
}
