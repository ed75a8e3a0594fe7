// Weights in codes of 8 or 4 bits with a scale for each 128 of a row: src/Sa2VA.Core/Backends/GroupQuantization.cs says what they stand
// for, src/Sa2VA.Cuda/WeightCodes.cs how they lie. A row's codes are padded to stages of 64; behind all rows are the scales, [group][row].
#pragma once
#include "tensor_core.cuh"
#include "tensor.cuh"

const int CodeGroup = 128, CodeStage = 64;

// Bytes chosen of two words.
DEVICE u32 permute(u32 low, u32 high, u32 choice)
{
    u32 d;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(low), "r"(high), "r"(choice));
    return d;
}

DEVICE u32 fused_bf16(u32 a, u32 b, u32 c)
{
    u32 d;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

// Byte i of a word, a code + 128, times a scale: 2^15 + 128 + code is a float's upper bits, and no rounding happens.
DEVICE float scaled_byte(u32 word, int i, float scale)
{
    return fused(bits_to_float(permute(word, 0x47000000, 0x7404 | i << 4)), scale, -32896.0f * scale);
}

// Two codes of 4 bits + 8, bits 0 … 3 and 16 … 19, times a scale: 2^7 + 8 + code are the bits of bf16, from which 136 is taken exactly.
DEVICE u32 scaled_nibbles(u32 nibbles, u32 scale)
{
    return fused_bf16(fused_bf16(nibbles & 0x000f000f | 0x43004300, 0x3f803f80, 0xc308c308), scale, 0x80008000);
}

// A lane's pairs of step `step` of a stage, as bf16: 8 bits have a word for each step, 4 bits one for two.
DEVICE void codes_to_bf16(u32& first, u32& second, const u32 (&words)[4], int step, u32 scale)
{
    float s = bits_to_float(scale << 16);
    first = pack_bf16(scaled_byte(words[step], 0, s), scaled_byte(words[step], 1, s));
    second = pack_bf16(scaled_byte(words[step], 2, s), scaled_byte(words[step], 3, s));
}

DEVICE void codes_to_bf16(u32& first, u32& second, const u32 (&words)[2], int step, u32 scale)
{
    u32 word = words[step / 2] >> step % 2 * 8;
    scale |= scale << 16;
    first = scaled_nibbles(word, scale);
    second = scaled_nibbles(word >> 4, scale);
}

DEVICE void load_words(u32 (&words)[4], u32 from)
{
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(from) : "memory");
}

DEVICE void load_words(u32 (&words)[2], u32 from)
{
    asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(words[0]), "=r"(words[1]) : "r"(from) : "memory");
}

// Scale of a group of 128 of a weight's row.
DEVICE u32 scale_of(const View& weight, int row, int group)
{
    const u16* scales = (const u16*)((const u8*)weight.data + (i64)weight.rows * weight.row_stride);
    return scales[(i64)group * weight.rows + row];
}

// Rows first … of a weight that ends before row end, fetched asynchronously.
template <int Bits> struct CodeRows
{
    View weight;
    int first, end;

    DEVICE_MEMBER CodeRows(const View& v, int first_row, int end_row) : weight(v), first(first_row), end(end_row) {}

    // The 16 bytes of codes that begin with number k.
    DEVICE_MEMBER void fetch(u32 to, int row, int k) const
    {
        copy_async(to, (const u8*)weight.data + (i64)(first + row) * weight.row_stride + k * Bits / 8, first + row < end ? 16 : 0);
    }

    // That of a stage; of the last row or stage behind those.
    DEVICE_MEMBER u32 scale(int row, int stage) const
    {
        return scale_of(weight, least(first + row, end - 1), least(stage, (weight.columns - 1) / CodeStage) / (CodeGroup / CodeStage));
    }
};
