// LinearRotary where x and W are bf16: the first columns of a product are heads whose channel pairs are rotated before anything is stored.
// What a pair is made of lies in one tile, whatever its width: where pairs are half a head apart, the weight's rows stand in groups of
// eight, four of a head's first half and the four that belong to them.
#include "common/epilogue.cuh"
#include "common/linear_rotary.cuh"
#include "common/skinny_product.cuh"
#include "common/tensor_rows.cuh"

// 8 bytes of global memory to shared memory, later.
DEVICE void copy_pair_async(u32 to, const float* from)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(to), "l"(from) : "memory");
}

template <class S> struct RotaryEpilogue
{
    typedef ThreadQuads<S, S::Columns> Quads;
    const RotaryArguments& a;
    int first_row, rows, table_rows;
    Quads quads;
    // The quad among the heads' own channels, its first pair, and which of a pair it has where those are half a head apart.
    int channel, pair, partner;
    bool is_rotated, is_half, is_second;
    QuadPlace place;
    QuadRows target;
    Quad bias, partner_bias;

    DEVICE_MEMBER RotaryEpilogue(const RotaryArguments& arguments, int row, int column, int end)
        : a(arguments), first_row(row), rows(end), table_rows(rows_of(a.run, a.cos)), quads(a.weight.rows - column),
          channel(column + quads.column), pair(0), partner(quads.column ^ 4), is_rotated(channel < a.rotated), is_half(a.pairing == Half),
          is_second(channel % 8 >= 4), place(a, own_channel(column + quads.column)), target(place.to, place.to.columns),
          bias(quad_of(a.bias, channel, a.weight.rows, NothingToAdd)),
          partner_bias(quad_of(a.bias, channel ^ 4, a.weight.rows, NothingToAdd)) {}

    // The first channel of a quad of the product's columns.
    DEVICE_MEMBER int own_channel(int from)
    {
        if (!is_rotated) return from;
        int pairs = a.cos.columns, in_head = from % (2 * pairs);
        pair = is_half ? in_head / 8 * 4 : in_head / 2;
        return is_half ? from - in_head + pair + (is_second ? pairs : 0) : from;
    }

    DEVICE_MEMBER int end_of(int band) const { return least(S::WarpRows, rows - first_row - band); }

    // The table's row; below 0 nothing is rotated.
    DEVICE_MEMBER int position(int row) const { return a.positions.data ? ((const int*)a.positions.data)[row] : row % table_rows; }

    // The sines of a quad lie a band behind its cosines; a thread reads what it asked for itself.
    DEVICE_MEMBER static float* angles(float* sums, int r, int quad) { return sums + S::WarpRows * S::SumPitch + r * S::Columns + quad; }

    DEVICE_MEMBER void fetch(int band, float* sums) const
    {
        if (!is_rotated) return;
#pragma unroll 1
        for (int r = quads.row, end = end_of(band); r < end; r += Quads::RowsAtOnce)
        {
            int p = position(first_row + band + r);
            if (p < 0) continue;
            u32 to = shared_address(angles(sums, r, quads.column));
            const u32 ToSines = S::WarpRows * S::Columns * (int)sizeof(float);
            const float *cos = (const float*)a.cos.data + at(a.cos, p, pair), *sin = (const float*)a.sin.data + at(a.sin, p, pair);
            if (is_half)
            {
                copy_async(to, cos, sizeof(Quad));
                copy_async(to + ToSines, sin, sizeof(Quad));
            }
            else
            {
                copy_pair_async(to, cos);
                copy_pair_async(to + ToSines, sin);
            }
        }
        commit_copies();
    }

    DEVICE_MEMBER Quad rotated(float* sums, int r, int p) const
    {
        const float* row = sums + r * S::SumPitch;
        Quad q = *(const Quad*)(row + quads.column) + bias;
        if (!is_rotated || p < 0) return q;
        float *cosines = angles(sums, r, quads.column), *sines = cosines + S::WarpRows * S::Columns;
        if (is_half)
        {
            Quad other = *(const Quad*)(row + partner) + partner_bias, c = *(const Quad*)cosines, s = *(const Quad*)sines;
            // u·cos − v·sin is u·cos + v·(−sin).
            if (!is_second) s = {-s.x, -s.y, -s.z, -s.w};
            return q * c + other * s;
        }
        Pair c = *(const Pair*)cosines, s = *(const Pair*)sines;
        return {q.x * c.x - q.y * s.x, q.y * c.x + q.x * s.x, q.z * c.y - q.w * s.y, q.w * c.y + q.z * s.y};
    }

    DEVICE_MEMBER void finish(int band, float* sums) const
    {
        wait_copies<0>();
        int end = end_of(band);
#pragma unroll 1
        for (int first = quads.row; first < end; first += Quads::Together * Quads::RowsAtOnce)
        {
            Quad q[Quads::Together];
            int to[Quads::Together];
#pragma unroll
            for (int i = 0; i < Quads::Together; i++)
            {
                // The first again where there is no other: what was fetched may be read by its own thread alone.
                int r = first + i * Quads::RowsAtOnce < end ? first + i * Quads::RowsAtOnce : first, row = first_row + band + r;
                to[i] = place.is_listed ? ((const int*)a.rows.data)[row] : row;
                q[i] = rotated(sums, r, is_rotated ? position(row) : 0);
            }
#pragma unroll
            for (int i = 0; i < Quads::Together; i++)
                if (to[i] >= 0 && (i == 0 || first + i * Quads::RowsAtOnce < end)) target.store(to[i], place.column, q[i]);
        }
    }
};

template <class S, class WeightRows> DEVICE void linear_rotary(const RotaryArguments& a)
{
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), columns = a.weight.rows, first_row = blockIdx.x * S::Rows, first_column = blockIdx.y * S::Columns;
    if (first_row >= rows) return;
    product_of_tile<S>(AsyncRows(a.x, first_row, rows), WeightRows(a.weight, first_column, columns), a.x.columns,
        [&] { return RotaryEpilogue<S>(a, first_row, first_column, rows); });
}

KERNEL(Tile96x96::Threads) linear_rotary_bf16_96x96(const RotaryArguments a) { linear_rotary<Tile96x96, AsyncRows>(a); }
KERNEL(Tile64x64::Threads) linear_rotary_bf16_64x64(const RotaryArguments a) { linear_rotary<Tile64x64, AsyncRows>(a); }
KERNEL(Skinny16::Threads) linear_rotary_bf16_skinny_16(const RotaryArguments a) { linear_rotary<Skinny16, AsyncRows>(a); }
KERNEL(Skinny8::Threads) linear_rotary_bf16_skinny_8(const RotaryArguments a) { linear_rotary<Skinny8, AsyncRows>(a); }
KERNEL(Skinny16Int8::Threads) linear_rotary_bf16_skinny_16_int8(const RotaryArguments a) { linear_rotary<Skinny16Int8, CodeRows<8>>(a); }
KERNEL(Skinny16Int4::Threads) linear_rotary_bf16_skinny_16_int4(const RotaryArguments a) { linear_rotary<Skinny16Int4, CodeRows<4>>(a); }
