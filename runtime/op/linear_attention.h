/*
 * Attention without softmax or cap over sequences laid end to end (layer 3), as synaptic flow runs a model: within each
 * sequence and head, over the j that go with i (runtime/op/attention.h: causal, window, shared heads of keys)
 *
 *     out_i = scale sum_j (a_i . b_j) c_j
 *
 * Forward is out(q, k, v). Its gradients have the same form: dq = out(do, v, k), dk = out(v, do, q), dv = out(k, q,
 * do), for the last two of which queries and keys change places, bounds and all. Sums run in one fixed order.
 * Threading: as the device.
 */
#ifndef SP_OP_LINEAR_ATTENTION_H
#define SP_OP_LINEAR_ATTENTION_H

#include "runtime/device/device.h"

/* i are queries, with `heads` heads, and j keys, with kv_heads; or of_keys the other way about. A row has head_dim
 * columns for each head. */
struct sp_linear_attention {
    struct sp_buffer *out;        /* as a, written; none of the others */
    struct sp_buffer *a, *b, *c;  /* rows i, and two of rows j */
    /* (sequences + 1) uint32: sequence s owns rows bounds[s] .. bounds[s + 1] - 1 of out and a */
    struct sp_buffer *bounds;
    struct sp_buffer *key_bounds; /* likewise of b and c; the same buffer where they are the same */
    int sequences, heads, kv_heads, head_dim;
    int longest;                  /* no sequence has more rows i */
    float scale;
    bool causal, of_keys;
    int window;                   /* 0: none */
};
int sp_linear_attention(struct sp_device *device, const struct sp_linear_attention *args);

#endif
