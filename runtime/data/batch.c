#include "runtime/data/batch.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"

#include <stdlib.h>
#include <string.h>

int sp_batch_init(struct sp_batch *out, size_t max_count, size_t max_tokens)
{
    *out = (struct sp_batch){ .max_count = max_count, .max_tokens = max_tokens };
    if (max_tokens > UINT32_MAX)
        return sp_error(SP_EINVAL, "a batch of %zu tokens; the most is %u", max_tokens, UINT32_MAX);
    out->ids = sp_calloc(max_tokens, sizeof *out->ids);
    out->types = sp_calloc(max_tokens, sizeof *out->types);
    out->bounds = sp_calloc(max_count + 1, sizeof *out->bounds);
    out->rows = sp_calloc(max_count, sizeof *out->rows);
    out->targets = sp_calloc(max_count > max_tokens ? max_count : max_tokens, sizeof *out->classes);
    if (out->ids && out->types && out->bounds && out->rows && out->targets)
        return 0;
    sp_batch_free(out);
    return SP_ENOMEM;
}

void sp_batch_free(struct sp_batch *batch)
{
    free(batch->ids);
    free(batch->types);
    free(batch->bounds);
    free(batch->rows);
    free(batch->targets);
    *batch = (struct sp_batch){ .count = 0 };
}

static void add_row(struct sp_batch *batch, const struct sp_dataset *dataset, uint32_t row)
{
    size_t from = dataset->offsets[row], length = sp_dataset_length(dataset, row);
    size_t i = batch->count++, target_count;
    const uint32_t *targets;

    memcpy(batch->ids + batch->tokens, dataset->ids + from, length * sizeof *batch->ids);
    for (size_t t = 0; t < length; t++)
        batch->types[batch->tokens + t] = dataset->types[from + t];
    batch->tokens += length;
    batch->bounds[i + 1] = (uint32_t)batch->tokens;
    batch->rows[i] = row;
    target_count = sp_dataset_targets(&targets, dataset, row);
    if (target_count)
        memcpy(batch->classes + batch->target_count, targets, target_count * sizeof *targets);
    batch->target_count += target_count;
}

int sp_batch_fill(struct sp_batch *batch, const struct sp_dataset *dataset, const uint32_t *order,
                  size_t from, size_t count)
{
    size_t tokens = 0;

    for (size_t i = 0; i < count; i++)
        tokens += sp_dataset_length(dataset, order[from + i]);
    if (count > batch->max_count || tokens > batch->max_tokens)
        return sp_error(SP_EINVAL,
                        "%zu rows of %zu tokens do not fit a batch of %zu rows and %zu tokens",
                        count, tokens, batch->max_count, batch->max_tokens);
    batch->count = batch->tokens = batch->target_count = 0;
    batch->terms = sp_data_terms(dataset, order, from, count);
    batch->bounds[0] = 0;
    for (size_t i = 0; i < count; i++)
        add_row(batch, dataset, order[from + i]);
    return 0;
}

size_t sp_data_terms(const struct sp_dataset *dataset, const uint32_t *order, size_t from, size_t count)
{
    size_t terms = 0;

    for (size_t i = 0; dataset->terms && i < count; i++)
        terms += dataset->terms[order[from + i]];
    return dataset->terms ? terms : count;
}

void sp_data_order(uint32_t *out, size_t count, uint64_t seed, uint32_t epoch, bool shuffle)
{
    if (shuffle) {
        sp_rng_permutation(out, count, seed, SP_RNG_SHUFFLE, epoch);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)i;
}

size_t sp_data_longest(const struct sp_dataset *dataset)
{
    size_t longest = 0;

    for (size_t i = 0; i < dataset->count; i++)
        if (sp_dataset_length(dataset, i) > longest)
            longest = sp_dataset_length(dataset, i);
    return longest;
}

int sp_data_max_tokens(size_t *out, const struct sp_dataset *dataset, size_t batch_size)
{
    size_t longest = sp_data_longest(dataset), left = batch_size;
    size_t *rows_of = sp_calloc(longest + 1, sizeof *rows_of); /* rows of each length */

    *out = 0;
    if (!rows_of)
        return SP_ENOMEM;
    for (size_t i = 0; i < dataset->count; i++)
        rows_of[sp_dataset_length(dataset, i)]++;
    for (size_t length = longest; length > 0 && left > 0; length--) {
        size_t rows = rows_of[length] < left ? rows_of[length] : left;

        *out += rows * length;
        left -= rows;
    }
    free(rows_of);
    return 0;
}
