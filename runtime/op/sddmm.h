/*
 * The masked weight gradient (layer 3), a sampled dense-dense matrix product: for K positions of a weight matrix (out x
 * in)
 *
 *     gradient[k] = scale * sum over t of dY[t][row_k] * X[t][column_k],    position_k = row_k * in + column_k
 *
 * Positions are sorted and unique; K numbers are written and no dense gradient exists. Each entry has one owner and one
 * summation order. X and dY come transposed (sp_transpose), so that one transposed X serves every weight that reads it.
 */
#ifndef SP_OP_SDDMM_H
#define SP_OP_SDDMM_H

#include "runtime/device/device.h"

struct sp_sddmm {
    struct sp_buffer *gradient;   /* K, written, or added to with `accumulate` */
    struct sp_buffer *dyt, *xt;   /* dY and X as sp_transpose leaves them */
    struct sp_buffer *positions;  /* K uint32 */
    struct sp_buffer *row_starts; /* out + 1 uint32: row r has the entries row_starts[r] ... row_starts[r + 1] - 1 */
    int T, in, out, K;            /* K = 0 does nothing */
    float scale;
    bool accumulate;
};
int sp_sddmm(struct sp_device *device, const struct sp_sddmm *args);

/* row_starts (out + 1 elements) of K sorted positions, all below out * in. */
void sp_sddmm_row_starts(uint32_t *row_starts, const uint32_t *positions, size_t K, int out, int in);

#endif
