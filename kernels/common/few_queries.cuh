// Attention of few queries over many keys, in plain float32: a block has one query of one head. Keys go to its groups of lanes in turn,
// four at a time, and each group has an online softmax of its own; then those of a warp are put together in a tree, and those of warps in
// order. Which group has a key depends on the key's number alone. A lane has four channels of a head.
#pragma once
#include "quads.cuh"
#include "segments.cuh"
#include "online_softmax.cuh"
#include "math.cuh"

const int FewQueriesThreads = 512, FewQueriesWarps = FewQueriesThreads / 32, KeysAtOnce = 4, MostFewChannels = 32;

// A softmax over some keys: the largest score, the sum of weights, and that of weighted values in four channels.
struct PartialSoftmax
{
    float largest, total, sums[4];
};

struct FewQueriesParts
{
    float sums[FewQueriesWarps][MostFewChannels];
    float largest[FewQueriesWarps], total[FewQueriesWarps];
};

// Four neighbours of a matrix whose rows begin at whole chunks of 16 bytes, as they lie there.
struct ALIGNED(16) RawQuad { u32 x, y, z, w; };

DEVICE RawQuad read_raw(const View& v, i64 i)
{
    if (v.type == F32) return *(const RawQuad*)((const float*)v.data + i);
    Halves h = *(const Halves*)((const u16*)v.data + i);
    return {h.low, h.high, 0, 0};
}

DEVICE Quad widen(const View& v, const RawQuad& raw)
{
    if (v.type == F32) return {bits_to_float(raw.x), bits_to_float(raw.y), bits_to_float(raw.z), bits_to_float(raw.w)};
    return widen(v.type, Halves{raw.x, raw.y});
}

// Both of two softmaxes over different keys; the same whichever comes first.
DEVICE void put_together(PartialSoftmax& a, int mask)
{
    float largest = larger(a.largest, from_lane_xor(a.largest, mask)), factor = exponential(a.largest - shift_of(largest));
    a.largest = largest;
    a.total = a.total * factor;
    a.total = a.total + from_lane_xor(a.total, mask);
#pragma unroll
    for (int c = 0; c < 4; c++)
    {
        float sum = a.sums[c] * factor;
        a.sums[c] = sum + from_lane_xor(sum, mask);
    }
}

// The softmax of a query over what its group has of a segment's keys. channel: the lane's first one in rows of k and v.
template <int Lanes> DEVICE PartialSoftmax attend_to_own(const Quad& query, const View& k, const View& v, const Segment& segment,
    int channel)
{
    const int Groups = FewQueriesThreads / Lanes;
    PartialSoftmax own = {minus_infinity(), 0, {}};
    // All lanes of a warp go on until the last one has no key, as they ask each other.
    int group = threadIdx.x / Lanes, first_of_warp = threadIdx.x / 32 * (32 / Lanes);
#pragma unroll 1
    for (int first = 0; first + first_of_warp < segment.keys; first += Groups * KeysAtOnce)
    {
        RawQuad keys[KeysAtOnce], values[KeysAtOnce];
#pragma unroll
        for (int j = 0; j < KeysAtOnce; j++)
        {
            int key = first + j * Groups + group;
            keys[j] = values[j] = {};
            if (key < segment.keys)
            {
                keys[j] = read_raw(k, at(k, segment.first_key + key, channel));
                values[j] = read_raw(v, at(v, segment.first_key + key, channel));
            }
        }
        float scores[KeysAtOnce], largest = own.largest;
#pragma unroll
        for (int j = 0; j < KeysAtOnce; j++)
        {
            Quad key = widen(k, keys[j]);
            float score = fused(query.w, key.w, fused(query.z, key.z, fused(query.y, key.y, query.x * key.x)));
            for (int mask = Lanes / 2; mask > 0; mask >>= 1) score = score + from_lane_xor(score, mask);
            scores[j] = first + j * Groups + group < segment.keys ? score : minus_infinity();
            largest = larger(largest, scores[j]);
        }
        float shift = shift_of(largest), factor = exponential(own.largest - shift);
        own.largest = largest;
        own.total = own.total * factor;
#pragma unroll
        for (int c = 0; c < 4; c++) own.sums[c] = own.sums[c] * factor;
#pragma unroll
        for (int j = 0; j < KeysAtOnce; j++)
        {
            float weight = exponential(scores[j] - shift);
            Quad value = widen(v, values[j]);
            own.total = own.total + weight;
            own.sums[0] = fused(weight, value.x, own.sums[0]);
            own.sums[1] = fused(weight, value.y, own.sums[1]);
            own.sums[2] = fused(weight, value.z, own.sums[2]);
            own.sums[3] = fused(weight, value.w, own.sums[3]);
        }
    }
    return own;
}

// Channel threadIdx.x of softmax(query·kᵀ)·v, of which there are four for each lane; undefined in other threads.
template <int Lanes> DEVICE float attend_few(FewQueriesParts& parts, const Quad& query, const View& k, const View& v,
    const Segment& segment, int channel)
{
    PartialSoftmax own = attend_to_own<Lanes>(query, k, v, segment, channel);
    for (int mask = Lanes; mask < 32; mask <<= 1) put_together(own, mask);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (lane < Lanes)
    {
#pragma unroll
        for (int c = 0; c < 4; c++) parts.sums[warp][4 * lane + c] = own.sums[c];
        if (lane == 0)
        {
            parts.largest[warp] = own.largest;
            parts.total[warp] = own.total;
        }
    }
    __syncthreads();
    if (threadIdx.x >= 4 * Lanes) return 0;
    float largest = minus_infinity(), total = 0, sum = 0;
    for (int w = 0; w < FewQueriesWarps; w++) largest = larger(largest, parts.largest[w]);
#pragma unroll 1
    for (int w = 0; w < FewQueriesWarps; w++)
    {
        float factor = exponential(parts.largest[w] - shift_of(largest));
        total = fused(parts.total[w], factor, total);
        sum = fused(parts.sums[w][threadIdx.x], factor, sum);
    }
    return total == 0 ? 0 : sum * quotient(1, total);
}
