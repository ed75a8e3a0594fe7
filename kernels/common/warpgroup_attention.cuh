// Attention of a block of queries of one head by warpgroups: the walk of tensor_attention.cuh, over the same keys at a time and in the
// same order, so the bits are those of its blocks of 64 queries. A warp brings boxes of keys and values to rings in shared memory; two
// warpgroups have 64 queries each, multiply what lies there, and keep scores, weights and sums in registers. While one waits for its
// softmax, the other one, or another block's, has the tensor cores.
#pragma once
#include "flash_attention.cuh"
#include "tensor_attention.cuh"
#include "warpgroup_product.cuh"

// Mirrored by src/Sa2VA.Cuda/Kernels/HopperAttention.cs, which tells what each is for.
template <int HeadDim_, int ValueDim_, int Keys_, int StageCount, int Resident_, bool Overlaps_> struct HopperAttention
{
    static const int HeadDim = HeadDim_, ValueDim = ValueDim_, Rows = 128, Keys = Keys_, Stages = StageCount, Resident = Resident_;
    // MovesRegisters: a multiprocessor's are more than warps can be given evenly.
    static const bool Overlaps = Overlaps_, HasNarrow = HeadDim % 64 > 0, MovesRegisters = ValueDim == 256;
    static const int Warpgroups = 2, Warps = 4 * Warpgroups, Threads = 32 * (Warps + (MovesRegisters ? 4 : 1));
    // Boxes have 64 columns, a row of one is 128 bytes. What a head has beyond them are up to 16 columns, a narrow box of rows of 32 bytes,
    // with zeros behind the head's columns.
    static const int KeyBoxes = HeadDim / 64, ValueBoxes = ValueDim / 64, Channels = KeyBoxes * 64 + (HasNarrow ? 16 : 0);
    static const int HeldColumns = ValueBoxes * 64 + (HasNarrow ? 16 : 0), RowBytes = 128, NarrowRowBytes = 32;
    static const int BlockBytes = Keys * RowBytes, QueryBoxBytes = Rows * RowBytes;
    static const int QueryBytes = Rows * Channels * 2, KeyBytes = Keys * Channels * 2, ValueBytes = Keys * HeldColumns * 2;
    // What a warp has: sixteen queries.
    typedef AttentionShape<HeadDim, HeldColumns, 1, Keys, 1, false> OfWarp;
};

// Queries, keys and values as boxes, behind them what the kernels of sm_80 are given.
struct MappedAttention
{
    TensorMap q, k, v;
    FlashAttentionArguments rest;
};

// The same where heads have narrow boxes besides.
struct MappedNarrowAttention
{
    TensorMap q, narrow_q, k, narrow_k, v, narrow_v;
    FlashAttentionArguments rest;
};

// Query rows of a segment and a head, and the keys that they look at.
struct FlashBlock
{
    Segment segment;
    SeenKeys seen;
    int head, kv_head, rows;
    // The first row, in the matrix and among the partials of a row of results.
    i64 first_row, first_partial;
    // 0 where keys are not split.
    float* partials;
};

// Block number `block` of so many rows each; without rows if there is nothing for it to do.
template <class Shape> DEVICE FlashBlock flash_block(const FlashAttentionArguments& a, int block, int head, int block_rows)
{
    FlashBlock b;
    b.rows = 0;
    if (is_stopped(a.run)) return b;
    // Heads of the other widths are not split, and have no code for it.
    b.partials = Shape::HeadDim == 256 ? a.partials : 0;
    SplitBlock place = b.partials ? split_block(a, block, block_rows) : whole_block(a, block, block_rows);
    if (place.segment >= a.segments.count) return b;
    b.segment = segment_at(a.segments, place.segment, rows_of(a.run, a.q), rows_of(a.run, a.k));
    b.rows = most(0, least(block_rows, b.segment.rows - place.first));
    b.head = head;
    b.kv_head = head / a.group;
    b.first_row = b.segment.first_row + place.first;
    b.first_partial = place.partial + place.first;
    int start = a.ends_with_keys ? b.segment.keys - b.segment.rows : a.start >= 0 ? a.run.numbers[a.start] : 0;
    b.seen = {place.begin, b.segment.keys, b.segment.keys};
    if (a.causal) b.seen.visible = start + place.first + 1;
    b.seen.end = least(b.segment.keys, b.seen.visible + b.rows - 1);
    if (b.partials) b.seen.end = least(b.seen.end, place.begin + a.split_keys);
    return b;
}

