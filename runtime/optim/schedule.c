#include "runtime/optim/schedule.h"

#include "runtime/base/error.h"

#include <math.h>
#include <string.h>

/* `progress` runs from 0 after the warm-up to 1 at the end. */
static double linear(double progress)
{
    return 1 - progress;
}

static double cosine(double progress)
{
    return 0.5 * (1 + cos(M_PI * progress));
}

static double constant(double progress)
{
    (void)progress;
    return 1;
}

static const struct {
    const char *name;
    double (*factor)(double progress);
} schedules[] = { { "linear", linear }, { "cosine", cosine }, { "constant", constant } };

int sp_schedule_factor(double *out, const char *name, size_t step, size_t total, size_t warmup)
{
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        if (strcmp(schedules[i].name, name) != 0)
            continue;
        if (step < warmup)
            *out = (double)step / (double)warmup;
        else
            *out = schedules[i].factor(total > warmup ? (double)(step - warmup) / (double)(total - warmup) : 1);
        return 0;
    }
    return sp_error(SP_EINVAL, "there is no learning-rate schedule called '%s'", name);
}

size_t sp_schedule_warmup(double option, size_t total)
{
    return (size_t)(option < 1 ? ceil(option * (double)total) : option);
}
