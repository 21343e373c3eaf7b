/*
 * How much masks have in common (layer 6). A mask is a mask file (`<weight>.indices`) or the sparse part of an adapter
 * folder. A weight that one of two masks does not name counts as one without positions there.
 *
 * Ownership: what sp_positions_open fills lives until sp_positions_close. Threading: read-only after that.
 */
#ifndef SP_STUDY_OVERLAP_H
#define SP_STUDY_OVERLAP_H

#include "runtime/io/adapter.h"
#include "runtime/io/safetensors.h"

#include <stddef.h>

/* One mask's positions. */
struct sp_positions {
    const char *path;                        /* as given; borrowed */
    const struct sp_adapter_sparse *tensors; /* rows and cols 0 where only positions are known */
    size_t count;
    size_t total; /* positions in all */
    const char *checksum;                    /* of the model that they are of; NULL where a mask file does not say */
    struct sp_adapter adapter;
    struct sp_adapter_sparse *own;
    char **names;
    struct sp_safetensors *file;
};

/* Opens a mask file or an adapter folder; refuses what is neither, with the reason. */
int sp_positions_open(struct sp_positions *out, const char *path);
void sp_positions_close(struct sp_positions *positions); /* safe on a zeroed one */

/* The tensor of that name, or NULL. */
const struct sp_adapter_sparse *sp_positions_find(const struct sp_positions *positions, const char *name);

/* Refuses two that cannot be of one model: other checksums, shapes, positions outside the other's shape, or, where a
 * checksum is not known, no weight in common. */
int sp_positions_check(const struct sp_positions *a, const struct sp_positions *b);

struct sp_overlap {
    size_t a, b, shared; /* positions of each, and in both */
};

/* The overlap in one weight; a tensor may be NULL. */
struct sp_overlap sp_overlap_tensor(const struct sp_adapter_sparse *a, const struct sp_adapter_sparse *b);

/* Over all weights. */
struct sp_overlap sp_overlap_total(const struct sp_positions *a, const struct sp_positions *b);

void sp_overlap_add(struct sp_overlap *sum, struct sp_overlap one);

/* |A and B| / |A or B|; NaN where both are empty. */
double sp_overlap_jaccard(struct sp_overlap overlap);

#endif