// What a split leaves of the rows that a warp has, first_row being the first one of them in the block.
template <class Shape> DEVICE void store_partials(const AttentionSums<Shape>& sums, const FlashAttentionArguments& a, const FlashBlock& b,
    int first_row)
{
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        int row = first_row + lane / 4 + half * 8;
        if (row >= b.rows) continue;
        float* to = partial_at(a, b.first_partial + row, b.head);
#pragma unroll
        for (int j = 0; j < Shape::ValueTiles; j++)
            *(Pair*)(to + j * 8 + lane % 4 * 2) = {sums.values[0][j][2 * half], sums.values[0][j][2 * half + 1]};
        if (lane % 4 == 0) *(Pair*)(to + Shape::ValueDim) = {sums.largest[0][half] * a.scale * Log2OfE, sums.total[0][half]};
    }
}

// Where things lie in shared memory.
template <class S> struct AttentionPlace
{
    static const int Pieces = S::QueryBytes + S::Stages * (S::KeyBytes + S::ValueBytes), Barriers = Pieces + S::Warps * PieceQuads::Bytes;
    u32 queries;

    DEVICE_MEMBER u32 keys(int slot) const { return queries + S::QueryBytes + slot * S::KeyBytes; }
    DEVICE_MEMBER u32 values(int slot) const { return queries + S::QueryBytes + S::Stages * S::KeyBytes + slot * S::ValueBytes; }
    DEVICE_MEMBER u32 queries_full() const { return queries + Barriers; }
    DEVICE_MEMBER u32 keys_full(int slot) const { return barrier(1 + slot); }
    DEVICE_MEMBER u32 values_full(int slot) const { return barrier(1 + S::Stages + slot); }
    DEVICE_MEMBER u32 keys_empty(int slot) const { return barrier(1 + 2 * S::Stages + slot); }
    DEVICE_MEMBER u32 values_empty(int slot) const { return barrier(1 + 3 * S::Stages + slot); }
    DEVICE_MEMBER u32 barrier(int i) const { return queries + Barriers + i * (int)sizeof(u64); }
};

// A head's columns of a matrix; narrow is looked at where there are narrow boxes.
struct BoxedHead
{
    const TensorMap &wide, &narrow;
    const View& matrix;
    int head, dim;
};

// Rows from row `from` on: a box for each 64 columns, each behind the one before it by bytes of so many rows, and a narrow one.
template <class S, int Boxes> DEVICE void copy_boxes(u32 to, int rows, int row, const BoxedHead& of, int from, u32 full)
{
#pragma unroll
    for (int box = 0; box < Boxes; box++)
        copy_box(to + (box * rows + row) * S::RowBytes, of.wide, of.head * of.dim + 64 * box, from, full);
    if constexpr (S::HasNarrow)
        copy_box(to + Boxes * rows * S::RowBytes + row * S::NarrowRowBytes, of.narrow, 64 * Boxes, of.head, from, full);
}

// A block's keys (or values): whole blocks as boxes of a page's rows, by one lane. Of the last one, the rows that there are by all lanes,
// zeros behind them: a weight of 0 makes no 0 of what is no number.
template <class S, int Boxes> DEVICE void bring_rows(u32 to, u32 full, const BoxedHead& of, const FlashBlock& b,
    int page_shift, int first)
{
    const int KeysShift = S::Keys == 64 ? 6 : 5, Chunks = 8 * Boxes + (S::HasNarrow ? 2 : 0);
    int lane = threadIdx.x % 32, count = b.seen.end - first;
    if (count >= S::Keys)
    {
        if (lane > 0) return;
        int box_shift = b.segment.pages ? least(page_shift, KeysShift) : KeysShift;
        arrive_expecting(full, S::Keys * Chunks * 16);
#pragma unroll 1
        for (int row = 0; row < S::Keys; row += 1 << box_shift)
            copy_boxes<S, Boxes>(to, S::Keys, row, of, (int)row_of(b.segment, page_shift, first + row), full);
        return;
    }
#pragma unroll 1
    for (int i = lane; i < S::Keys * Chunks; i += 32)
    {
        int row = i / Chunks, chunk = i % Chunks;
        bool exists = row < count && chunk * ChunkSize < of.dim;
        const u16* from = (const u16*)of.matrix.data;
        if (exists) from += row_of(b.segment, page_shift, first + row) * of.matrix.row_stride + of.head * of.dim + chunk * ChunkSize;
        u32 place = chunk / 8 * S::BlockBytes + row * S::RowBytes + ((chunk ^ row) & 7) * 16;
        if (S::HasNarrow && chunk >= 8 * Boxes)
            place = Boxes * S::BlockBytes + row * S::NarrowRowBytes + ((chunk ^ row / 4) & 1) * 16;
        copy_async(to + place, from, exists ? 16 : 0);
    }
    commit_copies();
    wait_copies<0>();
    fence_stores();
    sync_warp();
    if (lane == 0) arrive(full);
}

