/* The loop's steps: their micro-batches, the numbers that come back from them, and what comes between two of them. */
#include "runtime/train/trainer_priv.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/optim/schedule.h"
#include "runtime/train/method.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdio.h>

int sp_train_evaluate(struct sp_train_loop *l, size_t step, struct sp_evaluation *out, float *predictions)
{
    double began = sp_clock_now();
    int rc = sp_evaluate_rows(out, predictions, l->run);

    if (rc == SP_ENUMERIC)
        sp_error_context(rc, "after %zu steps", step);
    SP_TRY(rc);
    return sp_journal_evaluation(&l->journal, step, out, began);
}

/* Rows of the epoch's order. */
struct slice {
    size_t from, rows;
};

static struct slice rows_of(const struct sp_train_loop *l, size_t step)
{
    const struct sp_config *c = l->run->config;
    size_t most = (size_t)c->per_device_train_batch_size * (size_t)c->gradient_accumulation_steps;
    size_t first = (step - 1) % l->steps_per_epoch * most, left = l->run->train.count - first;

    return (struct slice){ first, left < most ? left : most };
}

size_t sp_train_micro_batches(const struct sp_train_loop *l, size_t step)
{
    size_t batch = (size_t)l->run->config->per_device_train_batch_size;

    return (rows_of(l, step).rows + batch - 1) / batch;
}

/* A micro-batch of a step. */
struct micro_batch {
    struct slice rows;
    double share; /* of the terms of the step's loss */
};

/* Once the order is the epoch's: the share is that of these very rows. */
static struct micro_batch micro_batch_of(const struct sp_train_loop *l, size_t step, size_t k)
{
    size_t batch = (size_t)l->run->config->per_device_train_batch_size;
    struct slice all = rows_of(l, step), own = { all.from + k * batch, all.rows - k * batch };
    double terms;

    own.rows = own.rows < batch ? own.rows : batch;
    terms = (double)sp_data_terms(&l->run->train, l->order, own.from, own.rows);
    return (struct micro_batch){ own, terms / (double)sp_data_terms(&l->run->train, l->order, all.from, all.rows) };
}

static double *shares_of(const struct sp_train_loop *l, const struct sp_train_step *step)
{
    return l->shares + step->told.number % 2 * sp_train_micro_batches(l, 1);
}

/* Micro-batch k of the step as the plan's batch, and its pass. */
static int set_micro_batch(struct sp_train_loop *l, const struct sp_train_step *step, size_t k)
{
    struct sp_run *run = l->run;
    uint32_t epoch = (uint32_t)((step->told.number - 1) / l->steps_per_epoch);
    struct micro_batch m;

    if (epoch != l->epoch) {
        l->epoch = epoch;
        sp_data_order(l->order, run->train.count, (uint64_t)run->config->seed, epoch, run->config->shuffle);
    }
    m = micro_batch_of(l, step->told.number, k);
    shares_of(l, step)[k] = m.share;
    l->pass = sp_run_training_pass(run);
    l->pass.step = (uint32_t)(step->first + k);
    l->pass.loss_scale = (float)m.share;
    l->pass.accumulate = k > 0;
    return sp_run_set_batch(run, &run->train, l->order, m.rows.from, m.rows.rows);
}

/* The gradients of the step, means over all terms of its loss, and their norm. Nothing here waits for the device: norm
 * and losses stay there. */
static int gradients(struct sp_train_loop *l, struct sp_train_step *step)
{
    struct sp_run *run = l->run;

    step->told.tokens = 0;
    for (size_t k = 0; k < step->count; k++) {
        SP_TRY(set_micro_batch(l, step, k));
        SP_TRY(sp_plan_forward(run->plan, &l->pass));
        SP_TRY(sp_plan_backward(run->plan, &l->pass));
        SP_TRY(sp_plan_loss_into(run->plan, l->losses, k));
        step->told.tokens += run->batch.tokens;
    }
    return sp_optim_norm(l->trained.optim, l->losses, step->count);
}

