// Copy: rows into storage of their own, converted to its type.
#include "common/copy.cuh"

struct CopyArguments
{
    Run run;
    View x, y;
    Share share;
};

KERNEL(256) copy(const CopyArguments a)
{
    if (is_stopped(a.run)) return;
    OwnElements own = own_elements(a.share, rows_of(a.run, a.x), columns_of(a.run, a.x));
    copy_own(a.x, own.row, a.y, own.row, own);
}
