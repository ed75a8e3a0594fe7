// LinearArgMax of a few rows in float32: the matrix passes by once, as fast as memory gives it. Rows of x are in shared memory; a warp has
// four or two columns at a time, and its lanes have eight numbers of the depth in turn. A sum's order depends on the depth alone.
#include "common/codes.cuh"
#include "common/linear_arg_max.cuh"
#include "common/shared_quad.cuh"

const int Warps = Block / Warp, Eight = 8, Stretch = Warp * Eight;

struct ALIGNED(16) Words { u32 a, b, c, d; };

DEVICE void load_eight(float (&w)[Eight], const u16* from)
{
    Words words = *(const Words*)from;
    const u32 pairs[4] = {words.a, words.b, words.c, words.d};
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        w[2 * i] = bits_to_float(pairs[i] << 16);
        w[2 * i + 1] = bits_to_float(pairs[i] & 0xffff0000);
    }
}

DEVICE void load_eight(float (&w)[Eight], const float* from)
{
    Quad first = ((const Quad*)from)[0], second = ((const Quad*)from)[1];
    w[0] = first.x, w[1] = first.y, w[2] = first.z, w[3] = first.w;
    w[4] = second.x, w[5] = second.y, w[6] = second.z, w[7] = second.w;
}

// Numbers k … k + 7 of a column of the weight.
template <class W> DEVICE void load_eight(float (&w)[Eight], const W* column, int k, const View&, int) { load_eight(w, column + k); }

// In codes of 8 bits: as the bf16 numbers that they stand for.
DEVICE void load_eight(float (&w)[Eight], const u8* column, int k, const View& weight, int c)
{
    struct ALIGNED(8) Codes { u32 a, b; };
    Codes codes = *(const Codes*)(column + k);
    float scale = bits_to_float(scale_of(weight, c, k / CodeGroup) << 16);
    const u32 words[2] = {codes.a, codes.b};
#pragma unroll
    for (int i = 0; i < Eight; i += 2)
    {
        u32 pair = pack_bf16(scaled_byte(words[i / 4], i % 4, scale), scaled_byte(words[i / 4], i % 4 + 1, scale));
        w[i] = bits_to_float(pair << 16);
        w[i + 1] = bits_to_float(pair & 0xffff0000);
    }
}

// Where number k of a row is in shared memory: the halves of the lanes' eights lie side by side, so that no two lanes meet in a bank.
DEVICE int place_of(int k) { return k / Stretch * Stretch + k % Eight / 4 * (Stretch / 2) + k % Stretch / Eight * 4 + k % 4; }

template <class W, int Rows, int Columns> DEVICE void best_of_rows(const LinearArgMaxArguments& a)
{
    extern __shared__ ALIGNED(16) float x[];
    __shared__ Best bests[Warps][Rows];
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * Rows, depth = a.x.columns, lane = threadIdx.x % Warp, warp = threadIdx.x / Warp;
    if (first_row >= rows) return;
    int pitch = (depth + Stretch - 1) / Stretch * Stretch;
    for (int r = 0; r < Rows; r++)
        for (int k = threadIdx.x; k < depth; k += Block)
            x[r * pitch + place_of(k)] = first_row + r < rows ? load(a.x, at(a.x, first_row + r, k)) : 0;
    __syncthreads();
    Best best = best_of_none();
#pragma unroll 1
    for (int column = (blockIdx.y * Warps + warp) * Columns; column < a.weight.rows; column += gridDim.y * Warps * Columns)
    {
        float sums[Rows][Columns];
#pragma unroll
        for (int i = 0; i < Rows * Columns; i++) sums[i / Columns][i % Columns] = 0;
        const W* from[Columns];
#pragma unroll
        for (int j = 0; j < Columns; j++) from[j] = (const W*)a.weight.data + at(a.weight, least(column + j, a.weight.rows - 1), 0);
#pragma unroll 1
        for (int k = lane * Eight; k < depth; k += Stretch)
        {
            float w[Columns][Eight];
#pragma unroll
            for (int j = 0; j < Columns; j++) load_eight(w[j], from[j], k, a.weight, least(column + j, a.weight.rows - 1));
#pragma unroll
            for (int r = 0; r < Rows; r++)
            {
                u32 own = shared_address(x) + 4 * (r * pitch + (k - lane * Eight) + lane * 4);
                Quad first = shared_quad(own), second = shared_quad(own + 4 * (Stretch / 2));
                const float xs[Eight] = {first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w};
#pragma unroll
                for (int j = 0; j < Columns; j++)
#pragma unroll
                    for (int i = 0; i < Eight; i++) sums[r][j] = fused(xs[i], w[j][i], sums[r][j]);
            }
        }
#pragma unroll
        for (int r = 0; r < Rows; r++)
#pragma unroll
            for (int j = 0; j < Columns; j++)
            {
                float sum = team_sum<Warp>(sums[r][j]);
                if (lane == r && column + j < a.weight.rows) best = Better()(best, candidate(sum, column + j));
            }
    }
    if (lane < Rows) bests[warp][lane] = best;
    __syncthreads();
    if (threadIdx.x >= Rows || first_row + threadIdx.x >= rows) return;
    for (int w = 1; w < Warps; w++) best = Better()(best, bests[w][threadIdx.x]);
    a.best[(i64)(first_row + threadIdx.x) * a.candidates + blockIdx.y] = best;
}

KERNEL(Block) linear_arg_max_bf16_1_row(const LinearArgMaxArguments a) { best_of_rows<u16, 1, 2>(a); }
KERNEL(Block) linear_arg_max_bf16_4_rows(const LinearArgMaxArguments a) { best_of_rows<u16, 4, 4>(a); }
KERNEL(Block) linear_arg_max_bf16_8_rows(const LinearArgMaxArguments a) { best_of_rows<u16, 8, 4>(a); }
KERNEL(Block) linear_arg_max_f32_1_row(const LinearArgMaxArguments a) { best_of_rows<float, 1, 2>(a); }
KERNEL(Block) linear_arg_max_f32_4_rows(const LinearArgMaxArguments a) { best_of_rows<float, 4, 4>(a); }
KERNEL(Block) linear_arg_max_f32_8_rows(const LinearArgMaxArguments a) { best_of_rows<float, 8, 2>(a); }
KERNEL(Block) linear_arg_max_int8_1_row(const LinearArgMaxArguments a) { best_of_rows<u8, 1, 2>(a); }
KERNEL(Block) linear_arg_max_int8_4_rows(const LinearArgMaxArguments a) { best_of_rows<u8, 4, 2>(a); }
