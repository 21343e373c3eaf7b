/*
 * Embedding look-up (layer 3): y[t] = scale word[ids[t]] + position[positions[t]] + type[types[t]], the latter two
 * where there are such tables, and the dense gradient of one table. Tables and activations are fp32, row-major, C
 * columns, but that the words' table may be a linear layer's weight in any layout (gemm.h); indices are uint32 and must
 * lie in their table: the kernels do not check them. Buffers belong to the caller.
 */
#ifndef SP_OP_EMBEDDING_H
#define SP_OP_EMBEDDING_H

#include "runtime/op/gemm.h"

struct sp_embedding {
    struct sp_buffer *y;                       /* T x C, written */
    struct sp_buffer *word, *position, *type;  /* tables, rows x C; position and type may be NULL */
    struct sp_buffer *ids, *positions, *types; /* T uint32 each */
    struct sp_gemm_layout layout;              /* of word; zeroed: row-major */
    int T, C;
    float scale;
};
int sp_embedding(struct sp_device *device, const struct sp_embedding *args);

/* dtable[row] = scale times the sum over the tokens t with that row of dy[t], in the order of t: rows that no token has
 * become 0, or, with `accumulate`, every row is added to. The tokens come grouped by row: sp_embedding_group. */
struct sp_embedding_backward {
    struct sp_buffer *dtable;                /* rows x C, written */
    struct sp_buffer *dy;                    /* T x C */
    struct sp_buffer *order, *starts, *used; /* uint32: T, groups + 1, groups */
    int rows, C, groups;
    float scale;
    bool accumulate;
};
int sp_embedding_backward(struct sp_device *device, const struct sp_embedding_backward *args);

/* Groups T tokens by ids[t]: group g is the tokens order[starts[g]] ... order[starts[g + 1] - 1], ascending, which all
 * have the id used[g]. The arrays are the caller's, of T, T + 1 and T elements. */
int sp_embedding_group(uint32_t *order, uint32_t *starts, uint32_t *used, int *groups, const uint32_t *ids, int T);

#endif
