/*
 * Causal attention of one query a sequence (layer 3), its last token, over all keys: what attention.h's forward gives
 * of it, within rounding, at the speed of reading keys and values once. For decoding token by token. Threading: as the
 * device.
 */
#ifndef SP_OP_ATTENTION_DECODE_H
#define SP_OP_ATTENTION_DECODE_H

#include "runtime/op/attention.h"

/* args as sp_attention_forward's, with `causal`, without dropout, no sequence having more than one query. shares is
 * scratch of sp_attention_decode_shares(args) floats. */
int sp_attention_decode(struct sp_device *device, const struct sp_attention *args, struct sp_buffer *shares);
size_t sp_attention_decode_shares(const struct sp_attention *args);

#endif
