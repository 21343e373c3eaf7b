#include "runtime/train/ledger.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/train/mask.h"
#include "runtime/train/method.h"
#include "runtime/train/part.h"
#include "runtime/train/task.h"

#include <stdio.h>
#include <string.h>

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int sp_ledger_make(struct sp_ledger *out, const struct sp_run *run)
{
    const struct sp_method *method = sp_config_method(run->config);
    const struct sp_plan_memory plan = sp_plan_memory(run->plan);

    *out = (struct sp_ledger){ .weights = plan.weights, .activations = plan.activations,
                               .batch = plan.inputs + plan.kept, .loading = sp_plan_param_staging(run->plan) };
    for (size_t i = 0; i < SP_PARTS; i++)
        if (sp_parts[i]->memory && sp_trained_has(run, sp_parts[i]->role))
            SP_TRY(sp_parts[i]->memory(&out->trained, run));
    if (method->masked)
        SP_TRY(sp_mask_memory(&out->scoring, run));
    if (method->memory)
        SP_TRY(method->memory(&out->moving, run));
    out->moving_stays = method->memory_stays;
    return run->task->sample_memory ? run->task->sample_memory(&out->sample, run) : 0;
}

size_t sp_ledger_total(const struct sp_ledger *l)
{
    size_t beside = l->moving_stays ? l->moving + l->sample : larger(l->moving, l->sample);

    return l->weights + l->activations + l->batch + larger(larger(l->loading, l->scoring), l->trained + beside);
}

static void describe(char *out, size_t size, const struct sp_ledger *l)
{
    const struct {
        const char *what;
        size_t bytes;
    } items[] = {
        { "weights", l->weights },
        { ", activations", l->activations },
        { ", batches", l->batch },
        { ", what is trained", l->trained },
        { ", the method's own", l->moving },
        { "; before the steps for loading", l->loading },
        { ", for scoring", l->scoring },
        { "; before and after the steps for sample_prompt", l->sample },
    };

    out[0] = '\0';
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (items[i].bytes)
            snprintf(out + strlen(out), size - strlen(out), "%s %.1f", items[i].what,
                     (double)items[i].bytes / (1 << 20));
}

int sp_ledger_tell(const struct sp_run *run)
{
    const struct sp_device_info *info = sp_device_info(run->device);
    struct sp_ledger ledger;
    char text[320];
    double total;

    SP_TRY(sp_ledger_make(&ledger, run));
    total = (double)sp_ledger_total(&ledger) / (1 << 20);
    describe(text, sizeof text, &ledger);
    if (sp_ledger_total(&ledger) > info->global_memory)
        return sp_error(SP_ELIMIT,
                        "this run takes %.1f MiB of device memory (%s), and %s has %.1f MiB: use a smaller batch or "
                        "max_seq_length, train less, or use another device",
                        total, text, info->name, (double)info->global_memory / (1 << 20));
    sp_log(SP_LOG_INFO, "memory: %.1f MiB of the device's %.0f: %s", total,
           (double)info->global_memory / (1 << 20), text);
    return 0;
}
