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
    i64 u_from = at(from, from_row, first), v_from = u_from + second - first, u_to = at(to, to_row, first), v_to = u_to + second - first;
    if (angles.position < 0)
    {
        copy_element(from, u_from, to, u_to);
        copy_element(from, v_from, to, v_to);
        return;
    }
    i64 at_cos = at(angles.cos, angles.position, pair), at_sin = at(angles.sin, angles.position, pair);
    float u = load(from, u_from), v = load(from, v_from), cos = load(angles.cos, at_cos), sin = load(angles.sin, at_sin);
    store(to, u_to, u * cos - v * sin);
    store(to, v_to, v * cos + u * sin);
}
