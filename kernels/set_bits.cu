// SetBits: rows of bits, 32 to an integer, with the bit set in each that a list names; a negative or too large index sets none.
#include "common/elements.cuh"

struct SetBitsArguments
{
    Run run;
    View bits, index, y;
    Share share;
};

KERNEL(256) set_bits(const SetBitsArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.y), a.y.columns);
    if (own.column >= own.end) return;
    int index = ((const int*)a.index.data)[own.row];
    for (int c = own.column; c < own.end; c += own.step)
    {
        u32 word = ((const u32*)a.bits.data)[at(a.bits, own.row, c)];
        if (index >= 0 && index / 32 == c) word |= 1u << index % 32;
        ((u32*)a.y.data)[at(a.y, own.row, c)] = word;
    }
}
