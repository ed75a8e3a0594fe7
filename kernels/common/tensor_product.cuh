// A tile of a product of two bf16 matrices by tensor cores, with float32 sums. Operands pass through a ring of stages in shared memory,
// filled by asynchronous copies while the stages before are multiplied. Every sum is one chain over the depth, sixteen at a time in
// ascending order, whatever the tile: tiles differ in speed, not in bits. What is fetched behind the depth or the last row is zeros.
#pragma once
#include "pairs.cuh"
#include "tensor_core.cuh"

// A tile and how the warps of a block share it; the depth of a stage, and how many there are.
template <int TileRows, int TileColumns, int RowsOfWarp, int ColumnsOfWarp, int StageDepth, int StageCount> struct TensorTile
{
    static const bool IsSkinny = false;
    static const int Rows = TileRows, Columns = TileColumns, WarpRows = RowsOfWarp, WarpColumns = ColumnsOfWarp;
    static const int Depth = StageDepth, Stages = StageCount;
    static const int WarpsDown = Rows / WarpRows, Threads = 32 * WarpsDown * (Columns / WarpColumns);
    static const int StageBytes = (Rows + Columns) * Depth * (int)sizeof(u16);
    // Numbers from a row of sums to the next in shared memory: eight threads that write pairs of one column reach all banks.
    static const int SumPitch = Columns + 8;
};

// Where in a stage a row's chunk lies. Chunks of eight rows that a warp reads at once are turned against each other, so that they lie in
// different banks.
template <int Depth> DEVICE u32 chunk_offset(u32 row, u32 chunk)
{
    u32 turn = Depth == 32 ? row / 2 % 4 : row % 8;
    return (row * (Depth / ChunkSize) + (chunk ^ turn)) * (ChunkSize * (u32)sizeof(u16));
}

