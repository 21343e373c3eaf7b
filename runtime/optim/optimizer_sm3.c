/*
 * SM3. kept: the rows' and the columns' accumulators of the whole tensor, m + n floats whatever is trained of it; a
 * vector's entries have one each. They belong to rows and columns, so that entries come and go without them; they are
 * cleared only when all starts anew. The scratch is a copy of one tensor's.
 */
#include "runtime/base/error.h"
#include "runtime/op/sm3.h"
#include "runtime/optim/optimizer.h"
#include "runtime/tensor/dtype.h"

#define EPSILON 1e-8 /* under the root */

static size_t words(const struct sp_optim_view *view)
{
    return (size_t)view->rows + (size_t)view->cols;
}

static size_t size_of(const struct sp_optim_state *state)
{
    return words(&state->view);
}

static int create(struct sp_optim_state *state, const struct sp_optim_step *step)
{
    SP_TRY(sp_optim_keep(state, 0, step->device, size_of(state)));
    return sp_optim_scratch(step->scratch, step->device, sp_f32_bytes(size_of(state)));
}

static int step_view(struct sp_optim_state *state, const struct sp_optim_step *step)
{
    const struct sp_optim_view *view = &state->view;

    return sp_sm3(step->device, &(struct sp_sm3){ .value = view->value,
                                                  .accumulators = state->kept[0],
                                                  .scratch = step->scratch->buffer,
                                                  .gradient = view->gradient,
                                                  .positions = view->positions,
                                                  .norm = step->norm,
                                                  .count = view->count,
                                                  .rows = view->rows,
                                                  .cols = view->cols,
                                                  .lr = step->lr,
                                                  .epsilon = EPSILON,
                                                  .decay = view->decay ? step->options->weight_decay : 0 });
}

static int move(struct sp_optim_state *state, const struct sp_optim_move *move, const struct sp_optim_step *step)
{
    (void)step;
    return move->anew ? sp_buffer_fill(state->kept[0], 0, 0, sp_f32_bytes(size_of(state))) : 0;
}

static int accumulators(float *out, const struct sp_optim_state *state)
{
    return sp_buffer_read(out, state->kept[0], 0, size_of(state) * sizeof *out);
}

const struct sp_optimizer sp_optimizer_sm3 = {
    .name = "sm3",
    .summary = "SM3, with one for each row and column of a weight",
    .words = words,
    .create = create,
    .step = step_view,
    .move = move,
    .accumulators = accumulators,
};
