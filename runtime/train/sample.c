#include "runtime/train/sample.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"

#include <math.h>
#include <stdlib.h>

struct sp_sample_entry {
    uint32_t token;
    float logit;
    double weight; /* exp((logit - the largest) / temperature) */
};

int sp_sampler_init(struct sp_sampler *out, const struct sp_sample_options *options, size_t vocabulary)
{
    *out = (struct sp_sampler){ .options = *options, .vocabulary = vocabulary };
    if (options->temperature == 0)
        return 0;
    out->entries = sp_calloc(vocabulary, sizeof *out->entries);
    return out->entries ? 0 : SP_ENOMEM;
}

void sp_sampler_release(struct sp_sampler *sampler)
{
    free(sampler->entries);
    *sampler = (struct sp_sampler){ 0 };
}

static int likeliest(uint32_t *token, const float *logits, size_t count)
{
    size_t best = 0;

    for (size_t i = 0; i < count; i++) {
        if (isnan(logits[i]))
            return sp_error(SP_ENUMERIC, "the logit of token %zu is not a number", i);
        if (logits[i] > logits[best])
            best = i;
    }
    if (!isfinite(logits[best]))
        return sp_error(SP_ENUMERIC, "the largest logit, of token %zu, is %f", best, (double)logits[best]);
    *token = (uint32_t)best;
    return 0;
}

/* The likeliest first, of equal ones the first token. */
static int by_weight(const void *a, const void *b)
{
    const struct sp_sample_entry *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* How many of the entries, which are sorted where there is a choice, top_k and top_p leave, and the sum of their
 * weights. */
static size_t keep(double *sum, const struct sp_sampler *s)
{
    const struct sp_sample_entry *e = s->entries;
    size_t count = s->vocabulary, k = (size_t)s->options.top_k;
    double total = 0, head = 0;

    if (k > 0 && k < count)
        for (count = k; count < s->vocabulary && e[count].logit == e[k - 1].logit; count++)
            ;
    for (size_t i = 0; i < count; i++)
        total += e[i].weight;
    *sum = total;
    if (s->options.top_p >= 1)
        return count;
    for (size_t i = 0; i < count; i++) {
        head += e[i].weight;
        if (head >= s->options.top_p * total) {
            *sum = head;
            return i + 1;
        }
    }
    return count;
}

int sp_sampler_next(uint32_t *token, struct sp_sampler *s, const float *logits, uint32_t text, uint64_t step)
{
    uint32_t best = 0;
    double sum, draw, passed = 0;
    size_t count;

    SP_TRY(likeliest(&best, logits, s->vocabulary));
    *token = best;
    if (s->options.temperature == 0)
        return 0;
    for (size_t i = 0; i < s->vocabulary; i++)
        s->entries[i] = (struct sp_sample_entry){
            .token = (uint32_t)i,
            .logit = logits[i],
            .weight = exp(((double)logits[i] - (double)logits[best]) / s->options.temperature),
        };
    if (s->options.top_k > 0 || s->options.top_p < 1)
        qsort(s->entries, s->vocabulary, sizeof *s->entries, by_weight);
    count = keep(&sum, s);
    draw = sum * sp_rng_uniform(s->options.seed, SP_RNG_SAMPLE, text, step);
    for (size_t i = 0; i < count; i++) {
        passed += s->entries[i].weight;
        *token = s->entries[i].token;
        if (draw < passed)
            break;
    }
    return 0;
}
