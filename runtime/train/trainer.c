#include "runtime/train/trainer.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"
#include "runtime/optim/schedule.h"
#include "runtime/train/journal.h"
#include "runtime/train/method.h"
#include "runtime/train/output.h"
#include "runtime/train/result.h"
#include "runtime/train/task.h"
#include "runtime/train/trained.h"

#include <math.h>
#include <stdlib.h>

#define NO_EPOCH UINT32_MAX

/* A step, and where it stands in the run. */
struct step {
    struct sp_journal_step told;
    size_t first, count; /* its micro-batches: how many came before them, and how many they are */
};

/*
 * The loop's state. A step is put on its way whole, and its norm and losses are read behind it (`reports`), to be
 * looked at once the next step is on its way, too: the device need not wait for the host. Where one is not finite, that
 * step and the one behind it have changed nothing (runtime/op/norm.h).
 */
struct sp_train_loop {
    struct sp_run *run;
    struct sp_trained trained;
    struct sp_train_result *result;
    struct sp_journal journal;
    struct sp_lock lock; /* of output_dir */
    uint32_t *order;
    uint32_t epoch; /* whose order `order` holds; NO_EPOCH: none's */
    size_t batches, steps_per_epoch, total, warmup;
    size_t micro_batches;     /* put on their way so far: the step number of dropout */
    struct sp_plan_pass pass; /* of the last of them */
    struct sp_buffer *losses; /* of a step's micro-batches */
    double *shares;           /* of each of them in the step's terms, and of those of the step before: by turns */
    struct sp_download *reports;
    struct step pending;       /* on its way, its numbers not looked at; number 0: none is */
    struct sp_staging adapter; /* on its way into output_dir */
    bool saved;                /* the adapter is this run's */
    bool whole;                /* a step was taken, and none is half put on its way: what was trained could be saved */
    double started;            /* of sp_train */
};

/* output_dir, ours alone, with an empty metrics.jsonl. It comes once model and data are known to be good, so that a
 * mistake in them takes no earlier run's files, and before the long work, which an unwritable folder must not waste. */
static int open_output(struct sp_train_loop *l)
{
    const struct sp_config *c = l->run->config;

    SP_TRY(sp_output_spare_inputs(l->run));
    SP_TRY(sp_lock_take(&l->lock, c->output_dir, SP_TRAIN_LOCK, "train"));
    SP_TRY(sp_output_prepare(c));
    return sp_journal_open(&l->journal);
}

static void count_parameters(struct sp_train_loop *l)
{
    const struct sp_run *run = l->run;

    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        l->result->parameters += sp_param_elements(p);
    }
    l->result->trained = l->trained.count;
}

/* Steps of the run, from epochs or max_steps. */
static void plan_steps(struct sp_train_loop *l)
{
    const struct sp_config *c = l->run->config;
    size_t batch = (size_t)c->per_device_train_batch_size, group = (size_t)c->gradient_accumulation_steps;

    l->batches = (l->run->train.count + batch - 1) / batch;
    l->steps_per_epoch = (l->batches + group - 1) / group;
    l->total = (size_t)c->max_steps;
    if (!l->total)
        l->total = (size_t)ceil(c->num_train_epochs * (double)l->steps_per_epoch - 1e-9);
    l->warmup = sp_schedule_warmup(c->warmup_steps, l->total);
    sp_journal_begin(&l->journal, l->total, l->steps_per_epoch);
}

/* Compiles every kernel of the loop side by side: first and later micro-batches, and evaluation. */
static int build_kernels(struct sp_train_loop *l)
{
    const struct sp_config *c = l->run->config;
    struct sp_plan_pass pass = sp_run_training_pass(l->run), evaluation = sp_run_evaluation_pass(l->run);
    int rc;

    SP_TRY(sp_plan_record(l->run->plan, &pass));
    if (c->gradient_accumulation_steps > 1) {
        pass.accumulate = true;
        SP_TRY(sp_plan_record(l->run->plan, &pass));
    }
    if (l->run->validation.count)
        SP_TRY(sp_plan_record(l->run->plan, &evaluation));
    sp_device_set_recording(l->run->device, true);
    rc = sp_optim_norm(l->trained.optim, l->losses, 1);
    if (rc == 0)
        rc = sp_optim_step(l->trained.optim, 0);
    if (rc == 0)
        rc = sp_trained_apply(&l->trained, l->run);
    sp_device_set_recording(l->run->device, false);
    SP_TRY(rc);
    if (l->trained.method->record)
        SP_TRY(l->trained.method->record(l->trained.state, &l->trained, l->run));
    return sp_kernel_build_recorded(l->run->device);
}

