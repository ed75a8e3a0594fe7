// Sample: an index drawn from each row of logits, by temperature, top-k and top-p. A block has a row. Nothing is sorted: what is kept is
// found in five looks at finer and finer ranges of distances to the largest number, in bins of integers, whose sums have no order.
#include "common/best.cuh"
#include "common/math.cuh"

struct SampleArguments
{
    Run run;
    View x, choices, y;
};

const int Threads = 1024, Warps = Threads / Warp, Bins = 256, BinsOfUnit = 8, Levels = 5, Whole = 1 << 30;

// The likeliest of a row: all that are nearer to the largest number than the bits of a distance, and of those that have it some by index.
struct Kept
{
    u32 last;
    int ties, excess;
};

// Numbers of a row by their distance to the largest one.
struct Distances
{
    const float* x;
    int count;
    float largest, temperature;

    DEVICE_MEMBER float operator()(int i) const { return quotient(largest - x[i], temperature); }
};

// e^−distance in units of 2^−31, without what is below one.
DEVICE u32 weight(float distance) { return distance > 22 ? 0 : (u32)(exponential(-distance) * 2147483648.0f); }

// total·share / 2^bits without what is below one, exactly; rounded up if asked for.
DEVICE u64 share_of(u64 total, u32 share, int bits, bool up)
{
    u64 low = (total & ((1ull << bits) - 1)) * share;
    return (total >> bits) * share + (low >> bits) + (up && (low & ((1ull << bits) - 1)) ? 1 : 0);
}

DEVICE void add_shared(u64* to, u64 amount)
{
    u32 address;
    asm("{ .reg .u64 a; cvta.to.shared.u64 a, %1; cvt.u32.u64 %0, a; }" : "=r"(address) : "l"(to));
    asm volatile("red.shared.add.u64 [%0], %1;" ::"r"(address), "l"(amount) : "memory");
}

DEVICE u64 from_lane_xor(u64 x, int mask)
{
    return (u64)(u32)from_lane_xor((int)(x >> 32), mask) << 32 | (u32)from_lane_xor((int)(u32)x, mask);
}

DEVICE u32 from_lane_before(u32 x, int by)
{
    u32 d;
    asm volatile("shfl.sync.up.b32 %0, %1, %2, 0x0, 0xffffffff;" : "=r"(d) : "r"(x), "r"(by));
    return d;
}

DEVICE u32 from_last_lane(u32 x)
{
    u32 d;
    asm volatile("shfl.sync.idx.b32 %0, %1, 31, 0x1f, 0xffffffff;" : "=r"(d) : "r"(x));
    return d;
}

// The sum of x over the lanes up to and with this one.
DEVICE u64 sum_up_to(u64 x)
{
#pragma unroll 1
    for (int by = 1; by < Warp; by *= 2)
    {
        u64 before = (u64)from_lane_before((u32)(x >> 32), by) << 32 | from_lane_before((u32)x, by);
        if (threadIdx.x % Warp >= by) x += before;
    }
    return x;
}

DEVICE u32 ballot(bool vote)
{
    u32 lanes;
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(lanes) : "r"((u32)vote));
    return lanes;
}

DEVICE int ones(u32 bits) { int n; asm("popc.b32 %0, %1;" : "=r"(n) : "r"(bits)); return n; }

// Leaves the first so many, or those that have less than a share of the weight before them.
template <bool ByWeight> DEVICE Kept cut(const Distances& row, const Kept& kept, int amount)
{
    __shared__ u64 bins[Bins], of_warp[Bins / Warp], goal_left, in_bin;
    __shared__ int found;
    u64 goal = amount;
    int first_bin = 0;
    u32 prefix = 0;
#pragma unroll 1
    for (int level = 0; level < Levels; level++)
    {
        int shift = 32 - 8 * level;
        if (threadIdx.x < Bins) bins[threadIdx.x] = 0;
        __syncthreads();
#pragma unroll 1
        for (int i = threadIdx.x; i < row.count; i += Threads)
        {
            float distance = row(i);
            u32 key = float_to_bits(distance);
            if (key > kept.last) continue;
            int bin = (int)smaller(distance * BinsOfUnit, Bins - 1);
            if (level > 0)
            {
                if (bin != first_bin || (level > 1 && key >> (shift + 8) != prefix)) continue;
                bin = key >> shift & (Bins - 1);
            }
            u32 one = ByWeight ? weight(distance) : 1;
            if (one) add_shared(&bins[bin], one);
        }
        __syncthreads();
        u64 own = 0, before = 0, total = 0;
        if (threadIdx.x < Bins)
        {
            own = bins[threadIdx.x];
            u64 sum = sum_up_to(own);
            if (threadIdx.x % Warp == Warp - 1) of_warp[threadIdx.x / Warp] = sum;
            before = sum - own;
        }
        __syncthreads();
        if (threadIdx.x < Bins)
        {
#pragma unroll 1
            for (int w = 0; w < Bins / Warp; w++)
            {
                if (w < threadIdx.x / Warp) before += of_warp[w];
                total += of_warp[w];
            }
            if (ByWeight && level == 0)
            {
                if (kept.excess) total -= (u64)kept.excess * weight(bits_to_float(kept.last));
                goal = share_of(total, amount, 30, true);
                // Before the last one that is left there is less than the share: at least one is.
                if (goal == 0) goal = 1;
            }
            if (before < goal && goal <= before + own)
            {
                found = threadIdx.x;
                goal_left = goal - before;
                in_bin = own;
            }
        }
        __syncthreads();
        goal = goal_left;
        if (level == 0) first_bin = found;
        else prefix = prefix << 8 | found;
    }
    u64 each = ByWeight ? weight(bits_to_float(prefix)) : 1;
    int ties = (int)((goal + each - 1) / each), all = (int)(in_bin / each);
    // The next cut has bins of its own.
    if (prefix == kept.last) ties = least(ties, kept.ties);
    return {prefix, ties, all - ties};
}

