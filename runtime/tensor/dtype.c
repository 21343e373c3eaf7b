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
        for (size_t i = 0; i < count; i++) {
            memcpy(&word, p + 2 * i, sizeof word);
            out[i] = from_half(word);
        }
        break;
    case SP_BF16:
        for (size_t i = 0; i < count; i++) {
            memcpy(&word, p + 2 * i, sizeof word);
            out[i] = from_bits((uint32_t)word << 16);
        }
        break;
    default: /* SP_F32: the contract admits no other */
        memcpy(out, in, count * sizeof *out);
        break;
    }
}
