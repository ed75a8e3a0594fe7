// A product of two bf16 matrices by warpgroups, with float32 sums. One thread of a block brings boxes of both to a ring of stages in shared
// memory; two warpgroups multiply what lies there, 64 rows of the tile each, and finish their sums while the boxes of the block's next tile
// come. Every sum is one chain over the depth, sixteen at a time in ascending order, as in tensor_product.cuh: the bits are the same.
#pragma once
#include "epilogue.cuh"
#include "pairs.cuh"
#include "warpgroup.cuh"

// Mirrored by src/Sa2VA.Cuda/Kernels/HopperTile.cs, which tells what each is for.
template <int TileColumns, int StageCount> struct HopperTile
{
    static const int Rows = 128, Columns = TileColumns, Depth = 64, Stages = StageCount;
    static const int Warpgroups = 2, Warps = 4 * Warpgroups, Threads = (Warpgroups + 1) * WarpgroupThreads;
    static const int WSource = Rows * Depth * (int)sizeof(u16), StageBytes = WSource + Columns * Depth * (int)sizeof(u16);
};

typedef HopperTile<96, 7> Hopper128x96;
typedef HopperTile<128, 6> Hopper128x128;
typedef HopperTile<144, 6> Hopper128x144;
typedef HopperTile<192, 5> Hopper128x192;
typedef HopperTile<256, 4> Hopper128x256;

// A warp finishes its sixteen rows by pieces of 32 columns, which pass through shared memory of its own, so that rows are stored in one
// piece: a lane has the same four columns in rows row, row + 4, row + 8 and row + 12.
struct PieceQuads
{
    // Numbers from a row to the next: lanes that write pairs reach all banks.
    static const int Rows = 16, Columns = 32, Pitch = Columns + 8, Count = 4, RowsApart = 4;
    static const int Bytes = Rows * Pitch * (int)sizeof(float);
    int row, column;

    DEVICE_MEMBER PieceQuads() : row(threadIdx.x % 32 / 8), column(threadIdx.x % 8 * 4) {}
};

// Blocks take tiles in this order: down bands of eight tiles' width, so that those at work at once share rows of both matrices.
DEVICE void place_of_tile(int tile, int down, int across, int& row, int& column)
{
    const int BandWidth = 8;
    int band = tile / (down * BandWidth), within = tile - band * down * BandWidth, width = least(BandWidth, across - band * BandWidth);
    row = within / width;
    column = band * BandWidth + within - row * width;
}

// A ring's place: a slot, and the parity of the phase that is waited for.
template <int Stages> struct RingPlace
{
    int slot;
    u32 parity;

    DEVICE_MEMBER void advance()
    {
        if (++slot < Stages) return;
        slot = 0;
        parity ^= 1;
    }
};

// The four groups of eight columns that are a warp's piece, to shared memory: of Runs parts of the tile's columns, as many of each.
template <int Runs, int Count> DEVICE void stage_piece(float* piece, const float (&sums)[Count], int which)
{
    const int GroupsOfRun = 4 / Runs;
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int p = 0; p < (Count + 15) / 16; p++)
    {
        // Registers have no computed places: the branch is the same for all lanes.
        if (p != which) continue;
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            // The last piece of a tile may be half a one.
            if (16 * p + 4 * j >= Count) continue;
            float* to = piece + lane / 4 * PieceQuads::Pitch + 8 * j + lane % 4 * 2;
            const float* from = sums + j / GroupsOfRun * (Count / Runs) + (p * GroupsOfRun + j % GroupsOfRun) * 4;
            *(Pair*)to = {from[0], from[1]};
            *(Pair*)(to + 8 * PieceQuads::Pitch) = {from[2], from[3]};
        }
    }
}

