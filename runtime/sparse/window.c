#include "runtime/sparse/window.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/moments.h"
#include "runtime/op/sddmm.h"
#include "runtime/op/sparse.h"
#include "runtime/sparse/support.h"
#include "runtime/tensor/dtype.h"

#include <stdlib.h>

/* One target's part; the sink comes first, so that a sink's address is its tensor's. */
struct tensor {
    struct sp_wgrad_sink sink, *next;
    struct sp_window *window;
    const struct sp_gemm_weight *weight;
    bool choose; /* the next gradient chooses the candidates */
    size_t first, count;
    uint32_t *candidates;                /* [count], sorted */
    struct sp_buffer *positions, *row_starts;
    struct sp_buffer *gradients;         /* a view of the one vector */
};

struct sp_window {
    struct sp_device *device;
    struct tensor *tensors;
    size_t count, padded;
    struct sp_buffer *dense;                     /* the largest target's dW */
    struct sp_buffer *gradients, *sum, *squares; /* of all targets' candidates, padded */
};

static size_t size_of(const struct sp_gemm_weight *weight)
{
    return (size_t)weight->out * (size_t)weight->in;
}

/* Makes the entries with the largest |dW| the candidates. */
static int choose(struct tensor *t, struct sp_device *device, const struct sp_wgrad_input *in)
{
    struct sp_buffer *dense = t->window->dense;
    uint32_t *row_starts;
    void *dw;
    int rc;

    SP_TRY(sp_gemm_weight_gradient(device, t->weight->family, dense, in->dy, in->x, in->tokens, in->out, in->in,
                                   in->goes_on));
    if (in->more || sp_device_recording(device))
        return 0;
    SP_TRY(sp_buffer_map(&dw, dense, false));
    sp_support_largest(t->candidates, t->count, dw, size_of(t->weight));
    SP_TRY(sp_buffer_unmap(dense, dw));
    row_starts = sp_calloc((size_t)in->out + 1, sizeof *row_starts);
    if (!row_starts)
        return SP_ENOMEM;
    sp_sddmm_row_starts(row_starts, t->candidates, t->count, in->out, in->in);
    SP_GO(sp_buffer_write(t->positions, 0, t->candidates, t->count * sizeof *t->candidates));
    rc = sp_buffer_write(t->row_starts, 0, row_starts, ((size_t)in->out + 1) * sizeof *row_starts);
    t->choose = false;
out:
    free(row_starts);
    return rc;
}

static int add(struct sp_wgrad_sink *sink, struct sp_device *device, const struct sp_wgrad_input *in)
{
    struct tensor *t = (struct tensor *)sink;
    bool chooses;

    SP_TRY(t->next->add(t->next, device, in)); /* and leaves the transposed copies */
    chooses = t->choose;
    if (chooses)
        SP_TRY(choose(t, device, in));
    if (chooses && (in->goes_on || in->more)) /* the candidates are known with the last slice, as their gradient is */
        return in->more ? 0 : sp_sparse_gather(device, &(struct sp_sparse_gather){ .out = t->gradients,
                                                                                  .weight = t->window->dense,
                                                                                  .positions = t->positions,
                                                                                  .count = t->count });
    return sp_sddmm(device, &(struct sp_sddmm){ .gradient = t->gradients,
                                                .dyt = in->transposed->dyt,
                                                .xt = in->transposed->xt,
                                                .positions = t->positions,
                                                .row_starts = t->row_starts,
                                                .T = in->tokens,
                                                .in = in->in,
                                                .out = in->out,
                                                .K = (int)t->count,
                                                .scale = 1,
                                                .accumulate = in->accumulate || in->goes_on });
}

static int create_tensor(struct sp_window *w, struct tensor *t)
{
    t->sink.add = add;
    t->window = w;
    if (!t->count)
        return 0;
    t->candidates = sp_calloc(t->count, sizeof *t->candidates);
    if (!t->candidates)
        return SP_ENOMEM;
    SP_TRY(sp_buffer_create(&t->positions, w->device, t->count * sizeof *t->candidates));
    SP_TRY(sp_buffer_create(&t->row_starts, w->device, ((size_t)t->weight->out + 1) * sizeof(uint32_t)));
    return sp_buffer_view(&t->gradients, w->gradients, sp_f32_bytes(t->first), sp_f32_bytes(t->count));
}

