/*
 * The positions that are trained of a tensor, its support, while it changes (layer 4): sorted unique lists on the host,
 * updated in one merge pass, with a map along which the entries' state moves (runtime/base/remap.h). Nothing is
 * allocated here, the arrays are the caller's. Lists have fewer than 2^32 - 1 entries. Threading: none.
 */
#ifndef SP_SPARSE_SUPPORT_H
#define SP_SPARSE_SUPPORT_H

#include "runtime/base/remap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the positions `dropped` out of `old` and puts `added` in, all three sorted and unique, `dropped` a part of
 * `old`. A position in both stays; one of `added` that `old` has, too. Writes positions and, for each, the entry of
 * `old` that it was; returns their number. Both arrays need room for count + added_count, whatever is dropped. */
size_t sp_support_update(uint32_t *out, uint32_t *from, const uint32_t *old, size_t count, const uint32_t *dropped,
                         size_t dropped_count, const uint32_t *added, size_t added_count);

/* Puts positions in order. */
void sp_support_sort(uint32_t *positions, size_t count);

/* Whether the sorted list has the position. */
bool sp_support_has(const uint32_t *positions, size_t count, uint32_t position);

/* The map from `old` to `now`; returns how many of `now` were in `old`. */
size_t sp_support_map(uint32_t *from, const uint32_t *now, size_t count, const uint32_t *old, size_t old_count);

/* Both lists in one, at most a_count + b_count positions; returns their number. With words, each position's goes along,
 * that of `a` where both have it; without, out_words is NULL. */
size_t sp_support_union(uint32_t *out, float *out_words, const uint32_t *a, const float *a_words, size_t a_count,
                        const uint32_t *b, const float *b_words, size_t b_count);

/* The indices of the `wanted` largest, or smallest, |x| in ascending order; of equal ones the lower index is taken.
 * wanted <= n < 2^32. A NaN counts as larger than everything. Exact, by radix histograms of the bits. */
void sp_support_largest(uint32_t *out, size_t wanted, const float *x, size_t n);
void sp_support_smallest(uint32_t *out, size_t wanted, const float *x, size_t n);

#endif
