// LinearRotary: products whose first columns are heads that are rotated, and where its columns go.
#pragma once
#include "rotation.cuh"

struct RotaryArguments
{
    Run run;
    // Columns of the product go to y, then to keys, then to values; what goes to the latter two to the rows that are listed.
    View x, weight, cos, sin, positions, rows, y, keys, values;
    const float* bias;
    int rotated, pairing;
};

// Where a thread's quad of the product's columns goes.
struct QuadPlace
{
    View to;
    int column;
    bool is_listed;

    DEVICE_MEMBER QuadPlace(const RotaryArguments& a, int from) : to(a.y), column(from), is_listed(from >= a.y.columns)
    {
        if (!is_listed) return;
        column -= a.y.columns;
        to = column < a.keys.columns ? a.keys : a.values;
        if (column >= a.keys.columns) column -= a.keys.columns;
    }
};
