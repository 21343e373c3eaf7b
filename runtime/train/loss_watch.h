/*
 * Whether a run has gone astray with numbers that are still finite (layer 5): after a learning rate that is too high the loss stays
 * far above that of the start, and nothing else says so. The loss's means over windows of 10 steps (a tenth of a run of fewer than
 * 100, a hundredth of one of more than 1,000) are held against
 *
 *     limit = max(1.5 start, floor),  start = min(the first window's mean, max(the first step's loss, floor))
 *
 * and five windows in a row above it are what noise does not do. The first step's loss is of the weights before any update; it caps
 * a first window in which the loss has already exploded. The floor, what guessing gives, keeps a model that starts well, with its own
 * trained head, from being blamed for a few hard rows. A value.
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
    double sum, last;                  /* of the window at work; the running mean of the last five, or as many as are above */
    bool told;
};

/* For a run of `total` steps. `floor`: ln C for C classes; for a number four times the labels' variance, most of which
 * may lie in a few rows. */
void sp_loss_watch_init(struct sp_loss_watch *watch, double floor, size_t total);

/* The next step's loss. True once in a run: when it has gone astray. */
bool sp_loss_watch_add(struct sp_loss_watch *watch, double loss);

/* Whether the loss is astray now: one that came back is not. */
bool sp_loss_watch_is_astray(const struct sp_loss_watch *watch);

#endif
