/*
 * Choosing the next token of a text that is generated (layer 5): the likeliest, or one drawn at random from those that
 * the options leave. Threading: a sampler is used by one thread at a time.
 */
#ifndef SP_TRAIN_SAMPLE_H
#define SP_TRAIN_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct sp_sample_options {
    double temperature; /* 0: the likeliest token, of equal ones the first; else logits are divided by it */
    int top_k;          /* only the k likeliest, and what is as likely as the last of them; 0: all */
    double top_p;       /* of these the fewest that have this probability together; 1: all */
    uint64_t seed;
};

struct sp_sampler {
    struct sp_sample_options options;
    size_t vocabulary;
    struct sp_sample_entry *entries; /* [vocabulary] */
};

int sp_sampler_init(struct sp_sampler *out, const struct sp_sample_options *options, size_t vocabulary);
void sp_sampler_release(struct sp_sampler *sampler); /* safe on a zeroed one */

/* The token after logits[vocabulary], as transformers applies the options: temperature, top_k, top_p (Holtzman et al.
 * 2020). What is drawn is a function of the seed, the text's number and the step alone, so that neither other texts nor
 * their order change it. A logit that is NaN, or none that is finite, is SP_ENUMERIC. */
int sp_sampler_next(uint32_t *token, struct sp_sampler *sampler, const float *logits, uint32_t text, uint64_t step);

#endif
