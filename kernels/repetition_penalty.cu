// RepetitionPenalty: logits of tokens whose bit is set, divided by the row's penalty above 0 and multiplied with it below.
#include "common/elements.cuh"

struct RepetitionPenaltyArguments
{
    Run run;
    View x, held, penalties, y;
    Share share;
};

KERNEL(256) repetition_penalty(const RepetitionPenaltyArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.y), a.y.columns);
    if (own.column >= own.end) return;
    float penalty = bits_to_float(((const u32*)a.penalties.data)[own.row]);
    bool applies = penalty > 0 && is_finite(penalty);
    for (int c = own.column; c < own.end; c += own.step)
    {
        float x = load(a.x, at(a.x, own.row, c));
        if (applies && (((const u32*)a.held.data)[at(a.held, own.row, c / 32)] >> c % 32 & 1))
            x = x < 0 ? x * penalty : quotient(x, penalty);
        store(a.y, at(a.y, own.row, c), x);
    }
}
