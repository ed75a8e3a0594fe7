// A product of 1 to 16 rows, which takes as long as its weight is on its way. A block has some columns, each of its eight warps a part of
// the depth and a ring of stages to itself, so that nobody waits for anybody before the end. Every part is one chain in ascending order,
// and the parts are added in order: where they are cut depends on the depth alone, so a row has the same bits among any others, in tiles of
// any width. The weight is bf16, or codes of few bits that become bf16 where they are multiplied: the same numbers in the same order.
#pragma once
#include "codes.cuh"
#include "tensor_product.cuh"

// A stage's depth is a line of memory.
const int SkinnyParts = 8, SkinnyDepth = 64;

template <int TileColumns, int StageCount, int WeightBits = 16> struct SkinnyTile
{
    static const bool IsSkinny = true;
    static const int Rows = 16, Columns = TileColumns, WarpRows = Rows, Stages = StageCount, Threads = 32 * SkinnyParts, Bits = WeightBits;
    // Bytes of a row of the weight in a stage.
    static const int WeightBytes = SkinnyDepth * Bits / 8;
    static const int StageBytes = Rows * SkinnyDepth * (int)sizeof(u16) + Columns * WeightBytes, SumPitch = Columns + 8;
};

DEVICE void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

// What a lane has in registers of a stage of the weight: of columns 8·j + lane / 4, for each step of 16 the numbers 2·(lane % 4), the next,
// and those 8 behind.
template <class S, int Bits> struct SkinnyWeights
{
    static const int Groups = S::Columns / 8, Words = SkinnyDepth * Bits / 8 / 16;
    u32 words[Groups][Words], scales[Groups], next_scales[Groups];

    template <class W> DEVICE_MEMBER void begin(const W& w, int stage, int lane)
    {
#pragma unroll
        for (int j = 0; j < Groups; j++) next_scales[j] = w.scale(8 * j + lane / 4, stage);
    }

    // Scales of the stage behind are asked for a stage ahead.
    template <class W> DEVICE_MEMBER void load(const W& w, u32 from, int stage, int lane)
    {
#pragma unroll
        for (int j = 0; j < Groups; j++)
        {
            load_words(words[j], from + (8 * j + lane / 4) * S::WeightBytes + lane % 4 * (S::WeightBytes / 4));
            scales[j] = next_scales[j];
            next_scales[j] = w.scale(8 * j + lane / 4, stage + 1);
        }
    }

    DEVICE_MEMBER void pairs(u32& first, u32& second, int j, int step) const { codes_to_bf16(first, second, words[j], step, scales[j]); }

    DEVICE_MEMBER static u32 place(int row, int chunk) { return row * S::WeightBytes + chunk * 16; }
};

template <class S> struct SkinnyWeights<S, 16>
{
    static const int Groups = S::Columns / 8, Steps = SkinnyDepth / 16;
    u32 words[Groups][Steps / 2][4];

    template <class W> DEVICE_MEMBER void begin(const W&, int, int) {}

    template <class W> DEVICE_MEMBER void load(const W&, u32 from, int, int lane)
    {
#pragma unroll
        for (int j = 0; j < Groups; j++)
#pragma unroll
            for (int i = 0; i < Steps / 2; i++) load_matrices(words[j][i], from + place(8 * j + lane % 8, 4 * i + lane / 8));
    }

    DEVICE_MEMBER void pairs(u32& first, u32& second, int j, int step) const
    {
        first = words[j][step / 2][step % 2 * 2];
        second = words[j][step / 2][step % 2 * 2 + 1];
    }

    DEVICE_MEMBER static u32 place(int row, int chunk) { return chunk_offset<SkinnyDepth>(row, chunk); }
};

