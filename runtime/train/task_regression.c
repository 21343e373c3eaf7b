/* Regression: one number a row, by squared error. */
#include "runtime/train/task.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/train/score.h"
#include "runtime/train/text_head.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GUESSING 0.95 /* of the error that guessing gives */
#define CONSTANT 0.01 /* of the labels' spread */
#define ENOUGH 10     /* rows, before all being predicted alike means anything */

static bool takes(const struct sp_run *run, enum sp_label_kind labels)
{
    (void)run;
    return labels == SP_LABELS_VALUES;
}

/* ---- the head ---------------------------------------------------------------------------------------------------- */

static bool fits(char *why, size_t size, size_t outputs, const json_t *config)
{
    if (!sp_text_head_fits(why, size, outputs, config))
        return false;
    if (outputs > 1)
        snprintf(why, size, "it is for %zu classes, and the labels are %s", outputs, sp_task_regression.labels);
    return outputs == 1;
}

static size_t outputs(const struct sp_run *run)
{
    (void)run;
    return 1;
}

/* The training labels' mean: from 0 a distant one would be learnt through whatever moves the output fastest. */
static double head_bias(const struct sp_run *run)
{
    double sum = 0;

    for (size_t i = 0; run->train.values && i < run->train.count; i++)
        sum += (double)run->train.values[i];
    return run->train.values ? sum / (double)run->train.count : 0;
}

static int keep_head(struct sp_run *run, const struct sp_own_head *own)
{
    (void)own;
    run->keep_head = true;
    sp_log(SP_LOG_INFO, "the model's own head of one output is kept; keep_head: false makes a new one");
    return 0;
}

static int check_labels(const json_t *labels, const char *file)
{
    return labels ? sp_error(SP_EFORMAT, "%s: \"labels\" is not null, as regression needs", file) : 0;
}

/* ---- the loss ---------------------------------------------------------------------------------------------------- */

static void build(const struct sp_run *run)
{
    sp_nn_squared_error(run->plan, sp_task_forward(run));
}

/* Four times the labels' variance. */
static double guess(const struct sp_run *run)
{
    const struct sp_dataset *d = &run->train;
    double mean = 0, squares = 0;

    for (size_t i = 0; i < d->count; i++)
        mean += (double)d->values[i] / (double)d->count;
    for (size_t i = 0; i < d->count; i++)
        squares += ((double)d->values[i] - mean) * ((double)d->values[i] - mean) / (double)d->count;
    return 4 * squares;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static const struct sp_score scores[] = {
    { "pearson", "Pearson", SP_SCORE_CORRELATION, false },
    { "spearman", "Spearman", SP_SCORE_RANK_CORRELATION, false },
    { "mse", "MSE", SP_SCORE_OTHER, true },
};

/* The values of all rows: their ranks need them. */
struct scoring {
    const struct sp_dataset *dataset;
    float *predictions, *own; /* [rows]; own: where the caller has no room for them */
};

static int score_begin(void **out, const struct sp_run *run, const struct sp_dataset *dataset, float *predictions)
{
    struct scoring *s = sp_calloc(1, sizeof *s);

    (void)run;
    *out = s;
    if (!s)
        return SP_ENOMEM;
    s->dataset = dataset;
    if (!predictions)
        s->own = sp_calloc(dataset->count, sizeof *s->own);
    s->predictions = predictions ? predictions : s->own;
    return s->predictions ? 0 : SP_ENOMEM;
}

static void score_add(void *scoring, const struct sp_logits *logits)
{
    struct scoring *s = scoring;

    for (size_t i = 0; i < logits->rows; i++)
        s->predictions[logits->from + i] = sp_logits_row(logits, i).values[0];
}

static int score_end(struct sp_evaluation *out, void *scoring)
{
    const struct scoring *s = scoring;
    struct sp_value_scores v;

    SP_TRY(sp_score_values(&v, s->predictions, s->dataset->values, s->dataset->count));
    out->scores[0] = v.pearson;
    out->scores[1] = v.spearman;
    out->scores[2] = v.mse;
    if (out->rows >= ENOUGH && v.variance > 0 && v.spread < CONSTANT && v.mse >= GUESSING * v.variance)
        snprintf(out->guessing, sizeof out->guessing,
                 "all %zu rows are predicted as nearly one number with a mean squared error of %.4g, and guessing "
                 "gives %.4g: the model does not tell the rows apart",
                 out->rows, v.mse, v.variance);
    return 0;
}

static void score_release(void *scoring)
{
    struct scoring *s = scoring;

    free(s ? s->own : NULL);
    free(s);
}

/* ---- what is written --------------------------------------------------------------------------------------------- */

static json_t *predicted(const struct sp_run *run, const struct sp_logits *logits, size_t i)
{
    (void)run;
    return sp_task_row(json_real((double)sp_logits_row(logits, i).values[0]), logits, i);
}

static json_t *outcome(const struct sp_run *run, const struct sp_dataset *dataset, size_t row, float prediction)
{
    (void)run;
    return json_pack("{s:f, s:f}", "label", (double)dataset->values[row], "prediction", (double)prediction);
}

const struct sp_task sp_task_regression = {
    .name = "regression",
    .labels = "numbers to predict",
    .rows = { .labels = SP_LABELS_VALUES },
    .scores = scores,
    .score_count = sizeof scores / sizeof *scores,
    .takes = takes,
    .fits = fits,
    .outputs = outputs,
    .head_bias = head_bias,
    .keep_head = keep_head,
    .check_labels = check_labels,
    .build = build,
    .guess = guess,
    .overflow = "the loss itself, as the square of an output's distance from its label is too large for fp32",
    .score_begin = score_begin,
    .score_add = score_add,
    .score_end = score_end,
    .score_release = score_release,
    .predicted = predicted,
    .outcome = outcome,
};
