/*
 * The largest products of row and column numbers outside a support (layer 4), SpIEL-MA's growth ("Scaling Sparse
 * Fine-Tuning to Large Language Models", arXiv 2401.16405, section 3.2; the accumulators are SM3's): R_i C_j stands for
 * the squared gradient of entry (i, j). The rows x columns products are never formed: rows and columns are sorted, and
 * a heap holds for each row that was reached its best column not yet looked at, so that the work is that of the entries
 * that are taken or passed over.
 */
#ifndef SP_SPARSE_OUTER_H
#define SP_SPARSE_OUTER_H

#include <stddef.h>
#include <stdint.h>

/* The `wanted` positions i * cols + j with the largest R_i C_j that `active` (sorted, unique) does not have, in
 * ascending order; of equal products the lower position is taken. R and C are finite and not negative. At least
 * `wanted` positions must be inactive. */
int sp_outer_largest(uint32_t *out, size_t wanted, const float *R, size_t rows, const float *C, size_t cols,
                     const uint32_t *active, size_t active_count);

#endif
