/*
 * Batches (layer 4): rows of a data set laid end to end with their bounds, without padding, as
 * the plan takes them. The order of rows is an array of row numbers; an epoch is its consecutive
 * slices, the last one as short as it comes. Ownership: a batch owns its arrays, sized once;
 * fill reuses them.
 */
#ifndef SP_DATA_BATCH_H
#define SP_DATA_BATCH_H

#include "runtime/data/dataset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_batch {
    size_t count, tokens;         /* in use */
    size_t max_count, max_tokens; /* room */
    uint32_t *ids, *types;        /* [tokens] */
    uint32_t *bounds;  /* [count + 1]: row i holds tokens bounds[i] .. bounds[i + 1] - 1 */
    uint32_t *rows;    /* [count]: the data set's row numbers */
    union {
        void *targets;     /* [target_count], as a plan takes them: one a row, or for each token */
        uint32_t *classes; /* of a data set of classes */
        float *values;     /* of one of values */
    };
    size_t target_count; /* 0 where the data set has none */
    size_t terms;        /* of the loss, a mean over all of them (sp_data_terms) */
};

int sp_batch_init(struct sp_batch *out, size_t max_count, size_t max_tokens);
void sp_batch_free(struct sp_batch *batch); /* safe on a zeroed one */

/* Fills the batch from rows order[from .. from + count - 1]. A batch too small for them is
 * SP_EINVAL. */
int sp_batch_fill(struct sp_batch *batch, const struct sp_dataset *dataset, const uint32_t *order,
                  size_t from, size_t count);

/* How many terms the loss of rows order[from .. from + count - 1] has: one a row, or of each row as many as it has
 * targets that enter the loss. What is a mean over the terms of several batches weighs each by its own. */
size_t sp_data_terms(const struct sp_dataset *dataset, const uint32_t *order, size_t from, size_t count);

/* The order of rows in an epoch: out[count]. Without shuffle 0, 1, ...; with it a permutation
 * that is a function of (seed, epoch) alone. */
void sp_data_order(uint32_t *out, size_t count, uint64_t seed, uint32_t epoch, bool shuffle);

/* The most tokens that any batch of `batch_size` rows can hold: the sum of the longest rows.
 * Fails with SP_ENOMEM only. */
int sp_data_max_tokens(size_t *out, const struct sp_dataset *dataset, size_t batch_size);

/* Tokens of the longest row; 0 for an empty set. */
size_t sp_data_longest(const struct sp_dataset *dataset);

#endif
