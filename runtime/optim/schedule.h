/*
 * Learning-rate schedules (layer 4), with linear warm-up before each. The t-th of N steps, t from 0, with w warm-up
 * steps uses lr times
 *
 *     t < w:      t / w
 *     linear:     (N - t) / (N - w)
 *     cosine:     (1 + cos(pi (t - w) / (N - w))) / 2
 *     constant:   1
 *
 * A schedule is a function and a word of the list in schedule.c.
 */
#ifndef SP_OPTIM_SCHEDULE_H
#define SP_OPTIM_SCHEDULE_H

#include <stddef.h>

/* Their names; NULL at the end. */
extern const char *const sp_schedule_names[];

/* The factor on the learning rate; `name` must be one of those (SP_EINVAL otherwise). */
int sp_schedule_factor(double *out, const char *name, size_t step, size_t total, size_t warmup);

/* Warm-up steps from the option: a count, or below 1 a share of all steps, rounded up. */
size_t sp_schedule_warmup(double option, size_t total);

#endif
