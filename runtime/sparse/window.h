/*
 * SpIEL's growth by accumulated gradients (layer 4; "Scaling Sparse Fine-Tuning to Large Language Models", arXiv
 * 2401.16405, section 3.2, and its released code): in the first micro-batch of a window each tensor's `count` entries
 * with the largest |dW| become its candidates; over the window's steps their gradients and squared gradients are
 * summed. Only one tensor's dense dW exists at a time, in a buffer that all share.
 *
 * A window's sinks stand in front of the delta's: they pass each gradient on first. Threading: as the device.
 */
#ifndef SP_SPARSE_WINDOW_H
#define SP_SPARSE_WINDOW_H

#include "runtime/op/gemm.h"
#include "runtime/op/wgrad.h"
#include "runtime/tensor/state.h"

#include <stddef.h>
#include <stdint.h>

struct sp_window_target {
    const struct sp_gemm_weight *weight; /* borrowed, for the window's life */
    size_t count;                        /* of its candidates, at most out * in; 0: it has no sink */
};

struct sp_window;

int sp_window_create(struct sp_window **out, struct sp_device *device, const struct sp_window_target *targets,
                     size_t count);
void sp_window_free(struct sp_window *window); /* NULL is fine */

/* Starts a window: sums are zero, and the next gradient of each tensor chooses its candidates. */
int sp_window_open(struct sp_window *window);

/* Target i's sink in front of `next`, which must use the transposed copies (a delta's sink with entries does). */
struct sp_wgrad_sink *sp_window_sink(struct sp_window *window, size_t i, struct sp_wgrad_sink *next);

/* After a step's last micro-batch: adds its gradients, clipped by `norm` (sp_norm_finish), to the sums. */
int sp_window_add_step(struct sp_window *window, struct sp_buffer *norm);

/* The state of a window that is open, between two steps. */
int sp_window_visit(struct sp_window *window, struct sp_state *state);

/* Target i's candidates (borrowed, sorted) and the sums of their gradients and squared gradients, to the host: [count]
 * each. */
int sp_window_read(const uint32_t **positions, float *sum, float *squares, struct sp_window *window, size_t i);

#endif
