/*
 * Rotary position embeddings (layer 4): by which angles a head's pairs of elements turn from one position to the next,
 * as transformers' modeling_rope_utils computes them (5.23), in fp32 and in its order. Pure functions.
 *
 * Element i of a head's first half and element i of its second half are a pair; at position p it turns by
 * p * inverse[i]. What is returned is multiplied by `scale` (yarn's attention factor, else 1).
 */
#ifndef SP_NN_ROPE_H
#define SP_NN_ROPE_H

#include <stdbool.h>

enum sp_rope_scaling { SP_ROPE_DEFAULT, SP_ROPE_LINEAR, SP_ROPE_LLAMA3, SP_ROPE_YARN };

/* A zeroed one with head_dim and base is the default. Called as in config.json where that has a name for it. */
struct sp_rope {
    int head_dim; /* even; the whole head turns */
    double base;  /* rope_theta */
    enum sp_rope_scaling scaling;
    double factor;                            /* linear, llama3, yarn */
    double original_max_position_embeddings;  /* llama3, yarn */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow;              /* yarn; 0: 32 and 1 */
    double mscale, mscale_all_dim;            /* yarn; 0: not given */
    double attention_factor;                  /* yarn; 0: not given */
    bool no_truncate;                         /* yarn: `truncate` is false */
    /* [head_dim / 2]: frequency i is divided by factors[i], as GGUF's rope_freqs.weight says (which already holds
     * llama3's scaling); NULL: none */
    const float *factors;
};

int sp_rope_check(const struct sp_rope *rope); /* numbers that cannot be are SP_EINVAL */

/* inverse[head_dim / 2]; *scale. Checks, too. */
int sp_rope_frequencies(float *inverse, float *scale, const struct sp_rope *rope);

/* table[positions][head_dim]: for each position the cosines of its head_dim / 2 angles, then their sines, both times
 * `scale`. An angle is the product in fp32, as transformers has it; its cosine is made in double and rounded. */
void sp_rope_table(float *table, const float *inverse, float scale, int head_dim, int positions);

#endif
