/* The list of tasks, by itself: a test may bring another one in its place. */
#include "runtime/train/task.h"

const struct sp_task *const sp_tasks[] = {
#define SP_TASK(name) &sp_task_##name,
#include "runtime/train/task.def"
#undef SP_TASK
    NULL
};
