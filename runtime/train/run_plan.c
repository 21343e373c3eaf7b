/* What a run asks of its plan: passes, batches of its rows, and the plan's names as files spell them. */
#include "runtime/train/run.h"

#include "runtime/base/error.h"

#include <stdio.h>
#include <string.h>

const char *sp_run_param_name(const struct sp_run *run, size_t param)
{
    const struct sp_tensor_info *tensor = run->weights[param].tensor;

    return tensor ? tensor->name : sp_plan_param_at(run->plan, param)->name;
}

void sp_run_spell(char *out, size_t size, const struct sp_run *run, const char *name)
{
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const char *param = sp_plan_param_at(run->plan, i)->name, *at = strstr(name, param),
                   *end = at ? at + strlen(param) : NULL;

        if (at && (at == name || at[-1] == ' ') && (*end == '\0' || *end == ' ')) {
            snprintf(out, size, "%.*s%s%s", (int)(at - name), name, sp_run_param_name(run, i), end);
            return;
        }
    }
    snprintf(out, size, "%s", name);
}

void sp_run_add(struct sp_run *run, size_t param, struct sp_addition *addition)
{
    addition->next = run->additions[param];
    run->additions[param] = addition;
}

struct sp_plan_pass sp_run_scoring_pass(const struct sp_run *run, const struct sp_param_gradient *gradients)
{
    return (struct sp_plan_pass){
        .loss_scale = 1, .gradients = gradients, .additions = run->additions, .fixed_additions = true
    };
}

struct sp_plan_pass sp_run_evaluation_pass(const struct sp_run *run)
{
    struct sp_plan_pass pass = sp_run_scoring_pass(run, NULL);

    pass.forward_only = true;
    return pass;
}

struct sp_plan_pass sp_run_training_pass(const struct sp_run *run)
{
    return (struct sp_plan_pass){
        .dropout = true,
        .seed = (uint64_t)run->config->seed,
        .loss_scale = 1,
        .gradients = run->gradients,
        .additions = run->additions,
    };
}

int sp_run_find_not_finite(char *out, size_t size, struct sp_run *run, const struct sp_plan_pass *pass)
{
    char name[SP_PARAM_NAME + 32];

    SP_TRY(sp_plan_find_not_finite(run->plan, pass, name));
    sp_run_spell(out, size, run, name);
    return 0;
}

int sp_run_set_batch(struct sp_run *run, const struct sp_dataset *dataset, const uint32_t *order, size_t from,
                     size_t count)
{
    struct sp_batch *b = &run->batch;

    SP_TRY(sp_batch_fill(b, dataset, order, from, count));
    return sp_plan_set_batch(run->plan, &(struct sp_plan_batch){
                                            .ids = b->ids,
                                            .types = b->types,
                                            .bounds = b->bounds,
                                            .targets = dataset->targets ? b->targets : NULL,
                                            .target_count = (int)b->target_count,
                                            .terms = (int)b->terms,
                                            .tokens = (int)b->tokens,
                                            .sequences = (int)b->count,
                                        });
}
