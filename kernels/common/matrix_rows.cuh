// Operands of products by rows: row(r) is a functor that gives a row's numbers.
#pragma once
#include "tensor.cuh"

// A row of a matrix; zeros where there is none.
struct MatrixRow
{
    View matrix;
    i64 start;
    bool is_there;
    // Where number k is; −1 for a zero.
    DEVICE_MEMBER i64 place(int k) const { return is_there ? start + k : -1; }
    DEVICE_MEMBER float operator()(int k) const { return is_there ? load(matrix, start + k) : 0; }
};

// Rows first … of a matrix that ends before row end.
struct MatrixRows
{
    View matrix;
    int end, first;
    DEVICE_MEMBER const View& source() const { return matrix; }
    DEVICE_MEMBER MatrixRow row(int r) const { return {matrix, at(matrix, first + r, 0), first + r < end}; }
};
