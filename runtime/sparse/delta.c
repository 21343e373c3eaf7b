#include "runtime/sparse/delta.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/sddmm.h"
#include "runtime/op/sparse.h"
#include "runtime/op/transpose.h"
#include "runtime/tensor/dtype.h"

#include <stdlib.h>

/* One target's part; the sink comes first, so that a sink's address is its tensor's. */
struct tensor {
    struct sp_wgrad_sink sink;
    struct sp_gemm_weight *weight;
    size_t first, count;
    struct sp_buffer *positions, *row_starts;  /* flat row-major, for the masked gradient */
    struct sp_buffer *forward, *backward;      /* the same entries in the weight's layouts; backward NULL without one */
    struct sp_buffer *values, *base; /* views of the one vector */
    struct sp_buffer *gradients;     /* what the target named, or own_gradients */
    struct sp_buffer *own_gradients;
};

struct sp_delta {
    struct sp_device *device;
    struct tensor *tensors;
    size_t count, padded;
    struct sp_buffer *values, *base;
};

static int add(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *in)
{
    struct tensor *t = (struct tensor *)sink;
    struct sp_wgrad_transposed *transposed = in->transposed;

    if (!t->count)
        return 0;
    if (transposed->x_in_xt != in->x) {
        SP_TRY(sp_transpose(device, &(struct sp_transpose){
                                        .out = transposed->xt, .in = in->x, .T = in->tokens, .C = in->in }));
        transposed->x_in_xt = in->x;
    }
    SP_TRY(sp_transpose(device,
                        &(struct sp_transpose){ .out = transposed->dyt, .in = in->dy, .T = in->tokens, .C = in->out }));
    return sp_sddmm(device, &(struct sp_sddmm){
                                .gradient = t->gradients,
                                .dyt = transposed->dyt,
                                .xt = transposed->xt,
                                .positions = t->positions,
                                .row_starts = t->row_starts,
                                .T = in->tokens,
                                .in = in->in,
                                .out = in->out,
                                .K = (int)t->count,
                                .scale = 1,
                                .accumulate = in->accumulate || in->goes_on,
                            });
}

static int upload(struct sp_buffer **out, struct sp_device *device, const uint32_t *words, size_t count)
{
    SP_TRY(sp_buffer_create(out, device, count * sizeof *words));
    return sp_buffer_write(*out, 0, words, count * sizeof *words);
}

/* The entries' places in the layouts of the weight, and the row starts. */
static int upload_positions(struct tensor *t, struct sp_device *device, const uint32_t *positions)
{
    size_t rows = (size_t)t->weight->out + 1;
    uint32_t *words = sp_calloc(t->count > rows ? t->count : rows, sizeof *words);
    int rc = words ? 0 : SP_ENOMEM;

    if (rc < 0)
        return rc;
    SP_GO(upload(&t->positions, device, positions, t->count));
    sp_sddmm_row_starts(words, positions, (int)t->count, t->weight->out, t->weight->in);
    SP_GO(upload(&t->row_starts, device, words, rows));
    sp_gemm_weight_positions(words, t->weight, SP_GEMM_FORWARD, positions, t->count);
    SP_GO(upload(&t->forward, device, words, t->count));
    if (t->weight->backward && t->weight->backward != t->weight->forward) {
        sp_gemm_weight_positions(words, t->weight, SP_GEMM_BACKWARD, positions, t->count);
        SP_GO(upload(&t->backward, device, words, t->count));
    }
out:
    free(words);
    return rc;
}

static int create_tensor(struct sp_delta *delta, struct tensor *t, const struct sp_delta_target *target)
{
    size_t offset = sp_f32_bytes(t->first), bytes = sp_f32_bytes(t->count);

    t->sink.add = add;
    t->weight = target->weight;
    if (!t->count)
        return 0;
    SP_TRY(upload_positions(t, delta->device, target->positions));
    SP_TRY(sp_buffer_view(&t->values, delta->values, offset, bytes));
    if (!target->gradients)
        SP_TRY(sp_buffer_create_zeros(&t->own_gradients, delta->device, bytes));
    t->gradients = target->gradients ? target->gradients : t->own_gradients;
    SP_TRY(sp_buffer_view(&t->base, delta->base, offset, bytes));
    return sp_sparse_gather(delta->device, &(struct sp_sparse_gather){ .out = t->base, .weight = t->weight->forward,
                                                                      .positions = t->forward, .count = t->count });
}

