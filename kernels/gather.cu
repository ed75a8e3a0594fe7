// Gather: rows of a table by index, of one table or each of its own; a negative index gives zeros.
#include "common/copy.cuh"

struct GatherArguments
{
    Run run;
    View table, index, y;
    Share share;
    // Rows of a table, where each index has its own; else 0.
    int own_rows;
};

KERNEL(256) gather(const GatherArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.y), a.y.columns);
    if (own.column >= own.end) return;
    int index = ((const int*)a.index.data)[own.row];
    if (index < 0) clear_own(a.y, own.row, own);
    else copy_own(a.table, (i64)own.row * a.own_rows + index, a.y, own.row, own);
}