static int evaluate(struct sp_train_loop *l, size_t step, struct sp_evaluation *out, float *predictions)
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

static size_t micro_batches_of(const struct sp_train_loop *l, size_t step)
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

static double *shares_of(const struct sp_train_loop *l, const struct step *step)
{
    return l->shares + step->told.number % 2 * micro_batches_of(l, 1);
}

/* Micro-batch k of the step as the plan's batch, and its pass. */
static int set_micro_batch(struct sp_train_loop *l, const struct step *step, size_t k)
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
static int gradients(struct sp_train_loop *l, struct step *step)
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

static int loss_not_finite(struct sp_train_loop *l, size_t step, const char *what)
{
    return not_finite(l, step, what, l->run->task->overflow);
}

/* The gradient may be too large, or be from another micro-batch than the one that is set: the optimizer knows of which
 * tensor it is. The next step's may have taken its place; the weights are as they were. */
static int gradient_not_finite(struct sp_train_loop *l, struct step *step)
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
static int send_report(struct sp_train_loop *l, const struct step *step)
{
    const struct sp_download_part parts[] = { { sp_optim_norm_buffer(l->trained.optim), sp_f32_bytes(1) },
                                              { l->losses, sp_f32_bytes(step->count) } };

    return sp_download_begin(l->reports, parts, sizeof parts / sizeof *parts);
}

/* Waits for those of the step, the oldest that is on its way: it was taken, unless one of them is not finite. */
static int read_report(struct sp_train_loop *l, struct step *step)
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
            return loss_not_finite(l, step->told.number, "loss");
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