template <class S> DEVICE void bring_block(const FlashAttentionArguments& a, const BoxedHead& queries, const BoxedHead& keys,
    const BoxedHead& values, const FlashBlock& b, const AttentionPlace<S>& place)
{
    int shift = a.segments.page_shift;
    if (threadIdx.x % 32 == 0 && b.seen.begin < b.seen.end)
    {
        arrive_expecting(place.queries_full(), S::QueryBytes);
        copy_boxes<S, S::KeyBoxes>(place.queries, S::Rows, 0, queries, (int)b.first_row, place.queries_full());
    }
    RingPlace<S::Stages> ring = {0, 1};
#pragma unroll 1
    for (int first = b.seen.begin; first < b.seen.end; first += S::Keys, ring.advance())
    {
        wait_phase(place.keys_empty(ring.slot), ring.parity);
        bring_rows<S, S::KeyBoxes>(place.keys(ring.slot), place.keys_full(ring.slot), keys, b, shift, first);
        wait_phase(place.values_empty(ring.slot), ring.parity);
        bring_rows<S, S::ValueBoxes>(place.values(ring.slot), place.values_full(ring.slot), values, b, shift, first);
    }
}

template <class S> DEVICE void bring_block(const MappedAttention& a, const FlashBlock& b, const AttentionPlace<S>& place)
{
    bring_block<S>(a.rest, {a.q, a.q, a.rest.q, b.head, S::HeadDim}, {a.k, a.k, a.rest.k, b.kv_head, S::HeadDim},
        {a.v, a.v, a.rest.v, b.kv_head, S::ValueDim}, b, place);
}

template <class S> DEVICE void bring_block(const MappedNarrowAttention& a, const FlashBlock& b, const AttentionPlace<S>& place)
{
    bring_block<S>(a.rest, {a.q, a.narrow_q, a.rest.q, b.head, S::HeadDim}, {a.k, a.narrow_k, a.rest.k, b.kv_head, S::HeadDim},
        {a.v, a.narrow_v, a.rest.v, b.kv_head, S::ValueDim}, b, place);
}

// Scores become weights as soften makes them, but what was summed before is left as it is, since a product may be under way to it: it has
// yet to be multiplied by these factors.
template <class Shape> DEVICE void weigh(AttentionSums<Shape>& sums, float (&scores)[1][Shape::Keys / 8][4], float (&factors)[2],
    float scale)
{
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        float before = sums.largest[0][half], largest = before, total = 0;
#pragma unroll
        for (int j = 0; j < Shape::Keys / 8; j++) largest = larger(largest, larger(scores[0][j][2 * half], scores[0][j][2 * half + 1]));
        largest = larger(largest, from_lane_xor(largest, 1));
        largest = larger(largest, from_lane_xor(largest, 2));
        float shift = shift_of(largest) * scale;
        factors[half] = rescaling(before, largest, scale);
#pragma unroll
        for (int j = 0; j < Shape::Keys / 8; j++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++)
            {
                scores[0][j][e] = exponential2(fused(scores[0][j][e], scale, -shift));
                total = total + scores[0][j][e];
            }
        sums.largest[0][half] = largest;
        sums.total[0][half] = fused(sums.total[0][half], factors[half], total);
    }
}

template <class Shape> DEVICE void multiply_values(AttentionSums<Shape>& sums, const float (&factors)[2])
{
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int j = 0; j < Shape::ValueTiles; j++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) sums.values[0][j][e] = sums.values[0][j][e] * factors[half];
}