// As tensor_product, with one band: all rows.
template <class S, class X, class W, class Finish> DEVICE void skinny_product(const X& x, const W& w, int depth, const Finish& finish)
{
    extern __shared__ ALIGNED(128) char shared[];
    const int ChunksOfRow = SkinnyDepth / ChunkSize, RowsAtOnce = 32 / ChunksOfRow, Steps = SkinnyDepth / 16, Groups = S::Columns / 8;
    const int RingBytes = S::Stages * S::StageBytes, WSource = S::Rows * SkinnyDepth * (int)sizeof(u16);
    const int WeightChunks = S::WeightBytes / 16, WeightRowsAtOnce = 32 / WeightChunks, ChunkDepth = SkinnyDepth / WeightChunks;
    typedef SkinnyWeights<S, S::Bits> Weights;
    int lane = threadIdx.x % 32, part = threadIdx.x / 32;
    u32 ring = shared_address(shared) + part * RingBytes;
    int all = (depth + SkinnyDepth - 1) / SkinnyDepth, each = (all + SkinnyParts - 1) / SkinnyParts;
    int first = part * each, stages = least(each, all - first);

    int fetched_row = lane / ChunksOfRow, fetched_chunk = lane % ChunksOfRow;
    int weight_row = lane / WeightChunks, weight_chunk = lane % WeightChunks;
    auto fetch = [&](int stage, u32 to)
    {
        if (stage < stages)
        {
            int k = (first + stage) * SkinnyDepth;
#pragma unroll
            for (int i = weight_row; i < S::Columns + weight_row; i += WeightRowsAtOnce)
                w.fetch(to + WSource + Weights::place(i, weight_chunk), i, k + weight_chunk * ChunkDepth);
#pragma unroll
            for (int i = fetched_row; i < S::Rows + fetched_row; i += RowsAtOnce)
                x.fetch(to + chunk_offset<SkinnyDepth>(i, fetched_chunk), i, k + fetched_chunk * ChunkSize);
        }
        // An empty group too: groups are counted.
        commit_copies();
    };

    float sums[Groups][4] = {};
#pragma unroll
    for (int stage = 0; stage < S::Stages; stage++) fetch(stage, ring + stage * S::StageBytes);
    u32 slot = ring;
    Weights ws;
    ws.begin(w, first, lane);
#pragma unroll 1
    for (int stage = 0; stage < stages; stage++)
    {
        wait_copies<S::Stages - 1>();
        sync_warp();
        u32 xs[Steps][4];
#pragma unroll
        for (int step = 0; step < Steps; step++)
            load_matrices(xs[step], slot + chunk_offset<SkinnyDepth>(lane % 16, 2 * step + lane / 16));
        ws.load(w, slot + WSource, first + stage, lane);
        // The slot is free as soon as its numbers are in registers.
        sync_warp();
        fetch(stage + S::Stages, slot);
        slot = slot + S::StageBytes == ring + RingBytes ? ring : slot + S::StageBytes;
#pragma unroll
        for (int step = 0; step < Steps; step++)
#pragma unroll
            for (int j = 0; j < Groups; j++)
            {
                u32 first_pair, second_pair;
                ws.pairs(first_pair, second_pair, j, step);
                multiply_add(sums[j], xs[step], first_pair, second_pair);
            }
    }

    // Each warp's sums take the place of its ring; the first warp's become those of all.
    float* of_part = (float*)(shared + part * RingBytes);
#pragma unroll
    for (int j = 0; j < Groups; j++)
    {
        float* to = of_part + lane / 4 * S::SumPitch + 8 * j + lane % 4 * 2;
        *(Pair*)to = {sums[j][0], sums[j][1]};
        *(Pair*)(to + 8 * S::SumPitch) = {sums[j][2], sums[j][3]};
    }
    __syncthreads();
    float* total = (float*)shared;
#pragma unroll 1
    for (int i = threadIdx.x; i < S::Rows * S::Columns; i += S::Threads)
    {
        int at = i / S::Columns * S::SumPitch + i % S::Columns;
        float sum = total[at];
#pragma unroll
        for (int p = 1; p < SkinnyParts; p++) sum = sum + total[p * (RingBytes / (int)sizeof(float)) + at];
        total[at] = sum;
    }
    __syncthreads();
    finish(0, total);
}

// The product of either kind of tile.
template <class S, class X, class W, class Make> DEVICE void product_of_tile(const X& x, const W& w, int depth, const Make& make_epilogue)
{
    if constexpr (S::IsSkinny)
        skinny_product<S>(x, w, depth, [&](int band, float* sums)
        {
            const auto epilogue = make_epilogue();
            epilogue.fetch(band, sums);
            epilogue.finish(band, sums);
        });
    else tensor_product<S>(x, w, depth, make_epilogue);
}

// The tiles that there are: those of src/Sa2VA.Cuda/Kernels/SkinnyTile.cs.
typedef SkinnyTile<8, 4> Skinny8;
typedef SkinnyTile<16, 3> Skinny16;
typedef SkinnyTile<32, 2> Skinny32;
typedef SkinnyTile<16, 4, 8> Skinny16Int8;
typedef SkinnyTile<32, 3, 8> Skinny32Int8;
typedef SkinnyTile<16, 4, 4> Skinny16Int4;
typedef SkinnyTile<32, 4, 4> Skinny32Int4;