/* Looks at the numbers of the step that is pending, if one is; `next`, where not NULL, is it then. */
static int settle(struct sp_train_loop *l, const struct step *next)
{
    struct step step = l->pending;

    l->pending = next ? *next : (struct step){ 0 };
    if (!step.told.number)
        return 0;
    SP_TRY(read_report(l, &step));
    return sp_journal_step(&l->journal, &step.told);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* `last`: the loss of the last batch after the last update. The first batch is tried again as it was, its dropout the
 * same. */
static int watch_end(struct sp_train_loop *l, double last)
{
    const struct sp_config *c = l->run->config;
    size_t batch = (size_t)c->per_device_train_batch_size, count = l->run->train.count;
    double first;

    sp_data_order(l->order, count, (uint64_t)c->seed, 0, c->shuffle);
    SP_TRY(sp_run_set_batch(l->run, &l->run->train, l->order, 0, count < batch ? count : batch));
    l->pass = sp_run_training_pass(l->run);
    SP_TRY(sp_plan_forward(l->run->plan, &l->pass));
    SP_TRY(sp_plan_loss(l->run->plan, &first));
    if (!isfinite(first))
        return loss_not_finite(l, l->result->steps, "loss after the update");
    sp_journal_end(&l->journal, first, last);
    return 0;
}

/* Puts the next step on its way and then looks at the numbers of the one before, or at once at its own, where the
 * method needs them. */
static int train_step(struct sp_train_loop *l, size_t number)
{
    const struct sp_config *c = l->run->config;
    bool waits = sp_trained_waits(&l->trained, l->run, number - 1);
    struct step step = { .told.number = number, .first = l->micro_batches, .count = micro_batches_of(l, number) };
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
        return sp_error(SP_EINVAL, "internal error: method %s moved the mask after step %zu and did not say that it would",
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

int sp_train_visit(struct sp_train_loop *l, struct sp_state *visitor)
{
    SP_TRY(sp_state_host(visitor, &l->result->steps, sizeof l->result->steps, "steps"));
    SP_TRY(sp_state_host(visitor, &l->result->tokens, sizeof l->result->tokens, "tokens"));
    SP_TRY(sp_state_host(visitor, &l->micro_batches, sizeof l->micro_batches, "micro_batches"));
    SP_TRY(sp_journal_visit(&l->journal, visitor));
    return sp_trained_visit(&l->trained, l->run, visitor);
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

static int train_steps(struct sp_train_loop *l)
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
        rc = evaluate(l, step, &between, NULL);
        /* interrupted: the next turn of the loop ends it, and what was trained is saved */
        if (rc < 0 && rc != SP_EINTR)
            return rc;
    }
    SP_TRY(timed_step(l, 0));
    return sp_device_finish(l->run->device);
}

/* Of the files that were just read whole; the weights, which stay mapped, have theirs when the adapter is saved. */
static int keep_checksums(struct sp_train_result *result, const struct sp_run *run)
{
    SP_TRY(sp_train_tokenizer_checksum(result->tokenizer_sha256, run->checkpoint));
    SP_TRY(sp_hash_file(result->train_sha256, run->config->train_file));
    return run->config->validation_file ? sp_hash_file(result->validation_sha256, run->config->validation_file) : 0;
}

static int prepare(struct sp_train_loop *l)
{
    struct sp_run *run = l->run;

    SP_TRY(sp_config_require(run->config, "model_name_or_path"));
    SP_TRY(sp_config_require(run->config, "train_file"));
    SP_TRY(sp_config_require(run->config, "output_dir"));
    SP_TRY(sp_run_open(run));
    SP_TRY(sp_run_read_dropout(run));
    SP_TRY(sp_run_load_data(run, true, true));
    SP_TRY(keep_checksums(l->result, run));
    SP_TRY(sp_run_build(run, true, 0, 0));
    SP_TRY(sp_trained_check(run));
    SP_TRY(open_output(l));
    plan_steps(l);
    SP_TRY(sp_trained_create(&l->trained, run, l->total));
    count_parameters(l);
    l->order = sp_calloc(run->train.count, sizeof *l->order);
    l->shares = sp_calloc(2 * micro_batches_of(l, 1), sizeof *l->shares);
    if (!l->order || !l->shares)
        return SP_ENOMEM;
    SP_TRY(sp_buffer_create(&l->losses, run->device, sp_f32_bytes(micro_batches_of(l, 1))));
    SP_TRY(sp_download_create(&l->reports, run->device, sp_f32_bytes(1 + micro_batches_of(l, 1))));
    sp_log(SP_LOG_INFO, "training %zu of %zu parameters (%.3f %%), %zu steps", l->result->trained,
           l->result->parameters, 100.0 * (double)l->result->trained / (double)l->result->parameters, l->total);
    return build_kernels(l);
}

/* An optimizer that can no longer move a tensor has left it behind without a word. */
static int check_optimizer(struct sp_train_loop *l)
{
    char tensor[SP_WEIGHT_NAME];
    const char *view;

    SP_TRY(sp_optim_find_stuck(&view, l->trained.optim));
    if (!view)
        return 0;
    sp_run_spell(tensor, sizeof tensor, l->run, view);
    return sp_error(SP_ENUMERIC,
                    "the optimizer's state of %s is not finite after %zu steps, so that it was trained no further; "
                    "max_grad_norm or a lower learning_rate may help",
                    tensor, l->result->steps);
}

/* The last update may have gone too far, and no loss has seen the weights as they are now. */
static int check_end(struct sp_train_loop *l)
{
    double loss;

    if (!l->result->steps)
        return 0;
    SP_TRY(sp_plan_forward(l->run->plan, &l->pass));
    SP_TRY(sp_plan_loss(l->run->plan, &loss));
    return isfinite(loss) ? watch_end(l, loss) : loss_not_finite(l, l->result->steps, "loss after the update");
}

/* The adapter, the evaluation that counts, and the rows' predictions. `failed`: why the steps ended before their time,
 * or 0. The adapter is on disk while the evaluation runs, and final after it: with numbers that are not finite nothing
 * is. Any other failure does not cost what was trained. */
static int end(struct sp_train_loop *l, int failed)
{
    bool evaluates = l->result->evaluated && !l->result->interrupted && failed == 0;
    float *predictions = sp_calloc(evaluates ? l->run->validation.count : 0, sizeof *predictions);
    int rc = predictions ? check_optimizer(l) : SP_ENOMEM, kept;

    SP_GO(rc);
    SP_GO(sp_trained_finish(&l->trained, l->run));
    SP_GO(check_end(l));
    rc = sp_output_save(&l->adapter, &l->trained, l->run);
    if (rc == 0 && evaluates) {
        sp_log(SP_LOG_INFO, "step %zu: what was trained is in %s until it is evaluated", l->result->steps,
               l->adapter.path);
        rc = evaluate(l, l->result->steps, &l->result->after, predictions);
    }
    if (rc == 0 && evaluates) {
        sp_journal_held_out(&l->journal);
        sp_evaluation_tell_guessing(&l->result->after, l->run, true);
    }
    if (rc == SP_ENUMERIC)
        goto out;
    kept = sp_output_keep(&l->adapter);
    l->saved = kept == 0;
    rc = rc < 0 ? rc : kept;
    if (rc == 0 && evaluates)
        rc = sp_train_predictions_save(predictions, l->run);
out:
    free(predictions);
    return rc;
}

/* A line that cannot be written or an evaluation that fails between two steps: the error `rc` stays, but what was
 * trained is saved. */
static int end_early(struct sp_train_loop *l, int rc)
{
    char *why = sp_strdup(sp_error_message());

    if (!why)
        return SP_ENOMEM;
    if (l->pending.told.number)
        (void)read_report(l, &l->pending); /* a step that is not finite has left what is saved as it was */
    (void)end(l, rc);
    sp_error(rc, "%s", why);
    free(why);
    return rc;
}

static int train(struct sp_train_loop *l)
{
    int rc;

    SP_TRY(prepare(l));
    l->result->evaluated = l->run->validation.count > 0;
    if (l->result->evaluated)
        SP_TRY(evaluate(l, 0, &l->result->before, NULL));
    rc = train_steps(l);
    if (rc < 0)
        return rc != SP_ENUMERIC && l->whole ? end_early(l, rc) : rc;
    SP_TRY(end(l, 0));
    if (l->result->interrupted)
        return sp_error(SP_EINTR, "interrupted; the adapter as of step %zu is saved in %s/adapter", l->result->steps,
                        l->run->config->output_dir);
    return 0;
}

int sp_train(struct sp_train_result *out, struct sp_run *run)
{
    struct sp_train_loop l = { .run = run,
                               .result = out,
                               .journal = { .run = run, .result = out },
                               .started = sp_clock_now(),
                               .lock = { .fd = -1 },
                               .epoch = NO_EPOCH };
    int rc;

    *out = (struct sp_train_result){ 0 };
    rc = train(&l);
    if (rc == SP_ENUMERIC && l.order && !l.saved) /* all was prepared: it is a fault of the training */
        sp_output_say_unsaved(run->config, rc);
    rc = sp_journal_release(&l.journal, rc);
    out->host_peak = sp_clock_peak_memory();
    out->device_peak = run->device ? sp_device_peak_memory(run->device) : 0;
    out->total_seconds = sp_clock_now() - l.started;
    if (rc == 0)
        rc = sp_train_result_save(out, run);
    if (rc < 0 && l.saved && !out->interrupted) /* which says so itself */
        sp_error_context(rc, "the adapter as of step %zu is saved in %s/adapter", out->steps, run->config->output_dir);
    sp_output_discard(&l.adapter);
    sp_lock_release(&l.lock);
    sp_trained_release(&l.trained, run);
    sp_buffer_free(l.losses);
    sp_download_free(l.reports);
    free(l.shares);
    free(l.order);
    return rc;
}