// The sums of a warp's sixteen queries over the seen keys, not yet divided by their totals. Overlaps: while weights are made of the scores
// of a block of keys, the values of the block before it are multiplied.
template <class S> DEVICE void attend_by_warpgroup(AttentionSums<typename S::OfWarp>& sums, const FlashBlock& b,
    const AttentionPlace<S>& place, float scale, int warp)
{
    typedef typename S::OfWarp Shape;
    int lane = threadIdx.x % 32, warp_row = warp * Shape::WarpRows;
    float scores[1][S::Keys / 8][4], factors[2];
    const int ScoreCount = S::Keys / 2, ValueCount = S::HeldColumns / 2, WideCount = 32 * S::ValueBoxes;
    float(&flat_scores)[ScoreCount] = (float(&)[ScoreCount])scores, (&flat_values)[ValueCount] = (float(&)[ValueCount])sums.values;
    u32 weights[Shape::KeySteps][4], (&flat_weights)[4 * Shape::KeySteps] = (u32(&)[4 * Shape::KeySteps])weights;
#pragma unroll
    for (int i = 0; i < ScoreCount; i++) flat_scores[i] = 0;
#pragma unroll
    for (int i = 0; i < ValueCount; i++) flat_values[i] = 0;
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        sums.largest[0][half] = minus_infinity();
        sums.total[0][half] = 0;
    }
    // What the warpgroup's last query sees. Of causal attention, the first warpgroup has no use for the last block of keys; nobody waits for
    // it to be given back.
    int end = least(b.seen.end, b.seen.visible + warp / 4 * 64 + 63);
    if (b.seen.begin >= end) return;
    scale = scale * Log2OfE;
    u64 queries = describe_rows(place.queries) + warp / 4 * Next64Rows;
    u64 narrow_queries = describe_narrow_rows(place.queries + S::KeyBoxes * S::QueryBoxBytes) + warp / 4 * Next64NarrowRows;

    auto multiply_keys = [&](int slot)
    {
        u64 keys = describe_rows(place.keys(slot));
#pragma unroll
        for (int step = 0; step < 4 * S::KeyBoxes; step++)
            multiply(flat_scores, queries + step / 4 * (S::QueryBoxBytes >> 4) + step % 4 * NextSixteen,
                keys + step / 4 * (S::BlockBytes >> 4) + step % 4 * NextSixteen, step > 0);
        if constexpr (S::HasNarrow)
            multiply(flat_scores, narrow_queries, describe_narrow_rows(place.keys(slot) + S::KeyBoxes * S::BlockBytes), true);
        commit_products();
    };
    auto add_values = [&](int slot)
    {
        u64 values = describe_rows(place.values(slot), S::BlockBytes);
        u64 narrow_values = describe_narrow_rows(place.values(slot) + S::ValueBoxes * S::BlockBytes);
#pragma unroll
        for (int step = 0; step < Shape::KeySteps; step++)
        {
            multiply_add((float(&)[WideCount])flat_values, weights[step], values + step * Next16Rows);
            if constexpr (S::HasNarrow)
                multiply_add((float(&)[8])flat_values[WideCount], weights[step], narrow_values + step * Next16NarrowRows);
        }
        commit_products();
    };
    auto make_weights = [&](int first)
    {
        if (least(end, b.seen.visible + warp_row) < first + S::Keys)
            mask<Shape>(scores, b.seen.visible + warp_row - first, end - first);
        weigh<Shape>(sums, scores, factors, scale);
    };
    auto round_weights = [&]()
    {
#pragma unroll
        for (int step = 0; step < Shape::KeySteps; step++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                weights[step][e] = pack_bf16(scores[0][2 * step + e / 2][e % 2 * 2], scores[0][2 * step + e / 2][e % 2 * 2 + 1]);
    };

    // The first block's scores, or each one's.
    RingPlace<S::Stages> ring = {0, 0};
    auto make_first_weights = [&](int first)
    {
        wait_phase(place.keys_full(ring.slot), ring.parity);
        hold(flat_scores);
        fence_products();
        multiply_keys(ring.slot);
        wait_products<0>();
        hold(flat_scores);
        if (lane == 0) arrive(place.keys_empty(ring.slot));
        make_weights(first);
        round_weights();
        wait_phase(place.values_full(ring.slot), ring.parity);
    };
    auto add_last_values = [&]()
    {
        hold(flat_values);
        hold(flat_weights);
        fence_products();
        add_values(ring.slot);
        wait_products<0>();
        hold(flat_values);
        if (lane == 0) arrive(place.values_empty(ring.slot));
    };
    wait_phase(place.queries_full(), 0);
    if constexpr (!S::Overlaps)
#pragma unroll 1
        for (int first = b.seen.begin; first < end; first += S::Keys, ring.advance())
        {
            make_first_weights(first);
            multiply_values<Shape>(sums, factors);
            add_last_values();
        }
    else
    {
        make_first_weights(b.seen.begin);
#pragma unroll 1
        for (int first = b.seen.begin + S::Keys; first < end; first += S::Keys)
        {
            int before = ring.slot;
            ring.advance();
            wait_phase(place.keys_full(ring.slot), ring.parity);
            hold(flat_scores);
            hold(flat_values);
            hold(flat_weights);
            fence_products();
            multiply_keys(ring.slot);
            add_values(before);
            wait_products<1>();
            hold(flat_scores);
            if (lane == 0) arrive(place.keys_empty(ring.slot));
            make_weights(first);
            // The next values, here because the branch keeps the assembler from waiting for all products before the weights are made.
            wait_phase(place.values_full(ring.slot), ring.parity);
            wait_products<0>();
            hold(flat_values);
            if (lane == 0) arrive(place.values_empty(before));
            round_weights();
            multiply_values<Shape>(sums, factors);
        }
        add_last_values();
    }
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        sums.total[0][half] = sums.total[0][half] + from_lane_xor(sums.total[0][half], 1);
        sums.total[0][half] = sums.total[0][half] + from_lane_xor(sums.total[0][half], 2);
    }
}