// x·wᵀ for a tile of S. x and w fetch chunks: fetch(to, row, k) brings their numbers k … k + 7 of a row of the tile to shared memory.
// make_epilogue makes, when all is multiplied, what gets the sums by bands of S::WarpRows rows: finish(first row of the band in the tile,
// sums), sums being [row][S::SumPitch]; before they are there, fetch(band, sums) may ask for what it needs besides.
template <class S, class X, class W, class Make> DEVICE void tensor_product(const X& x, const W& w, int depth, const Make& make_epilogue)
{
    extern __shared__ ALIGNED(128) char shared[];
    const int ChunksOfRow = S::Depth / ChunkSize, RowsAtOnce = S::Threads / ChunksOfRow, WSource = S::Rows * S::Depth * (int)sizeof(u16);
    const int RowFragments = S::WarpRows / 16, ColumnFragments = S::WarpColumns / 16, StepsOfStage = S::Depth / 16;
    u32 ring = shared_address(shared);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int warp_row = warp % S::WarpsDown * S::WarpRows, warp_column = warp / S::WarpsDown * S::WarpColumns;
    int stages = (depth + S::Depth - 1) / S::Depth;

    // Copies of a stage are issued in as many parts as it has steps, each part beside a step's multiplies: at once they would hold up the
    // fragments that are loaded through the same pipe.
    const int RowTurns = (S::Rows + RowsAtOnce - 1) / RowsAtOnce, ColumnTurns = (S::Columns + RowsAtOnce - 1) / RowsAtOnce;
    const int TurnsOfPart = (RowTurns + ColumnTurns + StepsOfStage - 1) / StepsOfStage;
    int fetched_row = threadIdx.x / ChunksOfRow, fetched_chunk = threadIdx.x % ChunksOfRow;
    u32 fetched_place = chunk_offset<S::Depth>(fetched_row, fetched_chunk);
    auto fetch = [&](int stage, int slot, int part)
    {
        if (stage < stages)
        {
            u32 to = ring + slot * S::StageBytes;
            int k = stage * S::Depth + fetched_chunk * ChunkSize;
#pragma unroll
            for (int i = 0; i < TurnsOfPart; i++)
            {
                int turn = part * TurnsOfPart + i;
                bool is_x = turn < RowTurns;
                int row = (is_x ? turn : turn - RowTurns) * RowsAtOnce + fetched_row, rows = is_x ? S::Rows : S::Columns;
                // Rows eight apart have their chunks turned alike.
                u32 place = RowsAtOnce % 8 == 0 ? fetched_place + (row - fetched_row) * S::Depth * (int)sizeof(u16)
                                                : chunk_offset<S::Depth>(row, fetched_chunk);
                place += to + (is_x ? 0 : WSource);
                if (turn >= RowTurns + ColumnTurns || rows % RowsAtOnce != 0 && row >= rows) continue;
                if (is_x) x.fetch(place, row, k);
                else w.fetch(place, row, k);
            }
        }
        // An empty group too: groups are counted.
        if (part == StepsOfStage - 1) commit_copies();
    };

    float sums[RowFragments][2 * ColumnFragments][4] = {};
    u32 xs[2][RowFragments][4], ws[2][ColumnFragments][4];
    int x_row = warp_row + lane % 16, x_half = lane / 16, w_row = warp_column + lane % 8 + lane / 16 * 8, w_half = lane / 8 % 2;
    auto load = [&](int buffer, int slot, int step)
    {
        u32 stage = ring + slot * S::StageBytes;
#pragma unroll
        for (int i = 0; i < RowFragments; i++)
            load_matrices(xs[buffer][i], stage + chunk_offset<S::Depth>(x_row + 16 * i, 2 * step + x_half));
#pragma unroll
        for (int j = 0; j < ColumnFragments; j++)
            load_matrices(ws[buffer][j], stage + WSource + chunk_offset<S::Depth>(w_row + 16 * j, 2 * step + w_half));
    };

#pragma unroll 1
    for (int stage = 0; stage < S::Stages - 1; stage++)
#pragma unroll
        for (int part = 0; part < StepsOfStage; part++) fetch(stage, stage, part);
    wait_copies<S::Stages - 2>();
    __syncthreads();
    load(0, 0, 0);
    int read = 0, written = S::Stages - 1;
#pragma unroll 1
    for (int stage = 0; stage < stages; stage++)
    {
#pragma unroll
        for (int step = 0; step < StepsOfStage; step++)
        {
            // What the next step multiplies is loaded while this one's is multiplied.
            if (step + 1 < StepsOfStage) load((step + 1) % 2, read, step + 1);
            else if (stage + 1 < stages)
            {
                wait_copies<S::Stages - 3>();
                __syncthreads();
                read = read + 1 == S::Stages ? 0 : read + 1;
                load(0, read, 0);
            }
            // The slot of the stage before: all warps have passed the barrier behind it.
            fetch(stage + S::Stages - 1, written, step);
#pragma unroll
            for (int i = 0; i < RowFragments; i++)
#pragma unroll
                for (int j = 0; j < 2 * ColumnFragments; j++)
                    multiply_add(sums[i][j], xs[step % 2][i], ws[step % 2][j / 2][j % 2 * 2], ws[step % 2][j / 2][j % 2 * 2 + 1]);
        }
        written = written + 1 == S::Stages ? 0 : written + 1;
    }
    wait_copies<0>();

    // Bands take the ring's place.
    float* band_sums = (float*)shared;
    const auto epilogue = make_epilogue();
#pragma unroll 1
    for (int band = 0; band < S::Rows; band += S::WarpRows)
    {
        __syncthreads();
        epilogue.fetch(band, band_sums);
        if (warp_row == band)
        {
#pragma unroll
            for (int i = 0; i < RowFragments; i++)
#pragma unroll
                for (int j = 0; j < 2 * ColumnFragments; j++)
                {
                    float* to = band_sums + (16 * i + lane / 4) * S::SumPitch + warp_column + 8 * j + lane % 4 * 2;
                    *(Pair*)to = {sums[i][j][0], sums[i][j][1]};
                    *(Pair*)(to + 8 * S::SumPitch) = {sums[i][j][2], sums[i][j][3]};
                }
        }
        __syncthreads();
        epilogue.finish(band, band_sums);
    }
}

// The tiles that there are: those of src/Sa2VA.Cuda/Kernels/TensorTile.cs, which tells what each is for.
typedef TensorTile<128, 128, 64, 64, 64, 3> Tile128x128;
typedef TensorTile<96, 96, 48, 48, 64, 3> Tile96x96;
typedef TensorTile<64, 128, 32, 64, 64, 3> Tile64x128;
typedef TensorTile<64, 64, 32, 32, 64, 4> Tile64x64;
typedef TensorTile<16, 64, 16, 16, 128, 4> Tile16x64;
typedef TensorTile<16, 32, 16, 16, 128, 5> Tile16x32;
typedef TensorTile<16, 16, 16, 16, 128, 6> Tile16x16;