/* `what` of step `step` is not finite: an error with the tensor where that begins, or `otherwise` where it is in
 * none. */
static int not_finite(struct sp_train_loop *l, size_t step, const char *what, const char *otherwise)
{
    char name[SP_WEIGHT_NAME + 64];

    SP_TRY(sp_run_find_not_finite(name, sizeof name, l->run, &l->pass));
    return sp_error(SP_ENUMERIC, "the %s of step %zu is not finite; the first tensor that is not: %s. %s", what, step,
                    name[0] ? name : otherwise,
                    l->result->steps ? "A lower learning_rate or max_grad_norm may help"
                                     : "No step was taken yet: the model itself, or a label, is too large for fp32");
}

int sp_train_loss_not_finite(struct sp_train_loop *l, size_t step, const char *what)
{
    return not_finite(l, step, what, l->run->task->overflow);
}

/* The gradient may be too large, or be from another micro-batch than the one that is set: the optimizer knows of which
 * tensor it is. The next step's may have taken its place; the weights are as they were. */
static int gradient_not_finite(struct sp_train_loop *l, struct sp_train_step *step)
{
    const char *view;
    char otherwise[SP_WEIGHT_NAME + 128], tensor[SP_WEIGHT_NAME + 64] = "all tensors together";
    bool finite;

    SP_TRY(gradients(l, step));
    SP_TRY(sp_optim_find_not_finite(&view, &finite, l->trained.optim));
    if (view)
        sp_run_spell(tensor, sizeof tensor, l->run, view);
    snprintf(otherwise, sizeof otherwise, "the gradient of %s%s", tensor,
             finite ? ", whose square is too large for fp32" : "");
    return not_finite(l, step->told.number, "gradient", otherwise);
}

/* ---- a step's numbers -------------------------------------------------------------------------------------------- */

/* Puts their reading behind what is on its way. */
static int send_report(struct sp_train_loop *l, const struct sp_train_step *step)
{
    const struct sp_download_part parts[] = { { sp_optim_norm_buffer(l->trained.optim), sp_f32_bytes(1) },
                                              { l->losses, sp_f32_bytes(step->count) } };

    return sp_download_begin(l->reports, parts, sizeof parts / sizeof *parts);
}

/* Waits for those of the step, the oldest that is on its way: it was taken, unless one of them is not finite. */
static int read_report(struct sp_train_loop *l, struct sp_train_step *step)
{
    const void *read;
    const float *numbers, *losses;

    SP_TRY(sp_download_end(&read, l->reports));
    numbers = read;
    losses = numbers + 1;
    step->told.norm = (double)numbers[0];
    step->told.loss = 0;
    for (size_t k = 0; k < step->count; k++) {
        if (!isfinite(losses[k])) {
            SP_TRY(set_micro_batch(l, step, k));
            return sp_train_loss_not_finite(l, step->told.number, "loss");
        }
        step->told.loss += (double)losses[k] * shares_of(l, step)[k];
    }
    if (!isfinite(step->told.norm))
        return gradient_not_finite(l, step);
    if (step->told.number == 1)
        l->journal.first_loss = (double)losses[0];
    l->result->steps = step->told.number;
    l->result->tokens += step->told.tokens;
    return 0;
}

int sp_train_read_pending(struct sp_train_loop *l)
{
    return l->pending.told.number ? read_report(l, &l->pending) : 0;
}

