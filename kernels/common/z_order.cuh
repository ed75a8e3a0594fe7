// Maps whose pixels lie in Morton order within squares of a power of two, which follow each other line by line: Core's ZOrder.
#pragma once
#include "device.cuh"

// Zeros between the bits of a number below 2^16, and without them.
DEVICE int spread_bits(int bits)
{
    bits = (bits | bits << 8) & 0x00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f;
    bits = (bits | bits << 2) & 0x33333333;
    return (bits | bits << 1) & 0x55555555;
}

DEVICE int gather_bits(int bits)
{
    bits &= 0x55555555;
    bits = (bits | bits >> 1) & 0x33333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff;
    return (bits | bits >> 8) & 0x0000ffff;
}

// Where a square has a pixel.
DEVICE int z_row(int y, int x) { return spread_bits(x) | spread_bits(y) << 1; }

// Where a square of 2^side_bits pixels, at most 256, has the one that is number i line by line.
DEVICE int z_row_of(int i, int side_bits)
{
    int pair = (i & ((1 << side_bits) - 1)) | i >> side_bits << 16;
    pair = (pair | pair << 4) & 0x0f0f0f0f;
    pair = (pair | pair << 2) & 0x33333333;
    pair = (pair | pair << 1) & 0x55555555;
    return (pair | (u32)pair >> 15) & 0xffff;
}

struct Pixel { int y, x; };

// Squares of 2^side_bits pixels in a map of so many columns.
struct ZOrder
{
    int width, side_bits;

    DEVICE_MEMBER int row(int y, int x) const
    {
        int mask = (1 << side_bits) - 1;
        int square = (y >> side_bits) * (width >> side_bits) + (x >> side_bits);
        return square << 2 * side_bits | z_row(y & mask, x & mask);
    }

    DEVICE_MEMBER Pixel pixel(int row) const
    {
        int across = width >> side_bits, square = row >> 2 * side_bits, line = square / across, inside = row - (square << 2 * side_bits);
        return {(line << side_bits) + gather_bits(inside >> 1), ((square - line * across) << side_bits) + gather_bits(inside)};
    }
};
