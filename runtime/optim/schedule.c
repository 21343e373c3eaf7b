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

/* The schedules. */
#define SCHEDULES(X) X(linear) X(cosine) X(constant)
#define NAME(name) #name,
#define FACTOR(name) name,

const char *const sp_schedule_names[] = { SCHEDULES(NAME) NULL };
static double (*const factors[])(double progress) = { SCHEDULES(FACTOR) };

int sp_schedule_factor(double *out, const char *name, size_t step, size_t total, size_t warmup)
{
    for (size_t i = 0; sp_schedule_names[i]; i++) {
        if (strcmp(sp_schedule_names[i], name) != 0)
            continue;
        if (step < warmup)
            *out = (double)step / (double)warmup;
        else
            *out = factors[i](total > warmup ? (double)(step - warmup) / (double)(total - warmup) : 1);
        return 0;
    }
    return sp_error(SP_EINVAL, "there is no learning-rate schedule called '%s'", name);
}

size_t sp_schedule_warmup(double option, size_t total)
{
    return (size_t)(option < 1 ? ceil(option * (double)total) : option);
}