/* Looks at the numbers of the step that is pending, if one is; `next`, where not NULL, is it then. */
static int settle(struct sp_train_loop *l, const struct sp_train_step *next)
{
    struct sp_train_step step = l->pending;

    l->pending = next ? *next : (struct sp_train_step){ 0 };
    if (!step.told.number)
        return 0;
    SP_TRY(read_report(l, &step));
    return sp_journal_step(&l->journal, &step.told);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* Puts the next step on its way and then looks at the numbers of the one before, or at once at its own, where the
 * method needs them. */
static int train_step(struct sp_train_loop *l, size_t number)
{
    const struct sp_config *c = l->run->config;
    bool waits = sp_trained_waits(&l->trained, l->run, number - 1);
    struct sp_train_step step = { .told.number = number,
                                  .first = l->micro_batches,
                                  .count = sp_train_micro_batches(l, number) };
    struct sp_mask_change change = { 0 };
    double factor;

    if (waits)
        SP_TRY(settle(l, NULL));
    l->whole = false;
    SP_TRY(sp_trained_before_step(&l->trained, l->run, number - 1));
    SP_TRY(gradients(l, &step));
    l->micro_batches += step.count;
    SP_TRY(send_report(l, &step));
    SP_TRY(sp_schedule_factor(&factor, c->lr_scheduler_type, number - 1, l->total, l->warmup));
    step.told.learning_rate = c->learning_rate * factor;
    SP_TRY(sp_optim_step(l->trained.optim, step.told.learning_rate));
    SP_TRY(sp_trained_apply(&l->trained, l->run));
    if (waits)
        SP_TRY(read_report(l, &step));
    SP_TRY(sp_trained_after_step(&l->trained, l->run, number, &change));
    if (change.moved && !waits)
        return sp_error(SP_EINVAL, "internal error: method %s moved the mask after step %zu and did not say it would",
                        l->trained.method->name, number);
    if (number == 1) {
        SP_TRY(sp_device_finish(l->run->device));
        l->result->first_step_seconds = sp_clock_now() - l->started;
    }
    l->whole = true;
    if (!waits)
        return settle(l, &step);
    SP_TRY(sp_journal_step(&l->journal, &step.told));
    return change.moved ? sp_journal_mask(&l->journal, number, &change) : 0;
}

static bool evaluates_after(const struct sp_train_loop *l, size_t step)
{
    const struct sp_config *c = l->run->config;

    if (!l->result->evaluated || step == l->total)
        return false; /* the end is evaluated in any case */
    if (c->eval_strategy == SP_CONFIG_EVAL_STEPS)
        return step % (size_t)c->eval_steps == 0;
    return c->eval_strategy == SP_CONFIG_EVAL_EPOCH && step % l->steps_per_epoch == 0;
}

static size_t next_step(const struct sp_train_loop *l)
{
    return (l->pending.told.number ? l->pending.told.number : l->result->steps) + 1;
}

/* The next step; or, where it is 0, the numbers of the one before, for who needs them now. */
static int timed_step(struct sp_train_loop *l, size_t step)
{
    double began = sp_clock_now();
    int rc;

    if (step == 1)
        l->result->ready_seconds = began - l->started;
    rc = step ? train_step(l, step) : settle(l, NULL);
    l->result->seconds += sp_clock_now() - began;
    return rc;
}

int sp_train_steps(struct sp_train_loop *l)
{
    struct sp_evaluation between;
    int rc;

    l->journal.window_start = sp_clock_now();
    while (next_step(l) <= l->total) {
        size_t step;

        l->result->interrupted = sp_interrupted();
        if (l->result->interrupted || l->run->observer.between)
            SP_TRY(timed_step(l, 0));
        if (l->result->interrupted)
            return 0;
        if (l->run->observer.between)
            SP_TRY(l->run->observer.between(l->run->observer.user, l->result->steps, l));
        step = next_step(l);
        SP_TRY(timed_step(l, step));
        if (!evaluates_after(l, step))
            continue;
        SP_TRY(timed_step(l, 0));
        rc = sp_train_evaluate(l, step, &between, NULL);
        /* interrupted: the next turn of the loop ends it, and what was trained is saved */
        if (rc < 0 && rc != SP_EINTR)
            return rc;
    }
    SP_TRY(timed_step(l, 0));
    return sp_device_finish(l->run->device);
}
