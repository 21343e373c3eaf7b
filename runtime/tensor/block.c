#include "runtime/tensor/block.h"

#include "runtime/tensor/dtype.h"

#include <stdio.h>
#include <string.h>

/* Each function below gets the bytes of `blocks` blocks one after another; loops have a constant length, so that
 * compilers vectorise them. */

static float half_at(const unsigned char *in)
{
    float value;

    sp_dtype_to_f32(&value, SP_F16, in, 1);
    return value;
}

static void f32(float *out, const unsigned char *in, size_t blocks)
{
    sp_dtype_to_f32(out, SP_F32, in, blocks);
}

static void f16(float *out, const unsigned char *in, size_t blocks)
{
    sp_dtype_to_f32(out, SP_F16, in, blocks);
}

static void bf16(float *out, const unsigned char *in, size_t blocks)
{
    sp_dtype_to_f32(out, SP_BF16, in, blocks);
}

/* ---- blocks of 32: a scale, perhaps a smallest value, the low four bits of element j and j + 16 in one byte ---- */

static void q4_0(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 18, out += 32) {
        float d = half_at(in);

        for (int j = 0; j < 16; j++)
            out[j] = (float)((in[2 + j] & 15) - 8) * d;
        for (int j = 0; j < 16; j++)
            out[16 + j] = (float)((in[2 + j] >> 4) - 8) * d;
    }
}

static void q4_1(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 20, out += 32) {
        float d = half_at(in), m = half_at(in + 2);

        for (int j = 0; j < 16; j++)
            out[j] = (float)(in[4 + j] & 15) * d + m;
        for (int j = 0; j < 16; j++)
            out[16 + j] = (float)(in[4 + j] >> 4) * d + m;
    }
}

/* The fifth bits of 32 elements, each in its place: 0 or 16. */
static void fifth_bits(unsigned char out[32], const unsigned char in[4])
{
    for (int j = 0; j < 32; j++)
        out[j] = (unsigned char)((in[j / 8] >> (j % 8) & 1) << 4);
}

static void q5_0(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    unsigned char high[32];

    for (; blocks--; in += 22, out += 32) {
        float d = half_at(in);

        fifth_bits(high, in + 2);
        for (int j = 0; j < 16; j++)
            out[j] = (float)(((in[6 + j] & 15) | high[j]) - 16) * d;
        for (int j = 0; j < 16; j++)
            out[16 + j] = (float)(((in[6 + j] >> 4) | high[16 + j]) - 16) * d;
    }
}

static void q5_1(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    unsigned char high[32];

    for (; blocks--; in += 24, out += 32) {
        float d = half_at(in), m = half_at(in + 2);

        fifth_bits(high, in + 4);
        for (int j = 0; j < 16; j++)
            out[j] = (float)((in[8 + j] & 15) | high[j]) * d + m;
        for (int j = 0; j < 16; j++)
            out[16 + j] = (float)((in[8 + j] >> 4) | high[16 + j]) * d + m;
    }
}

static void q8_0(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 34, out += 32) {
        float d = half_at(in);

        for (int j = 0; j < 32; j++)
            out[j] = (float)(signed char)in[2 + j] * d;
    }
}

/* ---- blocks of 256: parts of 16 or 32 with small scales (and offsets) of their own, multiples of the block's ---- */

static void q2_k(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 84, out += 256) {
        float d = half_at(in + 80), m = half_at(in + 82);

        for (int part = 0; part < 16; part++) { /* two bits each; a byte's four are 32 elements apart */
            const unsigned char *q = in + 16 + 32 * (part / 8) + 16 * (part % 2);
            int shift = part % 8 / 2 * 2;
            float scale = d * (float)(in[part] & 15), offset = m * (float)(in[part] >> 4);

            for (int j = 0; j < 16; j++)
                out[16 * part + j] = scale * (float)(q[j] >> shift & 3) - offset;
        }
    }
}

