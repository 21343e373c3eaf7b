/* static: the first mask is kept. */
#include "runtime/train/mask_schedule.h"

const struct sp_mask_schedule sp_mask_schedule_static = { .name = "static" };
