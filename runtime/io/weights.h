/*
 * What a model family expects of a checkpoint (layer 4): a list of weights with their shapes, found
 * under any of the names that checkpoints give them. Tensor pointers are borrowed from the
 * checkpoint. Stateless.
 */
#ifndef SP_IO_WEIGHTS_H
#define SP_IO_WEIGHTS_H

#include "runtime/io/checkpoint.h"

#include <stdbool.h>
#include <stddef.h>

#define SP_WEIGHT_NAME 128

struct sp_weight {
    char name[SP_WEIGHT_NAME]; /* without prefix, in the current spelling: "pooler.dense.weight" */
    size_t rank;
    size_t shape[SP_TENSOR_RANK];
    bool optional;                       /* may be missing */
    const struct sp_tensor_info *tensor; /* result; NULL when optional and missing */
};

struct sp_weight_names {
    /* Tried in order in front of every name; "" stands for none: {"bert.", "", NULL}. */
    const char *const *prefixes;
    /* Pairs of a current and an old ending of names: {"LayerNorm.weight", "LayerNorm.gamma", NULL}.
     * May be NULL. */
    const char *const *renames;
    /* Patterns (* and ?) of tensors that may lie there unused: {"*position_ids", "cls.*", NULL}.
     * May be NULL. */
    const char *const *ignored;
};

/* The tensor of a weight under any of its names; NULL: there is none. */
const struct sp_tensor_info *sp_weights_look_up(const char *name, const struct sp_weight_names *names,
                                                const struct sp_checkpoint *checkpoint);

/*
 * Finds every weight and checks that it has the shape asked for and a float dtype. All that are
 * missing are named in one SP_EFORMAT message, with the tensors that nobody asked for, so that a
 * wrong prefix is seen at once. When nothing is missing, unasked tensors are one warning in the
 * log. A wrong shape or dtype is an error with file, tensor, found and expected.
 */
int sp_weights_find(struct sp_weight *weights, size_t count, const struct sp_weight_names *names,
                    const struct sp_checkpoint *checkpoint);

#endif
