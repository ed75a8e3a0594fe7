// RotaryAppend: new tokens' queries are rotated, their rotated keys and their values written into states, in one launch. A thread has a
// pair of channels of a query or a key, or an element of a value.
#include "common/rotation.cuh"

struct RotaryAppendArguments
{
    Run run;
    View q, k, v, cos, sin, positions, rows, y, keys, values;
    Share share;
    int pairing;
};

KERNEL(256) rotary_append(const RotaryAppendArguments a)
{
    if (is_stopped(a.run)) return;
    int of_q = a.q.columns / 2, of_k = a.k.columns / 2;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.q), of_q + of_k + a.v.columns);
    if (own.column >= own.end) return;
    int to = ((const int*)a.rows.data)[own.row];
    Angles angles = {a.cos, a.sin, ((const int*)a.positions.data)[own.row], a.pairing};
    for (int i = own.column; i < own.end; i += own.step)
    {
        if (i < of_q) rotate_pair(a.q, own.row, a.y, own.row, i, angles);
        else if (to < 0) return;
        else if (i < of_q + of_k) rotate_pair(a.k, own.row, a.keys, to, i - of_q, angles);
        else copy_element(a.v, at(a.v, own.row, i - of_q - of_k), a.values, at(a.values, to, i - of_q - of_k));
    }
}
