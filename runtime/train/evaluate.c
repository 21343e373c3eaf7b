#include "runtime/train/evaluate.h"

#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t sp_argmax(const float *logits, size_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

struct sp_logits_row sp_logits_row(const struct sp_logits *l, size_t i)
{
    size_t first = l->bounds ? l->bounds[i] : i, end = l->bounds ? l->bounds[i + 1] : i + 1;

    return (struct sp_logits_row){ l->values + first * l->outputs, end - first };
}

/* The forward pass of rows from .. from + count - 1, their logits, or losses and hits, and their share in the sum of
 * the losses. */
static int forward(float *logits, float *hits, double *sum, struct sp_run *run, const struct sp_dataset *dataset,
                   const uint32_t *order, size_t from, size_t count)
{
    const struct sp_plan_pass pass = sp_run_evaluation_pass(run);
    double mean;

    SP_TRY(sp_run_set_batch(run, dataset, order, from, count));
    SP_TRY(sp_plan_forward(run->plan, &pass));
    if (sum) {
        SP_TRY(sp_plan_loss(run->plan, &mean));
        *sum += mean * (double)run->batch.terms;
    }
    return hits ? sp_plan_row_losses(run->plan, logits, hits) : sp_plan_logits(run->plan, logits);
}

int sp_logits_each(double *loss, struct sp_run *run, const struct sp_dataset *dataset, sp_logits_fn *take, void *user)
{
    size_t batch = (size_t)run->config->per_device_eval_batch_size, batches = (dataset->count + batch - 1) / batch;
    bool by_losses = run->task->by_losses;
    bool of_tokens = by_losses ? sp_plan_loss_tokens(run->plan) : sp_plan_outputs_tokens(run->plan);
    size_t outputs = by_losses ? 1 : (size_t)sp_plan_outputs(run->plan);
    size_t rows = of_tokens ? run->batch.max_tokens : run->batch.max_count;
    uint32_t *order = sp_calloc(dataset->count, sizeof *order);
    float *logits = sp_calloc(rows * outputs, sizeof *logits);
    float *hits = by_losses ? sp_calloc(rows, sizeof *hits) : NULL;
    double sum = 0;
    int rc = order && logits && (hits || !by_losses) ? 0 : SP_ENOMEM;

    if (rc == 0)
        sp_data_order(order, dataset->count, 0, 0, false);
    /* a batch whose loss is not finite stays in the plan */
    for (size_t b = 0; rc == 0 && b < batches && isfinite(sum); b++) {
        size_t from = b * batch, count = dataset->count - from < batch ? dataset->count - from : batch;

        if (sp_interrupted())
            rc = sp_error(SP_EINTR, "interrupted while evaluating");
        if (rc == 0)
            rc = forward(logits, hits, loss ? &sum : NULL, run, dataset, order, from, count);
        if (rc == 0)
            rc = take(user, &(struct sp_logits){ logits, from, count, outputs, of_tokens ? run->batch.bounds : NULL,
                                                 hits });
        if (rc == 0 && run->observer.progress)
            run->observer.progress(run->observer.user, "eval", b + 1, batches, NAN, 0, false);
    }
    if (loss && rc == 0)
        *loss = sum / (double)sp_data_terms(dataset, order, 0, dataset->count);
    free(logits);
    free(hits);
    free(order);
    return rc;
}

int sp_evaluate(struct sp_evaluation *out, struct sp_run *run)
{
    return sp_evaluate_rows(out, NULL, run);
}

/* A task's scoring, fed by sp_logits_each. */
struct scores {
    const struct sp_task *task;
    void *scoring;
};

static int score_rows(void *user, const struct sp_logits *logits)
{
    struct scores *s = user;

    s->task->score_add(s->scoring, logits);
    return 0;
}

/* The batch whose loss is not finite is the one that is set. */
static int not_finite(struct sp_run *run)
{
    const struct sp_plan_pass pass = sp_run_evaluation_pass(run);
    char name[SP_WEIGHT_NAME + 64];

    SP_TRY(sp_run_find_not_finite(name, sizeof name, run, &pass));
    return sp_error(SP_ENUMERIC, "the loss on %s is not finite; the first tensor that is not: %s",
                    run->config->validation_file, name[0] ? name : run->task->overflow);
}

int sp_evaluate_rows(struct sp_evaluation *out, float *predictions, struct sp_run *run)
{
    const struct sp_dataset *d = &run->validation;
    struct scores s = { .task = run->task };
    int rc;

    *out = (struct sp_evaluation){ .rows = d->count };
    SP_GO(s.task->score_begin(&s.scoring, run, d, predictions));
    SP_GO(sp_logits_each(&out->loss, run, d, score_rows, &s));
    if (!isfinite(out->loss))
        SP_GO(not_finite(run));
    rc = s.task->score_end(out, s.scoring);
out:
    s.task->score_release(s.scoring);
    return rc;
}

void sp_evaluation_tell_guessing(const struct sp_evaluation *e, const struct sp_run *run, bool trained)
{
    if (e->guessing[0])
        sp_log(SP_LOG_WARNING, "%s: %s%s", run->config->validation_file, e->guessing,
               trained ? ". A lower learning_rate or more steps may help" : "");
}

const char *sp_score_text(char out[SP_SCORE_TEXT], double value)
{
    snprintf(out, SP_SCORE_TEXT, fabs(value) < 1e6 ? "%.4f" : "%.4g", value);
    return out;
}

static int put(json_t *object, const char *prefix, const char *name, double value)
{
    char key[64];

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return json_object_set_new(object, key, json_real(value));
}

int sp_evaluation_json(json_t *object, const struct sp_evaluation *e, const struct sp_task *task, const char *prefix)
{
    int failed = put(object, prefix, "loss", e->loss);

    for (size_t i = 0; i < task->score_count; i++)
        failed |= put(object, prefix, task->scores[i].name, e->scores[i]);
    return failed ? sp_error(SP_ENOMEM, "out of memory") : 0;
}
