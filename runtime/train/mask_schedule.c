#include "runtime/train/mask_schedule.h"

#include <string.h>

static const struct sp_mask_schedule *const schedules[] = {
#define SP_MASK_SCHEDULE(name) &sp_mask_schedule_##name,
#include "runtime/train/mask_schedule.def"
#undef SP_MASK_SCHEDULE
};

const struct sp_mask_schedule *sp_mask_schedule_find(const char *method)
{
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        if (strcmp(schedules[i]->name, method) == 0)
            return schedules[i];
    return NULL;
}
