/*
 * Whether a run has gone astray with numbers that are still finite (layer 5): after a learning rate that is too high
 * the loss stays far above that of the start, and nothing else says so. The loss's means over windows of 10 steps (a
 * tenth of a run of fewer than 100, a hundredth of one of more than 1,000) are held against
 *
 *     limit = max(1.5 start, floor),  start = min(the first window's mean, max(the first step's loss, floor))
 *
 * and five windows in a row above it are what noise does not do. The first step's loss is of the weights before any
 * update; it caps a first window in which the loss has already exploded. The floor, what guessing gives, keeps a model
 * that starts well, with its own trained head, from being blamed for a few hard rows.
 *
 * A run may be too short for that, or explode in its last steps: at the end the rows of its first batch, of which the
 * loss before any update is known, and of its last are tried once more. With m = max(that loss, floor), more than 2 m
 * on both is not the rows' fault; nor is more than 10 m, which single hard rows do not reach, in the median of both and
 * the last five windows: rows of one class may have a loss of nearly nothing while the model says their class to all
 * rows. A value.
 */
#ifndef SP_TRAIN_LOSS_WATCH_H
#define SP_TRAIN_LOSS_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#define SP_LOSS_WATCH_WINDOWS 5 /* in a row */

struct sp_loss_watch {
    double floor, first, start, limit; /* start and limit once the first window is full */
    size_t window, steps;              /* steps in a window; seen so far */
    size_t above;                      /* windows in a row above the limit, up to now */
    /* of the window at work; the running mean of the last five, or as many as are above */
    double sum, last;
    double recent[SP_LOSS_WATCH_WINDOWS]; /* windows' means after the first, the k-th at k % 5 */
    bool told, ended;                  /* ended: astray by the losses at the end */
};

/* For a run of `total` steps. `floor`: ln C for C classes; for a number four times the labels' variance, most of which
 * may lie in a few rows. */
void sp_loss_watch_init(struct sp_loss_watch *watch, double floor, size_t total);

/* The next step's loss. True once in a run: when it has gone astray. */
bool sp_loss_watch_add(struct sp_loss_watch *watch, double loss);

/* After the last step: the first batch's loss before any update and now, and the last batch's now. True when it has
 * gone astray, and that was not told before. */
bool sp_loss_watch_end(struct sp_loss_watch *watch, double before, double first, double last);

/* The same with the loss on held-out rows before any update and now, which must be 10 times max(that, floor): they are
 * more rows, but a model that only learnt its training rows by heart has a larger loss on others, too. */
bool sp_loss_watch_held_out(struct sp_loss_watch *watch, double before, double now);

/* Whether the loss is astray now: one that came back is not. */
bool sp_loss_watch_is_astray(const struct sp_loss_watch *watch);

#endif