// The index at a point of the kept weights, in the order of indices. Each warp has a stretch of the row; the one that has the point looks
// for it.
DEVICE void draw(const Distances& row, const Kept& kept, int point_of_whole, const View& y)
{
    __shared__ u64 sums[Warps];
    __shared__ int ties_of[Warps];
    int lane = threadIdx.x % Warp, warp = threadIdx.x / Warp, stretch = (row.count + Threads - 1) / Threads * Warp, first = warp * stretch;
    int end = least(row.count, first + stretch);
    u64 sum = 0;
    int ties = 0;
#pragma unroll 1
    for (int i = first + lane; i < end; i += Warp)
    {
        float distance = row(i);
        u32 key = float_to_bits(distance);
        if (key < kept.last) sum += weight(distance);
        ties += key == kept.last;
    }
    for (int mask = Warp / 2; mask > 0; mask >>= 1)
    {
        sum += from_lane_xor(sum, mask);
        ties += from_lane_xor(ties, mask);
    }
    if (lane == 0)
    {
        sums[warp] = sum;
        ties_of[warp] = ties;
    }
    __syncthreads();
    u64 tie = weight(bits_to_float(kept.last)), total = 0, before = 0;
    int left = kept.ties;
#pragma unroll 1
    for (int w = 0; w < Warps; w++)
    {
        if (w == warp)
        {
            before = total;
            ties = left;
        }
        int own = least(left, ties_of[w]);
        total += sums[w] + own * tie;
        if (w == warp) sum = total;
        left -= own;
    }
    u64 point = share_of(total, point_of_whole, 31, false);
    if (point < before || point >= sum) return;
#pragma unroll 1
    for (int from = first; from < end; from += Warp)
    {
        u64 own = 0;
        bool is_tie = false;
        if (from + lane < end)
        {
            float distance = row(from + lane);
            u32 key = float_to_bits(distance);
            if (key < kept.last) own = weight(distance);
            is_tie = key == kept.last;
        }
        // Of the ties, the first by index.
        u32 tied = ballot(is_tie);
        if (is_tie && ones(tied & ((1u << lane) - 1)) < ties) own = tie;
        ties -= least(ties, ones(tied));
        u64 upto = before + sum_up_to(own);
        int passed = ones(ballot(upto <= point));
        if (passed < Warp)
        {
            if (lane == 0) ((int*)y.data)[blockIdx.x] = from + passed;
            return;
        }
        // What the last lane has.
        before = (u64)from_last_lane((u32)(upto >> 32)) << 32 | from_last_lane((u32)upto);
    }
}

KERNEL(Threads) sample(const SampleArguments a)
{
    if (is_stopped(a.run)) return;
    int r = blockIdx.x;
    if (r >= rows_of(a.run, a.x)) return;
    const float* x = (const float*)a.x.data + at(a.x, r, 0);
    // Registers are few: what is looked at again lies in shared memory. The barriers of the reduction are behind it.
    __shared__ int choice[4];
    if (threadIdx.x < 4) choice[threadIdx.x] = ((const int*)a.choices.data + at(a.choices, r, 0))[threadIdx.x];
    Best best = best_of_none();
    for (int i = threadIdx.x; i < a.x.columns; i += Threads) best = Better()(best, candidate(x[i], i));
    best = team_reduce<Threads>(best, Better());
    float temperature = bits_to_float(choice[0]);
    if (best.index < 0 || !(temperature > 0) || !is_finite(temperature))
    {
        if (threadIdx.x == 0) ((int*)a.y.data)[r] = best.index;
        return;
    }
    // −0 + 0 is 0: no distance is −0, whose bits would stand behind all others.
    Distances row = {x, a.x.columns, best.value + 0.0f, temperature};
    Kept kept = {0xffffffff, 0, 0};
    if (choice[1] > 0 && choice[1] < row.count) kept = cut<false>(row, kept, choice[1]);
    if (choice[2] < Whole) kept = cut<true>(row, kept, choice[2]);
    draw(row, kept, choice[3], a.y);
}