static int create(struct sp_delta *delta, const struct sp_delta_target *targets)
{
    size_t step = sp_buffer_alignment(delta->device) / sp_f32_bytes(1), bytes;
    struct sp_buffer **vectors[] = { &delta->values, &delta->base };

    delta->padded = 0;
    for (size_t i = 0; i < delta->count; i++) {
        delta->tensors[i].first = delta->padded;
        delta->tensors[i].count = targets[i].count;
        delta->padded += (targets[i].count + step - 1) / step * step;
    }
    bytes = sp_f32_bytes(delta->padded);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        SP_TRY(sp_buffer_create_zeros(vectors[i], delta->device, bytes));
    for (size_t i = 0; i < delta->count; i++) {
        int rc = create_tensor(delta, &delta->tensors[i], &targets[i]);

        if (rc < 0)
            return sp_error_context(rc, "while making the sparse delta of %s", targets[i].name);
    }
    return 0;
}

int sp_delta_create(struct sp_delta **out, struct sp_device *device, const struct sp_delta_target *targets,
                    size_t count)
{
    struct sp_delta *delta = sp_calloc(1, sizeof *delta);
    int rc;

    *out = NULL;
    if (!delta)
        return SP_ENOMEM;
    delta->device = device;
    delta->count = count;
    delta->tensors = sp_calloc(count, sizeof *delta->tensors);
    rc = delta->tensors ? create(delta, targets) : SP_ENOMEM;
    if (rc < 0) {
        sp_delta_free(delta);
        return rc;
    }
    *out = delta;
    return 0;
}

static void release(struct sp_delta *delta)
{
    for (size_t i = 0; delta->tensors && i < delta->count; i++) {
        struct tensor *t = &delta->tensors[i];
        struct sp_buffer *const own[] = { t->values,     t->own_gradients, t->base,    t->positions,
                                          t->row_starts, t->forward,       t->backward };

        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            sp_buffer_free(own[k]);
        *t = (struct tensor){ .count = 0 };
    }
    sp_buffer_free(delta->values);
    sp_buffer_free(delta->base);
    delta->values = delta->base = NULL;
}

void sp_delta_free(struct sp_delta *delta)
{
    if (!delta)
        return;
    release(delta);
    free(delta->tensors);
    free(delta);
}

int sp_delta_move(struct sp_delta *delta, const struct sp_delta_target *targets)
{
    release(delta);
    return create(delta, targets);
}

int sp_delta_restore(struct sp_delta *delta)
{
    /* w0 + -0 is w0 in every bit, the sign of a zero included */
    SP_TRY(sp_buffer_fill(delta->values, 0, 0x80000000u, sp_f32_bytes(delta->padded)));
    return sp_delta_apply(delta);
}

struct sp_wgrad_sink *sp_delta_sink(struct sp_delta *delta, size_t i)
{
    return &delta->tensors[i].sink;
}

struct sp_delta_part sp_delta_part(const struct sp_delta *delta, size_t i)
{
    const struct tensor *t = &delta->tensors[i];

    return (struct sp_delta_part){ t->values, t->gradients, t->positions };
}

static int apply(struct sp_delta *delta, const struct tensor *t, struct sp_buffer *weight, struct sp_buffer *positions)
{
    return sp_sparse_apply(delta->device, &(struct sp_sparse_apply){ .weight = weight,
                                                                     .positions = positions,
                                                                     .base = t->base,
                                                                     .delta = t->values,
                                                                     .count = t->count });
}

int sp_delta_apply(struct sp_delta *delta)
{
    for (size_t i = 0; i < delta->count; i++) {
        const struct tensor *t = &delta->tensors[i];

        if (!t->count)
            continue;
        SP_TRY(apply(delta, t, t->weight->forward, t->forward));
        if (t->backward)
            SP_TRY(apply(delta, t, t->weight->backward, t->backward));
    }
    return 0;
}

int sp_delta_read(float *out, struct sp_delta *delta, size_t i)
{
    const struct tensor *t = &delta->tensors[i];

    return t->count ? sp_buffer_read(out, t->values, 0, t->count * sizeof *out) : 0;
}

int sp_delta_write(struct sp_delta *delta, size_t i, const float *values)
{
    const struct tensor *t = &delta->tensors[i];

    return t->count ? sp_buffer_write(t->values, 0, values, t->count * sizeof *values) : 0;
}

int sp_delta_read_base(float *out, struct sp_delta *delta, size_t i)
{
    const struct tensor *t = &delta->tensors[i];

    return t->count ? sp_buffer_read(out, t->base, 0, t->count * sizeof *out) : 0;
}

int sp_delta_write_base(struct sp_delta *delta, size_t i, const float *base)
{
    const struct tensor *t = &delta->tensors[i];

    return t->count ? sp_buffer_write(t->base, 0, base, t->count * sizeof *base) : 0;
}
