// Embedding: token rows of a stored table, or of the overriding rows where the id is negative; without these a negative id gives NaN.
#include "common/copy.cuh"
#include "common/team.cuh"

struct EmbeddingArguments
{
    Run run;
    View table, ids, overrides, y;
    Share share;
    int site;
};

enum { OutsideVocabulary = 1, OutsideOverrides = 2 };

struct Least { DEVICE_MEMBER int operator()(int a, int b) const { return least(a, b); } };

// Reports the first id that neither the table nor the overriding rows have. One block.
KERNEL(256) check_embedding(const EmbeddingArguments a)
{
    if (is_stopped(a.run)) return;
    const int* ids = (const int*)a.ids.data;
    int count = columns_of(a.run, a.ids), known = a.table.rows, given = rows_of(a.run, a.overrides), wrong = count;
    for (int i = threadIdx.x; i < count; i += Block)
        if (ids[i] >= known || (a.overrides.data && ids[i] < 0 && -1 - ids[i] >= given)) wrong = least(wrong, i);
    wrong = team_reduce<Block>(wrong, Least());
    if (threadIdx.x > 0 || wrong == count) return;
    int id = ids[wrong];
    report(a.run, a.site, id < 0 ? OutsideOverrides : OutsideVocabulary, id, wrong, id < 0 ? given : known);
}

KERNEL(256) embedding(const EmbeddingArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.y), a.y.columns);
    if (own.column >= own.end) return;
    int id = ((const int*)a.ids.data)[own.row];
    if (id >= 0) copy_own(a.table, id, a.y, own.row, own);
    else if (a.overrides.data) copy_own(a.overrides, -1 - id, a.y, own.row, own);
    else
    {
        // An id that says "not finite" was fed back.
#pragma unroll 1
        for (int c = own.column; c < own.end; c += own.step) store(a.y, at(a.y, own.row, c), bits_to_float(0xffc00000));
    }
}
