#include "runtime/tensor/dtype.h"

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensor files are little-endian and used in place: a big-endian host needs byte swaps"
#endif

static const struct {
    const char *name;
    size_t size;
    bool floating;
} dtypes[] = {
#define SP_DTYPE(name, bytes, floating) { #name, bytes, floating },
#include "runtime/tensor/dtype.def"
#undef SP_DTYPE
};

const char *sp_dtype_name(enum sp_dtype dtype)
{
    return dtypes[dtype].name;
}

bool sp_dtype_find(enum sp_dtype *out, const char *name)
{
    for (int i = 0; i < SP_DTYPE_COUNT; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *out = (enum sp_dtype)i;
            return true;
        }
    }
    return false;
}

size_t sp_dtype_size(enum sp_dtype dtype)
{
    return dtypes[dtype].size;
}

bool sp_dtype_is_float(enum sp_dtype dtype)
{
    return dtypes[dtype].floating;
}

static float from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t mantissa = half & 1023;

    if (exponent == 0) { /* zero and subnormal: a multiple of 2^-24, exact in fp32 */
        float value = (float)mantissa * 0x1p-24f;

        return sign ? -value : value;
    }
    exponent = exponent == 31 ? 255 : exponent + 127 - 15;
    return from_bits(sign | exponent << 23 | mantissa << 13);
}

void sp_dtype_to_f32(float *out, enum sp_dtype dtype, const void *in, size_t count)
{
    const unsigned char *p = in;
    uint16_t word;
    double wide;

    if (count == 0)
        return;
    switch (dtype) {
    case SP_F64:
        for (size_t i = 0; i < count; i++) {
            memcpy(&wide, p + 8 * i, sizeof wide);
            out[i] = (float)wide;
        }
        break;
    case SP_F16:
    case SP_BF16:
        for (size_t i = 0; i < count; i++) {
            memcpy(&word, p + 2 * i, sizeof word);
            out[i] = dtype == SP_F16 ? from_half(word) : from_bits((uint32_t)word << 16);
        }
        break;
    default: /* SP_F32: the contract admits no other */
        memcpy(out, in, count * sizeof *out);
        break;
    }
}

static uint32_t to_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The upper 32 - `drop` bits, rounded: a carry runs into the exponent, as it should. */
static uint32_t round_off(uint32_t bits, int drop)
{
    uint32_t half = (uint32_t)1 << (drop - 1), odd = bits >> drop & 1;

    return (bits + half - 1 + odd) >> drop;
}

static uint16_t to_bfloat(float value)
{
    uint32_t bits = to_bits(value);

    return value != value ? (uint16_t)(bits >> 16 | 0x40) : (uint16_t)round_off(bits, 16);
}

static uint16_t to_half(float value)
{
    uint32_t bits = to_bits(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFF;

    if (value != value)
        return (uint16_t)(sign | 0x7E00);
    /* below 2^-14: a multiple of 2^-24, which fp32's own rounding finds at 1/2, whose last bit that is */
    if (rest < 0x38800000)
        return (uint16_t)(sign | (to_bits(from_bits(rest) + 0.5f) - to_bits(0.5f)));
    rest = round_off(rest - ((127 - 15) << 23), 13);
    return (uint16_t)(sign | (rest < 0x7C00 ? rest : 0x7C00));
}

void sp_dtype_from_f32(void *out, enum sp_dtype dtype, const float *in, size_t count)
{
    unsigned char *p = out;
    uint16_t word;
    double wide;

    if (count == 0)
        return;
    switch (dtype) {
    case SP_F64:
        for (size_t i = 0; i < count; i++) {
            wide = (double)in[i];
            memcpy(p + 8 * i, &wide, sizeof wide);
        }
        break;
    case SP_F16:
    case SP_BF16:
        for (size_t i = 0; i < count; i++) {
            word = dtype == SP_F16 ? to_half(in[i]) : to_bfloat(in[i]);
            memcpy(p + 2 * i, &word, sizeof word);
        }
        break;
    default: /* SP_F32: the contract admits no other */
        memcpy(out, in, count * sizeof *in);
        break;
    }
}
