/*
 * Sinks for scoring beside the dense one (layer 4): sums of squared gradients of single examples, and of squared
 * inputs. Both are sums over the calls, begun anew by a call that does not accumulate. Buffers are the caller's.
 * Threading: as the device.
 */
#ifndef SP_SPARSE_OBSERVE_H
#define SP_SPARSE_OBSERVE_H

#include "runtime/op/gemm.h"
#include "runtime/op/wgrad.h"

/* squares (out x in) sums dW^2; one call an example. `gradient` (out x in) and `workspace` (as large) may be shared by
 * sinks. */
struct sp_square_sink {
    struct sp_wgrad_sink sink; /* first: what sp_square_sink_init prepares */
    const struct sp_gemm_family *family;
    struct sp_buffer *squares, *gradient, *workspace;
};

void sp_square_sink_init(struct sp_square_sink *sink, const struct sp_gemm_family *family, struct sp_buffer *squares,
                         struct sp_buffer *gradient, struct sp_buffer *workspace);

/* squares (in) sums x_j^2 over tokens; `workspace` of sp_column_sum_workspace(most tokens, in) bytes may be shared.
 * Reads no dY. */
struct sp_input_sink {
    struct sp_wgrad_sink sink; /* first: what sp_input_sink_init prepares */
    struct sp_buffer *squares, *workspace;
};

void sp_input_sink_init(struct sp_input_sink *sink, struct sp_buffer *squares, struct sp_buffer *workspace);

#endif
