// The rotation of a head's channel pairs by the angles of a position.
#pragma once
#include "copy.cuh"

enum Pairing { Half, Adjacent };

// A position's row of the tables; below 0 nothing is rotated.
struct Angles
{
    const View &cos, &sin;
    int position, pairing;
};

// Pair i of a row, counted through its heads, from tensor to tensor.
DEVICE void rotate_pair(const View& from, i64 from_row, const View& to, i64 to_row, int i, const Angles& angles)
{
    int pairs = angles.cos.columns, head = i / pairs, pair = i - head * pairs;
    int first = head * 2 * pairs + (angles.pairing == Half ? pair : 2 * pair), second = first + (angles.pairing == Half ? pairs : 1);
    if (angles.position < 0)
    {
        copy_element(from, at(from, from_row, first), to, at(to, to_row, first));
        copy_element(from, at(from, from_row, second), to, at(to, to_row, second));
        return;
    }
    float u = load(from, at(from, from_row, first)), v = load(from, at(from, from_row, second));
    float cos = load(angles.cos, at(angles.cos, angles.position, pair)), sin = load(angles.sin, at(angles.sin, angles.position, pair));
    store(to, at(to, to_row, first), u * cos - v * sin);
    store(to, at(to, to_row, second), v * cos + u * sin);
}
