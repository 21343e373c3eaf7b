/*
 * Scaled dot-product attention over sequences laid end to end (layer 3): a query sees the keys of its own sequence, all
 * of them, or, causally, those up to its own place. Keys have bounds of their own: those of the queries, or others (a
 * cache of earlier tokens' keys, another text). Several heads of queries may share one of keys and values.
 * cl/attn/attention.cl has the method. Sums run in one fixed order. Threading: as the device.
 */
#ifndef SP_OP_ATTENTION_H
#define SP_OP_ATTENTION_H

#include "runtime/device/device.h"
#include "runtime/op/dropout.h"

/* How a CPU's work-items share backward: the bits are the same. */
enum sp_attention_share {
    SP_ATTENTION_SUITED, /* as the device has cores, and the sequences heads, for it */
    SP_ATTENTION_WHOLE,  /* one to a sequence and a head of keys: fewer operations */
    SP_ATTENTION_PIECES, /* to blocks of queries, then to blocks of keys, which repeats some: enough for many cores */
};

/* C = heads * head_dim, CK = kv_heads * head_dim; head h owns columns [h head_dim, (h + 1) head_dim), and sees keys and
 * values of head h / (heads / kv_heads). */
struct sp_attention {
    int sequences, heads, kv_heads, head_dim; /* heads is a multiple of kv_heads */
    int longest, longest_keys;       /* no sequence has more queries, or more keys */
    float scale;                     /* of the scores: head_dim^-1/2 */
    float softcap;                   /* scores become softcap tanh(score / softcap); 0: they stay */
    /* Query i of a sequence's n sees its keys up to i + (keys - n), of which there are at least n. */
    bool causal;
    int window;                      /* causal: only the last `window` of these; 0: all */
    /* (sequences + 1) uint32 each, or one buffer for both: sequence s owns rows bounds[s] .. bounds[s + 1] - 1 of the
     * queries, T in all, and key_bounds[s] .. key_bounds[s + 1] - 1 of the keys. One that has queries has keys. One
     * without queries makes its keys' gradients 0; where its key bounds descend, too, it does nothing: so sequences'
     * keys may lie anywhere. */
    struct sp_buffer *bounds, *key_bounds;
    struct sp_buffer *q;             /* (T x C) */
    struct sp_buffer *k, *v;         /* (rows of keys x CK) */
    struct sp_buffer *out;           /* (T x C): written by forward, read by backward */
    struct sp_buffer *lse;           /* (T x heads): log2 sum exp of the scaled, capped scores, likewise */
    struct sp_dropout dropout;       /* of the probabilities; p is rounded down to a multiple of 2^-16 */
    struct sp_buffer *dout;          /* backward: (T x C) */
    struct sp_buffer *dq, *dk, *dv;  /* backward writes them: as q, k and v */
    enum sp_attention_share share;
};

int sp_attention_forward(struct sp_device *device, const struct sp_attention *args);
int sp_attention_backward(struct sp_device *device, const struct sp_attention *args);

#endif
