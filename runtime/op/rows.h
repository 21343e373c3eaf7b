/*
 * Rows by index (layer 3), such as the first token of each sequence (the bounds of a batch are such indices), and their
 * gradient. fp32, row-major; indices are uint32, distinct, and must lie in the matrix: the kernels do not check them.
 */
#ifndef SP_OP_ROWS_H
#define SP_OP_ROWS_H

#include "runtime/device/device.h"

/* out[r] = in[rows[first + r]] for r < R. */
struct sp_rows_gather {
    struct sp_buffer *out;  /* R x C, written */
    struct sp_buffer *in;   /* more x C */
    struct sp_buffer *rows; /* first + R, or more */
    int R, C, first;
};
int sp_rows_gather(struct sp_device *device, const struct sp_rows_gather *args);

/* With row = rows[first + r], for r < R: out[row] = in[r] and 0 in the other rows, which stay as they are with `keep`;
 * with `accumulate` out[row] += in[r] and nothing else. */
struct sp_rows_scatter {
    struct sp_buffer *out;  /* T x C, written */
    struct sp_buffer *in;   /* R x C */
    struct sp_buffer *rows; /* first + R, or more */
    int T, R, C, first;
    bool accumulate, keep;
};
int sp_rows_scatter(struct sp_device *device, const struct sp_rows_scatter *args);

#endif