// x·wᵀ of so many rows and columns. E is what sums become: held = fetch(row, column, end) asks for what a lane's quads need besides, row
// being the first of the warp's, column the first of the piece's and end behind the tile's; finish(row, column, end, sums, held) is given
// them. Where w has Runs times as many rows as there are columns, a tile has as many of each run, the runs one behind the other, and so has
// a piece.
template <class S, int Runs = 1, class E>
DEVICE void warpgroup_product(const TensorMap& x, const TensorMap& w, int rows, int columns, int depth, const E& epilogue)
{
    const int TileColumns = S::Columns / Runs, PieceColumns = PieceQuads::Columns / Runs;
    extern __shared__ ALIGNED(1024) char shared[];
    // Boxes with a swizzle begin at multiples of 1,024 bytes; what is declared is a wish.
    int unaligned = -shared_address(shared) & 1023;
    char* begin = shared + unaligned;
    u32 ring = shared_address(begin);
    const int Pieces = S::Stages * S::StageBytes, Barriers = Pieces + S::Warps * PieceQuads::Bytes;
    u32 full = ring + Barriers, empty = full + S::Stages * (int)sizeof(u64);
    int stages = (depth + S::Depth - 1) / S::Depth;
    int down = (rows + S::Rows - 1) / S::Rows, across = (columns + TileColumns - 1) / TileColumns, tiles = down * across;

    if (threadIdx.x == 0)
    {
        prefetch_map(x);
        prefetch_map(w);
        for (int slot = 0; slot < S::Stages; slot++)
        {
            make_barrier(full + slot * (int)sizeof(u64), 1);
            make_barrier(empty + slot * (int)sizeof(u64), S::Warps);
        }
        fence_barriers();
    }
    __syncthreads();

    if (of_first_lane(threadIdx.x / WarpgroupThreads) == 0)
    {
        give_registers<40>();
        if (threadIdx.x > 0) return;
        RingPlace<S::Stages> place = {0, 1};
#pragma unroll 1
        for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x)
        {
            int row, column;
            place_of_tile(tile, down, across, row, column);
#pragma unroll 1
            for (int stage = 0; stage < stages; stage++, place.advance())
            {
                u32 to = ring + place.slot * S::StageBytes, barrier = full + place.slot * (int)sizeof(u64);
                wait_phase(empty + place.slot * (int)sizeof(u64), place.parity);
                arrive_expecting(barrier, S::StageBytes);
                copy_box(to, x, stage * S::Depth, row * S::Rows, barrier);
#pragma unroll
                for (int run = 0; run < Runs; run++)
                    copy_box(to + S::WSource + run * TileColumns * S::Depth * (int)sizeof(u16), w, stage * S::Depth,
                        run * columns + column * TileColumns, barrier);
            }
        }
        return;
    }

    take_registers<232>();
    int lane = threadIdx.x % 32, warp = of_first_lane(threadIdx.x / 32) - 4, group = warp / 4;
    float* piece = (float*)(begin + Pieces + warp * PieceQuads::Bytes);
    RingPlace<S::Stages> place = {0, 0};
#pragma unroll 1
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x)
    {
        int row, column;
        place_of_tile(tile, down, across, row, column);
        float sums[S::Columns / 2];
#pragma unroll
        for (int i = 0; i < S::Columns / 2; i++) sums[i] = 0;
        u32 before = 0;
#pragma unroll 1
        for (int stage = 0; stage < stages; stage++, place.advance())
        {
            wait_phase(full + place.slot * (int)sizeof(u64), place.parity);
            u32 at = ring + place.slot * S::StageBytes;
            u64 xs = describe_rows(at) + group * Next64Rows, ws = describe_rows(at + S::WSource);
            fence_products();
#pragma unroll
            for (int step = 0; step < S::Depth / 16; step++) multiply_add(sums, xs + step * NextSixteen, ws + step * NextSixteen);
            commit_products();
            // Those of the stage before have ended: its slot is free.
            wait_products<1>();
            if (stage > 0 && lane == 0) arrive(before);
            before = empty + place.slot * (int)sizeof(u64);
        }
        int first_row = row * S::Rows + warp * PieceQuads::Rows, first_column = column * TileColumns;
        int end = least(first_column + TileColumns, columns), pieces = (end - first_column + PieceColumns - 1) / PieceColumns;
        auto held = epilogue.fetch(first_row, first_column, end);
        wait_products<0>();
        if (lane == 0) arrive(before);
        if (first_row >= rows) continue;
#pragma unroll 1
        for (int p = 0; p < pieces; p++)
        {
            auto next = epilogue.fetch(first_row, first_column + PieceColumns, end);
            stage_piece<Runs>(piece, sums, p);
            sync_warp();
            epilogue.finish(first_row, first_column, end, piece, held);
            sync_warp();
            held = next;
            first_column += PieceColumns;
        }
    }
}
