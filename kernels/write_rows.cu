// WriteRows: rows into a state, each to the row that a list says, converted to the state's type; −1 leaves a row out.
#include "common/copy.cuh"

struct WriteRowsArguments
{
    Run run;
    View x, rows, state;
    Share share;
};

KERNEL(256) write_rows(const WriteRowsArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.x), a.x.columns);
    if (own.column >= own.end) return;
    int row = ((const int*)a.rows.data)[own.row];
    if (row >= 0) copy_own(a.x, own.row, a.state, row, own);
}
