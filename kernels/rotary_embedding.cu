// RotaryEmbedding: rotates the channel pairs of each head by the angles of a table row. A thread has pairs.
#include "common/copy.cuh"

enum Pairing { Half, Adjacent };

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
    for (int i = own.column; i < own.end; i += own.step)
    {
        int head = i / pairs, pair = i - head * pairs;
        int first = head * 2 * pairs + (a.pairing == Half ? pair : 2 * pair), second = first + (a.pairing == Half ? pairs : 1);
        if (position < 0)
        {
            copy_element(a.x, at(a.x, own.row, first), a.y, at(a.y, own.row, first));
            copy_element(a.x, at(a.x, own.row, second), a.y, at(a.y, own.row, second));
            continue;
        }
        float u = load(a.x, at(a.x, own.row, first)), v = load(a.x, at(a.x, own.row, second));
        float cos = load(a.cos, at(a.cos, position, pair)), sin = load(a.sin, at(a.sin, position, pair));
        store(a.y, at(a.y, own.row, first), u * cos - v * sin);
        store(a.y, at(a.y, own.row, second), v * cos + u * sin);
    }
}
