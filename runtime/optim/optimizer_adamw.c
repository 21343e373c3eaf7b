/*
 * AdamW. kept: the mean gradient m, the mean squared gradient v and, for views whose entries come and go, the number of
 * the step after which each entry was born: its age is what has passed since. The scratch is the table of bias
 * corrections by age.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/adamw.h"
#include "runtime/optim/optimizer.h"

#include <math.h>
#include <stdlib.h>

static const struct sp_option options[] = {
    { "adam_beta1", SP_OPTION_NUMBER, offsetof(struct sp_optim_options, beta1), "0.9", "[0, 1)", NULL, SP_OPTIM_GROUP,
      "AdamW's decay of the mean gradient.", NULL },
    { "adam_beta2", SP_OPTION_NUMBER, offsetof(struct sp_optim_options, beta2), "0.999", "[0, 1)", NULL, SP_OPTIM_GROUP,
      "AdamW's decay of the mean squared gradient.", NULL },
    { "adam_epsilon", SP_OPTION_NUMBER, offsetof(struct sp_optim_options, epsilon), "1e-8", "(0, 1]", NULL,
      SP_OPTIM_GROUP, "AdamW's addition to the denominator.", NULL },
};

enum { M, V, BIRTH, FIRST_AGES = 1024 };

/* The table for every age up to the step's number. */
static int make_corrections(const struct sp_optim_step *step)
{
    size_t ages = FIRST_AGES;
    float *table;
    int rc;

    while (ages <= step->number)
        ages *= 2;
    if (step->scratch->size >= 2 * ages * sizeof *table)
        return 0;
    SP_TRY(sp_optim_scratch(step->scratch, step->device, 2 * ages * sizeof *table));
    table = sp_calloc(2 * ages, sizeof *table);
    if (!table)
        return SP_ENOMEM;
    sp_adamw_corrections(table, ages, step->options->beta1, step->options->beta2);
    rc = sp_buffer_write(step->scratch->buffer, 0, table, 2 * ages * sizeof *table);
    free(table);
    return rc;
}

static size_t words(const struct sp_optim_view *view)
{
    return view->count * (view->moving ? 3 : 2);
}

static int create(struct sp_optim_state *state, const struct sp_optim_step *step)
{
    SP_TRY(sp_optim_keep(state, M, step->device, state->view.count));
    SP_TRY(sp_optim_keep(state, V, step->device, state->view.count));
    if (!state->view.moving)
        return 0;
    SP_TRY(sp_optim_keep(state, BIRTH, step->device, state->view.count));
    return make_corrections(step);
}

static int begin(const struct sp_optim_step *step)
{
    return step->scratch->size ? make_corrections(step) : 0;
}

static int step_view(struct sp_optim_state *state, const struct sp_optim_step *step)
{
    const struct sp_optim_view *view = &state->view;

    return sp_adamw(step->device, &(struct sp_adamw){ .value = view->value,
                                                      .m = state->kept[M],
                                                      .v = state->kept[V],
                                                      .gradient = view->gradient,
                                                      .norm = step->norm,
                                                      .count = view->count,
                                                      .lr = step->lr,
                                                      .beta1 = step->options->beta1,
                                                      .beta2 = step->options->beta2,
                                                      .epsilon = step->options->epsilon,
                                                      .decay = view->decay ? step->options->weight_decay : 0,
                                                      .step = step->number,
                                                      .births = state->kept[BIRTH],
                                                      .corrections = step->scratch->buffer });
}

/* Old entries keep their words; `seeds` are the new ones' in order, NULL for `fresh`. */
static int move_words(struct sp_optim_state *state, size_t i, const struct sp_optim_move *move,
                      const struct sp_optim_step *step, const float *seeds, double factor, uint32_t fresh)
{
    size_t old = state->view.count, count = move->view.count, next = 0;
    uint32_t *words = sp_calloc(old + count, sizeof *words), *moved = words + old;
    float *numbers = (float *)(void *)moved;
    int rc = words ? 0 : SP_ENOMEM;

    SP_GO(rc);
    SP_GO(sp_buffer_read(words, state->kept[i], 0, old * sizeof *words));
    sp_remap_words(moved, words, move->from, count, fresh);
    for (size_t k = 0; seeds && k < count; k++)
        if (move->from[k] == SP_REMAP_NEW)
            numbers[k] = (float)(factor * (double)seeds[next++]);
    if (count != old)
        SP_GO(sp_optim_keep(state, i, step->device, count));
    rc = sp_buffer_write(state->kept[i], 0, moved, count * sizeof *moved);
out:
    free(words);
    return rc;
}

static int move(struct sp_optim_state *state, const struct sp_optim_move *move, const struct sp_optim_step *step)
{
    uint32_t age = move->mean ? move->age : 0;
    double rest1 = 1 - pow(step->options->beta1, age), rest2 = 1 - pow(step->options->beta2, age);

    SP_TRY(move_words(state, M, move, step, move->mean, rest1, 0));
    SP_TRY(move_words(state, V, move, step, move->square, rest2, 0));
    return move_words(state, BIRTH, move, step, NULL, 0, step->number - age);
}

const struct sp_optimizer sp_optimizer_adamw = {
    .name = "adamw",
    .summary = "AdamW, with two numbers of state for each trained value (three where the mask moves)",
    .words = words,
    .create = create,
    .options = { options, sizeof options / sizeof *options, 0 },
    .begin = begin,
    .step = step_view,
    .move = move,
};
