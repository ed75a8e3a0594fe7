// Repeat: rows over and over.
#include "common/copy.cuh"

struct RepeatArguments
{
    Run run;
    View x, y;
    Share share;
};

KERNEL(256) repeat(const RepeatArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.y), a.y.columns);
    copy_own(a.x, own.row % a.x.rows, a.y, own.row, own);
}
