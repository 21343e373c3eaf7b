/*
 * The dense gradient sink (layer 4): dW (out x in) row-major, stored or added to. Full fine-tuning trains with it,
 * heads do, and salience scoring sums gradients over batches in it.
 */
#ifndef SP_SPARSE_DENSE_H
#define SP_SPARSE_DENSE_H

#include "runtime/op/gemm.h"
#include "runtime/op/wgrad.h"

struct sp_dense_sink {
    struct sp_wgrad_sink sink; /* first: what sp_dense_sink_init prepares */
    const struct sp_gemm_family *family;
    struct sp_buffer *gradient; /* out x in, the caller's */
};

void sp_dense_sink_init(struct sp_dense_sink *sink, const struct sp_gemm_family *family, struct sp_buffer *gradient);

#endif