static void q3_k(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 110, out += 256) {
        const unsigned char *scales = in + 96; /* 16 of six bits: the low four of all, then the high two */
        float d = half_at(in + 108);

        for (int part = 0; part < 16; part++) {
            const unsigned char *q = in + 32 + 32 * (part / 8) + 16 * (part % 2), *mask = in + 16 * (part % 2);
            int shift = part % 8 / 2 * 2, bit = part / 2, low = scales[part % 8] >> (part / 8 * 4) & 15;
            float scale = d * (float)((low | (scales[8 + part % 4] >> (part / 4 * 2) & 3) << 4) - 32);

            for (int j = 0; j < 16; j++) /* where the mask's bit is not set, four are taken off */
                out[16 * part + j] = scale * (float)((q[j] >> shift & 3) - (~mask[j] >> bit & 1) * 4);
        }
    }
}

/* Scale and offset of part 0 to 7, six bits each, in the 12 bytes of Q4_K and Q5_K. */
static void six_bits(int *scale, int *offset, const unsigned char *in, int part)
{
    if (part < 4) {
        *scale = in[part] & 63;
        *offset = in[part + 4] & 63;
    } else {
        *scale = (in[part + 4] & 15) | in[part - 4] >> 6 << 4;
        *offset = in[part + 4] >> 4 | in[part] >> 6 << 4;
    }
}

static void q4_k(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 144, out += 256) {
        float d = half_at(in), m = half_at(in + 2);

        for (int part = 0; part < 8; part++) {
            const unsigned char *q = in + 16 + 32 * (part / 2);
            int shift = part % 2 * 4, times, off;
            float scale, offset;

            six_bits(&times, &off, in + 4, part);
            scale = d * (float)times;
            offset = m * (float)off;
            for (int j = 0; j < 32; j++)
                out[32 * part + j] = scale * (float)(q[j] >> shift & 15) - offset;
        }
    }
}

static void q5_k(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 176, out += 256) {
        const unsigned char *high = in + 16; /* the fifth bits: of part p, bit p */
        float d = half_at(in), m = half_at(in + 2);

        for (int part = 0; part < 8; part++) {
            const unsigned char *q = in + 48 + 32 * (part / 2);
            int shift = part % 2 * 4, times, off;
            float scale, offset;

            six_bits(&times, &off, in + 4, part);
            scale = d * (float)times;
            offset = m * (float)off;
            for (int j = 0; j < 32; j++)
                out[32 * part + j] = scale * (float)((q[j] >> shift & 15) | (high[j] >> part & 1) << 4) - offset;
        }
    }
}

static void q6_k(float *restrict out, const unsigned char *restrict in, size_t blocks)
{
    for (; blocks--; in += 210, out += 256) {
        float d = half_at(in + 208);

        for (int part = 0; part < 16; part++) { /* the low four bits, then the high two */
            int of = part % 8;
            const unsigned char *low = in + 64 * (part / 8) + 16 * (of % 4), *high = in + 128 + 32 * (part / 8);
            float scale = d * (float)(signed char)in[192 + part];

            high += 16 * (of % 2);
            for (int j = 0; j < 16; j++)
                out[16 * part + j] =
                    scale * (float)(((low[j] >> (of / 4 * 4) & 15) | (high[j] >> (of / 2 * 2) & 3) << 4) - 32);
        }
    }
}

static const struct sp_block_type types[] = {
#define SP_BLOCK(id, name, elements, bytes, function) { #name, id, elements, bytes, function },
#define SP_BLOCK_NAME(id, name) { #name, id, 0, 0, NULL },
#include "runtime/tensor/block.def"
#undef SP_BLOCK
#undef SP_BLOCK_NAME
};

const struct sp_block_type *sp_block_type_find(uint32_t id)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

const char *sp_block_types(char out[SP_BLOCK_TYPES_TEXT])
{
    size_t at = 0;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].to_f32)
            at += (size_t)snprintf(out + at, SP_BLOCK_TYPES_TEXT - at, "%s%s", at ? ", " : "", types[i].name);
    return out;
}