static int create(struct sp_window *w, const struct sp_window_target *targets)
{
    size_t step = sp_buffer_alignment(w->device) / sp_f32_bytes(1), largest = 0;
    struct sp_buffer **vectors[] = { &w->gradients, &w->sum, &w->squares };

    for (size_t i = 0; i < w->count; i++) {
        struct tensor *t = &w->tensors[i];

        t->weight = targets[i].weight;
        t->count = targets[i].count;
        t->first = w->padded;
        w->padded += (t->count + step - 1) / step * step;
        if (t->count && size_of(t->weight) > largest)
            largest = size_of(t->weight);
    }
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        SP_TRY(sp_buffer_create_zeros(vectors[i], w->device, sp_f32_bytes(w->padded)));
    SP_TRY(sp_buffer_create(&w->dense, w->device, sp_f32_bytes(largest)));
    for (size_t i = 0; i < w->count; i++)
        SP_TRY(create_tensor(w, &w->tensors[i]));
    return 0;
}

int sp_window_create(struct sp_window **out, struct sp_device *device, const struct sp_window_target *targets,
                     size_t count)
{
    struct sp_window *w = sp_calloc(1, sizeof *w);
    int rc;

    *out = NULL;
    if (!w)
        return SP_ENOMEM;
    *w = (struct sp_window){ .device = device, .count = count, .tensors = sp_calloc(count, sizeof *w->tensors) };
    rc = w->tensors ? create(w, targets) : SP_ENOMEM;
    if (rc < 0) {
        sp_window_free(w);
        return sp_error_context(rc, "while making room for the candidates");
    }
    *out = w;
    return 0;
}

void sp_window_free(struct sp_window *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->tensors && i < w->count; i++) {
        struct tensor *t = &w->tensors[i];

        free(t->candidates);
        sp_buffer_free(t->positions);
        sp_buffer_free(t->row_starts);
        sp_buffer_free(t->gradients);
    }
    free(w->tensors);
    sp_buffer_free(w->dense);
    sp_buffer_free(w->gradients);
    sp_buffer_free(w->sum);
    sp_buffer_free(w->squares);
    free(w);
}

int sp_window_open(struct sp_window *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->tensors[i].choose = true;
    SP_TRY(sp_buffer_fill(w->sum, 0, 0, sp_f32_bytes(w->padded)));
    return sp_buffer_fill(w->squares, 0, 0, sp_f32_bytes(w->padded));
}

struct sp_wgrad_sink *sp_window_sink(struct sp_window *w, size_t i, struct sp_wgrad_sink *next)
{
    w->tensors[i].next = next;
    return &w->tensors[i].sink;
}

int sp_window_add_step(struct sp_window *w, struct sp_buffer *norm)
{
    return sp_moments(w->device, &(struct sp_moments){ .sum = w->sum, .squares = w->squares, .gradient = w->gradients,
                                                       .norm = norm, .count = w->padded });
}

int sp_window_visit(struct sp_window *w, struct sp_state *state)
{
    for (size_t i = 0; i < w->count; i++) {
        struct tensor *t = &w->tensors[i];

        SP_TRY(sp_state_host(state, &t->choose, sizeof t->choose, "window.%zu.choose", i));
        if (t->choose) /* nothing has been chosen since it was opened */
            continue;
        SP_TRY(sp_state_host(state, t->candidates, t->count * sizeof *t->candidates, "window.%zu.candidates", i));
        SP_TRY(sp_state_device(state, t->positions, "window.%zu.positions", i));
        SP_TRY(sp_state_device(state, t->row_starts, "window.%zu.row_starts", i));
    }
    SP_TRY(sp_state_device(state, w->sum, "window.sum"));
    return sp_state_device(state, w->squares, "window.squares");
}

int sp_window_read(const uint32_t **positions, float *sum, float *squares, struct sp_window *w, size_t i)
{
    const struct tensor *t = &w->tensors[i];
    size_t offset = sp_f32_bytes(t->first), bytes = sp_f32_bytes(t->count);

    *positions = t->candidates;
    SP_TRY(sp_buffer_read(sum, w->sum, offset, bytes));
    return sp_buffer_read(squares, w->squares, offset, bytes);
}
