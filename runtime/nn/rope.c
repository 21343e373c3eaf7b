#include "runtime/nn/rope.h"

#include "runtime/base/error.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

/* The wavelengths that are too long for the original positions are divided by the factor, short ones stay, and those
 * between are interpolated. */
static float llama3(float inverse, const struct sp_rope *r)
{
    float wavelength = (float)two_pi / inverse, original = (float)r->original_max_position_embeddings;
    float low = (float)r->low_freq_factor, high = (float)r->high_freq_factor, factor = (float)r->factor;
    float smooth = (original / wavelength - low) / (float)(r->high_freq_factor - r->low_freq_factor);

    if (wavelength < original / high)
        return inverse;
    if (wavelength > original / low)
        return inverse / factor;
    return (1 - smooth) * inverse / factor + smooth * inverse;
}

/* The pair that turns so many times over the original positions. */
static double correction(double turns, const struct sp_rope *r)
{
    return r->head_dim * log(r->original_max_position_embeddings / (turns * two_pi)) / (2 * log(r->base));
}

/* Pairs that turn often stay, those that turn seldom are divided by the factor, with a ramp between. */
static void yarn(float *inverse, const struct sp_rope *r)
{
    double low = correction(r->beta_fast > 0 ? r->beta_fast : 32, r);
    double high = correction(r->beta_slow > 0 ? r->beta_slow : 1, r);

    low = fmax(r->no_truncate ? low : floor(low), 0);
    high = fmin(r->no_truncate ? high : ceil(high), r->head_dim - 1);
    high += low == high ? 0.001 : 0;
    for (int i = 0; i < r->head_dim / 2; i++) {
        float ramp = ((float)i - (float)low) / (float)(high - low), frequency = 1 / inverse[i], keep;

        keep = 1 - fminf(fmaxf(ramp, 0), 1);
        inverse[i] = 1 / ((float)r->factor * frequency) * (1 - keep) + inverse[i] * keep;
    }
}

static double yarn_mscale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static double attention_factor(const struct sp_rope *r)
{
    if (r->scaling != SP_ROPE_YARN)
        return 1;
    if (r->attention_factor > 0)
        return r->attention_factor;
    if (r->mscale > 0 && r->mscale_all_dim > 0)
        return yarn_mscale(r->factor, r->mscale) / yarn_mscale(r->factor, r->mscale_all_dim);
    return yarn_mscale(r->factor, 1);
}

int sp_rope_check(const struct sp_rope *r)
{
    bool scaled = r->scaling != SP_ROPE_DEFAULT, original = r->scaling == SP_ROPE_LLAMA3 || r->scaling == SP_ROPE_YARN;

    if (r->head_dim < 2 || r->head_dim % 2 != 0)
        return sp_error(SP_EINVAL, "rotary embeddings of heads of %d: a head has pairs of elements", r->head_dim);
    if (!(r->base > 1))
        return sp_error(SP_EINVAL, "rotary embeddings with rope_theta %g, which must be above 1", r->base);
    if (scaled && !(r->factor > 0))
        return sp_error(SP_EINVAL, "rotary embeddings that are scaled by the factor %g, which must be positive",
                        r->factor);
    if (original && !(r->original_max_position_embeddings > 0))
        return sp_error(SP_EINVAL, "rotary embeddings with original_max_position_embeddings %g, which must be positive",
                        r->original_max_position_embeddings);
    if (r->scaling == SP_ROPE_LLAMA3 && !(r->low_freq_factor > 0 && r->high_freq_factor > r->low_freq_factor))
        return sp_error(SP_EINVAL,
                        "rotary embeddings with low_freq_factor %g and high_freq_factor %g, which must be above it",
                        r->low_freq_factor, r->high_freq_factor);
    for (int i = 0; r->factors && i < r->head_dim / 2; i++)
        if (!(r->factors[i] > 0))
            return sp_error(SP_EINVAL, "rotary embeddings whose frequency %d is divided by %g, which must be positive",
                            i, (double)r->factors[i]);
    return 0;
}

int sp_rope_frequencies(float *inverse, float *scale, const struct sp_rope *r)
{
    SP_TRY(sp_rope_check(r));
    for (int i = 0; i < r->head_dim / 2; i++) {
        float exponent = (float)(2 * i) / (float)r->head_dim;

        inverse[i] = 1 / (float)pow((double)(float)r->base, (double)exponent);
        if (r->scaling == SP_ROPE_LINEAR)
            inverse[i] /= (float)r->factor;
        if (r->scaling == SP_ROPE_LLAMA3)
            inverse[i] = llama3(inverse[i], r);
    }
    if (r->scaling == SP_ROPE_YARN)
        yarn(inverse, r);
    for (int i = 0; r->factors && i < r->head_dim / 2; i++)
        inverse[i] /= r->factors[i];
    *scale = (float)attention_factor(r);
    return 0;
}

void sp_rope_table(float *table, const float *inverse, float scale, int head_dim, int positions)
{
    int half = head_dim / 2;

    for (int p = 0; p < positions; p++, table += head_dim)
        for (int i = 0; i < half; i++) {
            double angle = (double)((float)p * inverse[i]);

            table[i] = (float)cos(angle) * scale;
            table[half + i] = (float)sin(angle) * scale;
        }
}
