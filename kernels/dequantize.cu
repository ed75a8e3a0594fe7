// A weight of few bits as the bf16 numbers that it stands for, row after row, for products of many rows.
#include "common/codes.cuh"

struct DequantizeArguments
{
    Run run;
    // Columns are a multiple of 8.
    View weight;
    u16* y;
};

struct ALIGNED(16) Words { u32 first, second, third, fourth; };

// A thread has steps of 16 of a row one after the other: as many as one word of each of four lanes holds.
template <int Bits> DEVICE void dequantize(const DequantizeArguments& a)
{
    if (is_stopped(a.run)) return;
    const int WordsOfStage = CodeStage * Bits / 32, WordsOfLane = WordsOfStage / 4, Steps = 8 / Bits, Depth = 16 * Steps;
    int words_of_row = a.weight.row_stride / 16;
    i64 i = (i64)blockIdx.x * 256 + threadIdx.x;
    if (i >= (i64)a.weight.rows * words_of_row) return;
    int row = (int)(i / words_of_row), word = (int)(i % words_of_row), k = word * Depth;
    const u32* codes = (const u32*)((const u8*)a.weight.data + (i64)row * a.weight.row_stride)
        + word / WordsOfLane * WordsOfStage + word % WordsOfLane;
    u32 of_lanes[4], scale = scale_of(a.weight, row, least(k, a.weight.columns - 1) / CodeGroup);
#pragma unroll
    for (int lane = 0; lane < 4; lane++) of_lanes[lane] = codes[lane * WordsOfLane];
#pragma unroll
    for (int step = 0; step < Steps; step++)
    {
        u32 pairs[2][4];
#pragma unroll
        for (int lane = 0; lane < 4; lane++)
        {
            u32 words[4 / Steps] = {of_lanes[lane]};
            codes_to_bf16(pairs[0][lane], pairs[1][lane], words, step, scale);
        }
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int column = k + 16 * step + 8 * half;
            if (column < a.weight.columns)
                *(Words*)(a.y + (i64)row * a.weight.columns + column) = {pairs[half][0], pairs[half][1], pairs[half][2], pairs[half][3]};
        }
    }
}

KERNEL(256) dequantize_int8(const DequantizeArguments a) { dequantize<8>(a); }
KERNEL(256) dequantize_int4(const DequantizeArguments a) { dequantize<4>(a); }
