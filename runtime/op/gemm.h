/*
 * Matrix products of linear layers (layer 3). One logical op, several kernel families (gemm.def); a family brings its
 * layout of the weight and its kernel, and everything above works with any of them.
 *
 *   forward   Y (T x out) = act(X (T x in) W^T + bias)
 *   backward  dX (T x in) [+]= dY (T x out) W, times act'(pre)
 *   weight    dW (out x in) [+]= dY^T X
 *
 * W (out x in) is held in the family's layout for each direction that is used. Buffers of activations are row-major.
 * Sums run in one fixed order. Threading: as the device.
 */
#ifndef SP_OP_GEMM_H
#define SP_OP_GEMM_H

#include "runtime/device/device.h"
#include "runtime/op/activation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_gemm_kind { SP_GEMM_FORWARD, SP_GEMM_BACKWARD, SP_GEMM_WEIGHT };

/* C (m x n) = epilogue(A (m x k) B (k x n)). By kind: (m, n, k) is (T, out, in), (T, in, out), (out, in, T). */
struct sp_gemm {
    enum sp_gemm_kind kind;
    int m, n, k;
    struct sp_buffer *a, *b, *c;     /* X, W forward, Y;  dY, W backward, dX;  dY, X, dW */
    struct sp_buffer *bias;          /* forward, (n): added; NULL for none */
    enum sp_activation activation;   /* forward: applied; backward: C is multiplied by its derivative at `pre` */
    /* (m x n) pre-activation: kept by forward (NULL: not), read by backward; with an activation */
    struct sp_buffer *pre;
    bool accumulate;                 /* backward, weight: C += instead of C = */
};

/* Where element (o, i) of W lies, in floats: o / rows * row_block + o % rows + i / columns * column_block +
 * i % columns. Row-major: { 1, in, in, 0 }. */
struct sp_gemm_layout {
    int rows, columns;
    size_t row_block, column_block;
};

static inline size_t sp_gemm_position(const struct sp_gemm_layout *l, int o, int i)
{
    return (size_t)(o / l->rows) * l->row_block + (size_t)(o % l->rows) + (size_t)(i / l->columns) * l->column_block +
           (size_t)(i % l->columns);
}

struct sp_tuned;
struct sp_gemm_family {
    const char *name;
    /* its kernel's tunables; NULL for none. The device can run it when they are valid there */
    const struct sp_tuned *tuned;
    int (*run)(struct sp_device *device, const struct sp_gemm *gemm);
    /* The weight's layout for a direction; NULL for row-major, one copy for both. `bytes` of a (out x in) weight,
     * packing from a row-major buffer, and where its elements lie. */
    size_t (*bytes)(enum sp_gemm_kind kind, int out, int in);
    int (*pack)(struct sp_device *device, enum sp_gemm_kind kind, struct sp_buffer *packed, struct sp_buffer *plain,
                int out, int in);
    struct sp_gemm_layout (*layout)(enum sp_gemm_kind kind, int out, int in);
};

/* Every family in the order of gemm.def; sp_gemm_family_count of them. */
extern const struct sp_gemm_family *const sp_gemm_families[];
extern const size_t sp_gemm_family_count;

/* The family called `name`, or for "auto" the one the first simple rule picks: packed on CPUs, tiled elsewhere. A
 * family that does not exist is SP_ECONFIG, one that the device cannot run SP_EDEVICE, wrong tuned values SP_EFORMAT
 * (runtime/kernel/tuning.h). */
int sp_gemm_choose(const struct sp_gemm_family **out, struct sp_device *device, const char *name);

/* A weight W (out x in) on the device, in the layouts that are used. */
struct sp_gemm_weight {
    const struct sp_gemm_family *family;
    int out, in;
    /* the same buffer when the family has one layout; backward NULL when not asked for */
    struct sp_buffer *forward, *backward;
};

/* Allocates the layouts; contents are undefined until sp_gemm_weight_pack. */
int sp_gemm_weight_create(struct sp_gemm_weight *weight, struct sp_device *device, const struct sp_gemm_family *family,
                          int out, int in, bool backward);
void sp_gemm_weight_free(struct sp_gemm_weight *weight); /* safe on a zeroed one */

/* Fills every layout from the row-major `plain` (out x in). */
int sp_gemm_weight_pack(struct sp_gemm_weight *weight, struct sp_buffer *plain);

/* The values (out x in, row-major) to the host, bit for bit. Waits for the device. */
int sp_gemm_weight_read(float *out, const struct sp_gemm_weight *weight);

/* The layout of the weight for a direction, row-major where the family has no other. */
struct sp_gemm_layout sp_gemm_weight_layout(const struct sp_gemm_weight *weight, enum sp_gemm_kind kind);

/* Where the flat row-major positions lie in a layout, for scatters of K entries: out[k] in floats. */
void sp_gemm_weight_positions(uint32_t *out, const struct sp_gemm_weight *weight, enum sp_gemm_kind kind,
                              const uint32_t *positions, size_t count);

/* Runs the product by the weight's family; sp_gemm_run takes the family for kind SP_GEMM_WEIGHT, which reads no W. */
int sp_gemm_forward(struct sp_device *device, const struct sp_gemm_weight *weight, struct sp_buffer *y,
                    struct sp_buffer *x, int tokens, struct sp_buffer *bias, enum sp_activation activation,
                    struct sp_buffer *pre);
int sp_gemm_backward(struct sp_device *device, const struct sp_gemm_weight *weight, struct sp_buffer *dx,
                     struct sp_buffer *dy, int tokens, enum sp_activation activation, struct sp_buffer *pre,
                     bool accumulate);
int sp_gemm_weight_gradient(struct sp_device *device, const struct sp_gemm_family *family, struct sp_buffer *dw,
                            struct sp_buffer *dy, struct sp_buffer *x, int tokens, int out, int in, bool accumulate);

#endif
