/*
 * When and how a run's mask moves (layer 5). Each sparse method has a schedule of its name: one mask_schedule_NAME.c and one line
 * of mask_schedule.def. The trainer calls its hooks around each step; a schedule moves the mask with sp_trained_move.
 */
#ifndef SP_TRAIN_MASK_SCHEDULE_H
#define SP_TRAIN_MASK_SCHEDULE_H

#include "runtime/train/trained.h"

/* Every hook may be NULL. `done` is the number of optimizer steps done so far; trained->total that of the run. */
struct sp_mask_schedule {
    const char *name; /* as in sparse.method */
    /* After the first mask was made; sets trained->merges. */
    int (*create)(void **state, struct sp_trained *trained, struct sp_run *run);
    void (*free)(void *state); /* NULL is fine */
    /* Before the first step: records (sp_plan_record, sp_device_set_recording) what its steps launch and an ordinary step does not. */
    int (*record)(void *state, struct sp_trained *trained, struct sp_run *run);
    /* Before a step's first micro-batch: may change the plan's sinks. */
    int (*before_step)(void *state, struct sp_trained *trained, struct sp_run *run, size_t done);
    /* After the step and its sp_trained_apply: moves the mask when it is time. */
    int (*after_step)(void *state, struct sp_trained *trained, struct sp_run *run, size_t done, struct sp_mask_change *change);
};

#define SP_MASK_SCHEDULE(name) extern const struct sp_mask_schedule sp_mask_schedule_##name;
#include "runtime/train/mask_schedule.def"
#undef SP_MASK_SCHEDULE

/* The schedule of the method; NULL where there is no mask. */
const struct sp_mask_schedule *sp_mask_schedule_find(const char *method);

#endif
