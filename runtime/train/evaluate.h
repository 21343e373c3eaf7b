/* Evaluation and prediction over a data set (layer 5): forward passes without dropout, in the file's order. */
#ifndef SP_TRAIN_EVALUATE_H
#define SP_TRAIN_EVALUATE_H

#include "runtime/train/run.h"

#define SP_TASK_SCORES 4 /* the most that a task has */

struct sp_evaluation {
    double loss; /* the mean over the rows' terms */
    size_t rows;
    double scores[SP_TASK_SCORES]; /* in the order of the task's */
    /* In what way the model tells the rows not apart, with no smaller a loss than guessing gives; "": it does. */
    char guessing[512];
};

/* Evaluates run->validation, which must hold rows with labels. */
int sp_evaluate(struct sp_evaluation *out, struct sp_run *run);

/* The same, and each row's prediction (a class, or the value) in predictions[rows]. */
int sp_evaluate_rows(struct sp_evaluation *out, float *predictions, struct sp_run *run);

/* A warning in the log where the model tells the rows not apart, with what may help where it was just `trained`. */
void sp_evaluation_tell_guessing(const struct sp_evaluation *evaluation, const struct sp_run *run, bool trained);

/* A loss or a score for people: with four digits after the point, or of four digits where many stand before it. Returns
 * out. */
#define SP_SCORE_TEXT 32
const char *sp_score_text(char out[SP_SCORE_TEXT], double value);

/* Appends the task's metrics to an object as PREFIXloss, PREFIXaccuracy, ... */
int sp_evaluation_json(json_t *object, const struct sp_evaluation *evaluation, const struct sp_task *task,
                       const char *prefix);

/* The model's output for rows from .. from + rows - 1 of a data set: `outputs` numbers for each row, or for each of its
 * tokens. */
struct sp_logits {
    const float *values;
    size_t from, rows, outputs;
    const uint32_t *bounds; /* [rows + 1]: row i has tokens bounds[i] .. bounds[i + 1] - 1; NULL: they are of rows */
    /* For a task that scores by_losses, else NULL: values are the loss's rows then, outputs is 1, and these say whether
     * the model would have said the row's target, 1 or 0 */
    const float *hits;
};

/* Row i's: `count` times `outputs` numbers, count being 1 or its tokens. */
struct sp_logits_row {
    const float *values;
    size_t count;
};
struct sp_logits_row sp_logits_row(const struct sp_logits *logits, size_t i);

/* What takes them, borrowed for the call; an error ends the passes. */
typedef int sp_logits_fn(void *user, const struct sp_logits *logits);

/* Gives the logits of every row, in order, a batch at a time: no more of them are ever held. The mean loss over the
 * rows' terms goes to *loss unless it is NULL; where it is not finite, the batch that made it so was the last one, and
 * is the plan's. */
int sp_logits_each(double *loss, struct sp_run *run, const struct sp_dataset *dataset, sp_logits_fn *take, void *user);

/* The class with the largest logit, the first of equals. */
uint32_t sp_argmax(const float *logits, size_t count);

#endif
