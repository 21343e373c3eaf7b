/*
 * Exact top-K over the scores of several tensors (layer 4), streamed: tensors are added one at a time and only
 * candidates are kept, at most a few times K of them, so that no more than one tensor's scores need exist. The result
 * does not depend on the order or grouping in which tensors are added. Of equal scores the lower (tensor, position)
 * wins.
 */
#ifndef SP_SPARSE_SELECT_H
#define SP_SPARSE_SELECT_H

#include <stddef.h>
#include <stdint.h>

struct sp_select;

/* Chooses `count` entries over all tensors that will be added. */
int sp_select_create(struct sp_select **out, size_t count);
void sp_select_free(struct sp_select *select); /* NULL is fine */

/* Adds tensor number `tensor`, each number once: scores[n], larger is better. A NaN is SP_ENUMERIC naming `name`. */
int sp_select_add(struct sp_select *select, uint32_t tensor, const float *scores, size_t n, const char *name);

/* The positions chosen of `tensor`, sorted, in a new array, after all were added and none after it; fewer entries than
 * `count` are all chosen. */
int sp_select_positions(uint32_t **out, size_t *count, struct sp_select *select, uint32_t tensor);

#endif
