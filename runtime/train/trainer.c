#include "runtime/train/trainer_priv.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"
#include "runtime/optim/schedule.h"
#include "runtime/train/method.h"
#include "runtime/train/output.h"
#include "runtime/train/result.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdlib.h>

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
        return sp_train_loss_not_finite(l, l->result->steps, "loss after the update");
    sp_journal_end(&l->journal, first, last);
    return 0;
}

int sp_train_visit(struct sp_train_loop *l, struct sp_state *visitor)
{
    SP_TRY(sp_state_host(visitor, &l->result->steps, sizeof l->result->steps, "steps"));
    SP_TRY(sp_state_host(visitor, &l->result->tokens, sizeof l->result->tokens, "tokens"));
    SP_TRY(sp_state_host(visitor, &l->micro_batches, sizeof l->micro_batches, "micro_batches"));
    SP_TRY(sp_journal_visit(&l->journal, visitor));
    return sp_trained_visit(&l->trained, l->run, visitor);
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
    l->shares = sp_calloc(2 * sp_train_micro_batches(l, 1), sizeof *l->shares);
    if (!l->order || !l->shares)
        return SP_ENOMEM;
    SP_TRY(sp_buffer_create(&l->losses, run->device, sp_f32_bytes(sp_train_micro_batches(l, 1))));
    SP_TRY(sp_download_create(&l->reports, run->device, sp_f32_bytes(1 + sp_train_micro_batches(l, 1))));
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
    return isfinite(loss) ? watch_end(l, loss) : sp_train_loss_not_finite(l, l->result->steps, "loss after the update");
}

/* What the model says now, to be seen beside what it says at the other end of the training. */
static int show(struct sp_run *run, char **said)
{
    char *asked;

    if (!run->task->sample)
        return 0;
    SP_TRY(run->task->sample(&asked, said, run));
    free(run->sample.asked);
    run->sample.asked = asked;
    return 0;
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
        rc = sp_train_evaluate(l, l->result->steps, &l->result->after, predictions);
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
    if (rc == 0 && failed == 0 && !l->result->interrupted)
        rc = show(l->run, &l->run->sample.after);
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
    (void)sp_train_read_pending(l); /* a step that is not finite has left what is saved as it was */
    (void)end(l, rc);
    sp_error(rc, "%s", why);
    free(why);
    return rc;
}

static int train(struct sp_train_loop *l)
{
    int rc;

    SP_TRY(prepare(l));
    SP_TRY(show(l->run, &l->run->sample.before));
    if (l->run->sample.before)
        sp_log(SP_LOG_INFO, "to \"%s\" the model says, before training: %s", l->run->sample.asked,
               l->run->sample.before);
    l->result->evaluated = l->run->validation.count > 0;
    if (l->result->evaluated)
        SP_TRY(sp_train_evaluate(l, 0, &l->result->before, NULL));
    rc = sp_train_steps(l);
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
                               .epoch = SP_TRAIN_NO_EPOCH };
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
