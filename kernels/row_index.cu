// Looks at indices before anything is written by them.
#include "common/team.cuh"

struct RowIndexArguments
{
    Run run;
    View index, table;
    int lowest, site;
};

struct Least { DEVICE_MEMBER int operator()(int a, int b) const { return least(a, b); } };

// Reports the first index outside of lowest … rows of the table − 1. One block.
KERNEL(256) check_row_index(const RowIndexArguments a)
{
    if (is_stopped(a.run)) return;
    const int* index = (const int*)a.index.data;
    int count = columns_of(a.run, a.index), rows = rows_of(a.run, a.table), wrong = count;
    for (int i = threadIdx.x; i < count; i += Block)
        if (index[i] < a.lowest || index[i] >= rows) wrong = least(wrong, i);
    wrong = team_reduce<Block>(wrong, Least());
    if (threadIdx.x == 0 && wrong < count) report(a.run, a.site, 1, index[wrong], wrong, rows);
}
