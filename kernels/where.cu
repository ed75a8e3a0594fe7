// Where: a row of a where its condition is above 0, else of b, whose rows repeat; NaN where the condition is.
#include "common/copy.cuh"

struct WhereArguments
{
    Run run;
    // F32 but for y.
    View condition, a, b, y;
    Share share;
};

KERNEL(256) where(const WhereArguments p)
{
    if (is_stopped(p.run)) return;
    OwnElements own = own_elements(p.share, rows_of(p.run, p.a), p.y.columns);
    if (own.column >= own.end) return;
    float condition = load(p.condition, own.row);
    const float* a = (const float*)p.a.data + at(p.a, own.row, 0);
    const float* b = (const float*)p.b.data + at(p.b, own.row % rows_of(p.run, p.b), 0);
    const float* chosen = condition > 0 ? a : b;
    for (int c = own.column; c < own.end; c += own.step)
        store(p.y, at(p.y, own.row, c), is_nan(condition) ? condition : chosen[c]);
}