// A warp's rows of y, by pieces of 32 columns that pass through its own shared memory.
template <class S> DEVICE void store_rows(AttentionSums<typename S::OfWarp>& sums, const FlashAttentionArguments& a, const FlashBlock& b,
    float* piece, int first_row)
{
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        float total = sums.total[0][half], inverse = total == 0 ? 0 : quotient(1, total);
#pragma unroll
        for (int j = 0; j < S::HeldColumns / 8; j++)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; e++) sums.values[0][j][e] = sums.values[0][j][e] * inverse;
    }
    PieceQuads quads;
    QuadRows y(a.y, a.y.columns);
#pragma unroll 1
    for (int p = 0; p < (S::ValueDim + PieceQuads::Columns - 1) / PieceQuads::Columns; p++)
    {
        stage_piece<1>(piece, (const float(&)[S::HeldColumns / 2])sums.values, p);
        int column = p * PieceQuads::Columns + quads.column;
        sync_warp();
#pragma unroll 1
        for (int i = 0; i < PieceQuads::Count; i++)
        {
            int row = quads.row + i * PieceQuads::RowsApart;
            if (first_row + row < b.rows && column < S::ValueDim)
                y.store(b.first_row + first_row + row, b.head * S::ValueDim + column,
                    *(const Quad*)(piece + row * PieceQuads::Pitch + quads.column));
        }
        sync_warp();
    }
}

template <class S, class A> DEVICE void warpgroup_attention(const A& a)
{
    extern __shared__ ALIGNED(1024) char shared[];
    // Boxes with a swizzle begin at multiples of 1,024 bytes; what is declared is a wish.
    char* begin = shared + (-shared_address(shared) & 1023);
    AttentionPlace<S> place = {shared_address(begin)};
    if (threadIdx.x == 0)
    {
        prefetch_map(a.q);
        prefetch_map(a.k);
        prefetch_map(a.v);
    }
    // Of causal attention the longest blocks begin first. Heads that share keys stand beside each other.
    int heads = heads_of(a.rest), block = blockIdx.x / heads, head = blockIdx.x % heads;
    if (a.rest.causal) block = gridDim.x / heads - 1 - block;
    FlashBlock b = flash_block<typename S::OfWarp>(a.rest, block, head, S::Rows);
    if (b.rows == 0) return;
    // Warpgroups without queries leave at once.
    int warps = (b.rows + 63) / 64 * 4, warp = of_first_lane(threadIdx.x / 32);
    if (threadIdx.x == 0)
    {
        make_barrier(place.queries_full(), 1);
        for (int slot = 0; slot < S::Stages; slot++)
        {
            make_barrier(place.keys_full(slot), 1);
            make_barrier(place.values_full(slot), 1);
            make_barrier(place.keys_empty(slot), warps);
            make_barrier(place.values_empty(slot), warps);
        }
        fence_barriers();
    }
    __syncthreads();
    if (warp >= S::Warps)
    {
        if constexpr (S::MovesRegisters) give_registers<40>();
        if (warp == S::Warps) bring_block<S>(a, b, place);
    }
    else if (warp < warps)
    {
        if constexpr (S::MovesRegisters) take_registers<232>();
        AttentionSums<typename S::OfWarp> sums;
        attend_by_warpgroup<S>(sums, b, place, a.rest.scale, warp);
        int first_row = warp * S::OfWarp::WarpRows;
        if (b.partials) store_partials<typename S::OfWarp>(sums, a.rest, b, first_row);
        else store_rows<S>(sums, a.rest, b, (float*)(begin + AttentionPlace<S>::Pieces + warp * PieceQuads::Bytes), first_row);
    }
}
