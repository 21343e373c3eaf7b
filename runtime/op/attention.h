/*
 * Scaled dot-product attention over sequences laid end to end (layer 3): a query sees the keys of its own sequence, all
 * of them. Keys have bounds of their own: those of the queries, or others (a cache of earlier tokens' keys, another
 * text). cl/attn/attention.cl has the method. Sums run in one fixed order. Threading: as the device.
 */
#ifndef SP_OP_ATTENTION_H
#define SP_OP_ATTENTION_H

#include "runtime/device/device.h"
#include "runtime/op/dropout.h"

/* C = heads * head_dim; head h owns columns [h head_dim, (h + 1) head_dim). */
struct sp_attention {
    int sequences, heads, head_dim;
    int longest, longest_keys;       /* no sequence has more queries, or more keys */
    float scale;                     /* of the scores: head_dim^-1/2 */
    /* (sequences + 1) uint32 each, or one buffer for both: sequence s owns rows bounds[s] .. bounds[s + 1] - 1 of the
     * queries, T in all, and key_bounds[s] .. key_bounds[s + 1] - 1 of the keys. One that has queries has keys. One
     * without queries makes its keys' gradients 0; where its key bounds descend, too, it does nothing: so sequences'
     * keys may lie anywhere. */
    struct sp_buffer *bounds, *key_bounds;
    struct sp_buffer *q;             /* (T x C) */
    struct sp_buffer *k, *v;         /* (rows of keys x C) */
    struct sp_buffer *out;           /* (T x C): written by forward, read by backward */
    struct sp_buffer *lse;           /* (T x heads): log2 sum exp of the scaled scores, likewise */
    struct sp_dropout dropout;       /* of the probabilities; p is rounded down to a multiple of 2^-16 */
    struct sp_buffer *dout;          /* backward: (T x C) */
    struct sp_buffer *dq, *dk, *dv;  /* backward writes them: as q, k and v */
};

int sp_attention_forward(struct sp_device *device, const struct sp_attention *args);
int sp_attention_backward(struct sp_device *device, const struct sp_attention *args);

#endif
