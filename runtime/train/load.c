#include "runtime/train/load.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/train/part.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether tensors of the same shape hold the same numbers. */
static int same_values(bool *same, const struct sp_tensor_info *a, const struct sp_tensor_info *b)
{
    enum { BLOCK = 1 << 14 };
    float *values = sp_calloc((size_t)2 * BLOCK, sizeof *values);
    int rc = values ? 0 : SP_ENOMEM;

    *same = a->count == b->count;
    for (size_t at = 0; rc == 0 && *same && at < a->count; at += BLOCK) {
        size_t count = a->count - at < BLOCK ? a->count - at : BLOCK;

        rc = sp_tensor_read_f32(values, a, at, count);
        rc = rc < 0 ? rc : sp_tensor_read_f32(values + BLOCK, b, at, count);
        for (size_t i = 0; rc == 0 && *same && i < count; i++)
            *same = values[i] == values[BLOCK + i];
    }
    free(values);
    return rc;
}

int sp_load_tie(struct sp_run *run)
{
    const struct sp_model_family *f = run->model.family;
    const struct sp_weight_names names = { f->prefixes, f->renames, NULL };
    const struct sp_tensor_info *own, *table;
    bool same;

    if (!f->vocabulary_weight)
        return 0;
    own = sp_weights_look_up(f->vocabulary_weight, &names, run->checkpoint);
    table = sp_weights_look_up(f->embedding_weight, &names, run->checkpoint);
    if (!table || run->model.tied != (own != NULL))
        return 0;
    if (own)
        SP_TRY(same_values(&same, own, table));
    if (own && same)
        return 0;
    run->model.tied = !own;
    if (own)
        sp_log(SP_LOG_WARNING,
               "%s: \"tie_word_embeddings\" is true, but %s has other values than %s: they are not tied",
               run->model_file, own->name, table->name);
    else
        sp_log(SP_LOG_WARNING, "%s: \"tie_word_embeddings\" is false, but there is no %s: it is tied to %s",
               run->model_file, f->vocabulary_weight, table->name);
    return 0;
}

/* What the plan wants of the checkpoint. A head that is not kept is not looked for. */
static void expect(struct sp_weight *w, const struct sp_param *p)
{
    *w = (struct sp_weight){ .rank = p->kind == SP_PARAM_VECTOR ? 1 : 2,
                             .shape = { (size_t)p->rows, (size_t)p->cols },
                             .optional = p->flags & SP_PARAM_OPTIONAL };
    memcpy(w->name, p->name, sizeof w->name);
}

/* The family's patterns and, where the head is not kept, the head's own names: nobody needs to be told of those. */
static const char **ignored_names(const struct sp_run *run)
{
    size_t count = sp_plan_param_count(run->plan), n = 0;
    const char **list;

    while (run->model.family->ignored[n])
        n++;
    list = sp_calloc(n + count + 1, sizeof *list);
    if (!list)
        return NULL;
    memcpy(list, run->model.family->ignored, n * sizeof *list);
    for (size_t i = 0; i < count && !run->keep_head; i++)
        if (sp_plan_param_at(run->plan, i)->flags & SP_PARAM_HEAD)
            list[n++] = sp_plan_param_at(run->plan, i)->name;
    return list;
}

int sp_load_find(struct sp_run *run)
{
    size_t count = sp_plan_param_count(run->plan), wanted = 0;
    struct sp_weight *list = sp_calloc(count, sizeof *list);
    const char **ignored = ignored_names(run);
    struct sp_weight_names names = { run->model.family->prefixes, run->model.family->renames, ignored };
    int rc = 0;

    run->weights = sp_calloc(count, sizeof *run->weights);
    SP_GO(list && ignored && run->weights ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < count; i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        expect(&run->weights[i], p);
        if (run->keep_head || !(p->flags & SP_PARAM_HEAD))
            list[wanted++] = run->weights[i];
    }
    SP_GO(sp_weights_find(list, wanted, &names, run->checkpoint));
    for (size_t i = 0, k = 0; i < count; i++)
        if (run->keep_head || !(sp_plan_param_at(run->plan, i)->flags & SP_PARAM_HEAD))
            run->weights[i].tensor = list[k++].tensor;
out:
    free(ignored);
    free(list);
    return rc;
}

double sp_load_head_bias(const struct sp_run *run)
{
    return run->task->head_bias ? run->task->head_bias(run) : 0;
}

/* Whether it is the bias of the layer whose weight the family calls its head. */
static bool is_head_bias(const struct sp_run *run, const struct sp_param *p)
{
    const char *head = run->model.family->head_weight;
    size_t module = strlen(head) - strlen("weight");

    return strncmp(p->name, head, module) == 0 && strcmp(p->name + module, "bias") == 0;
}

/* Normal with the model's own deviation for matrices, zeros for biases but the head's. */
static int initialise(float *out, const struct sp_run *run, size_t param, const struct sp_param *p)
{
    uint64_t seed = (uint64_t)run->config->seed;
    float bias = is_head_bias(run, p) ? (float)sp_load_head_bias(run) : 0, deviation;

    SP_TRY(run->model.family->read_initializer(&deviation, sp_checkpoint_config(run->checkpoint), run->model_file));
    for (size_t i = 0; i < sp_param_elements(p); i++)
        out[i] = p->kind == SP_PARAM_VECTOR ? bias
                                            : deviation * (float)sp_rng_normal(seed, SP_RNG_INIT, (uint32_t)param, i);
    return 0;
}

/* What the adapter has in place of the parameter's values, or makes of them. */
static int adapter_values(bool *done, float *values, const struct sp_run *run, size_t param, bool replace)
{
    *done = false;
    for (size_t i = 0; i < SP_PARTS && run->adapter && !*done; i++) {
        int (*take)(bool *, float *, const struct sp_run *, size_t) = replace ? sp_parts[i]->replace
                                                                              : sp_parts[i]->change;

        if (take)
            SP_TRY(take(done, values, run, param));
    }
    return 0;
}

/* A weight that is not finite is refused even where no row would use it: it would be found after the training, when it
 * is saved. */
static int check_finite(const float *values, size_t count, const struct sp_tensor_info *tensor, const char *what)
{
    size_t i = sp_first_not_finite(values, count);

    if (i == count)
        return 0;
    return sp_error(SP_ENUMERIC, "%s: tensor %s: element %zu is %f as fp32%s", tensor->file, tensor->name, i,
                    (double)values[i], what);
}

/* The parameter's values on the host: the adapter's, else the checkpoint's with the adapter's change, else the
 * seed's. */
static int host_values(float *out, const struct sp_run *run, size_t i, const struct sp_param *p)
{
    bool done;

    SP_TRY(adapter_values(&done, out, run, i, true));
    if (done)
        return 0;
    if (!run->weights[i].tensor) {
        if (!p->role)
            return sp_error(SP_EFORMAT, "%s has no tensor of that name%s", sp_checkpoint_dir(run->checkpoint),
                            run->adapter ? ", nor has the adapter" : "; name an adapter that has it");
        return initialise(out, run, i, p);
    }
    SP_TRY(sp_tensor_read_f32(out, run->weights[i].tensor, 0, sp_param_elements(p)));
    SP_TRY(check_finite(out, sp_param_elements(p), run->weights[i].tensor,
                        "; a model needs finite weights: the file is damaged, or the training that made it had "
                        "failed"));
    SP_TRY(adapter_values(&done, out, run, i, false));
    return done ? check_finite(out, sp_param_elements(p), run->weights[i].tensor, " with the adapter's change") : 0;
}

/* Uploads one parameter; a linear weight goes through a row-major copy, which stays where training needs it. */
static int load_param(struct sp_run *run, size_t i, float *host, struct sp_buffer *staging)
{
    struct sp_param *p = sp_plan_param_at(run->plan, i);
    const struct sp_part *part = sp_part_of(p->role);

    SP_TRY(host_values(host, run, i, p));
    if (!p->value && part && part->plain)
        SP_TRY(sp_buffer_create(&p->value, run->device, sp_param_bytes(p)));
    return sp_param_write(p, host, staging);
}

static bool is_param(const struct sp_run *run, const char *name)
{
    size_t i = 0;

    while (i < sp_plan_param_count(run->plan) && strcmp(sp_run_param_name(run, i), name) != 0)
        i++;
    return i < sp_plan_param_count(run->plan);
}

/* Every tensor of the adapter must be one of the model's: what is not would be left out without a word. */
static int check_adapter_names(const struct sp_run *run)
{
    const struct sp_adapter *a = run->adapter;
    const char *name;

    for (size_t i = 0; a && (name = sp_adapter_name(a, i)); i++)
        if (!is_param(run, name))
            return sp_error(SP_EFORMAT, "%s/adapter.safetensors: the model has no tensor %s", a->dir, name);
    return 0;
}

/* What the checkpoint may lack and does is no pretrained part: whoever trains it should know. */
static int tell_made(const struct sp_run *run)
{
    struct sp_buf names = SP_BUF(1 << 12);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        if (p->role && p->flags & SP_PARAM_OPTIONAL && !run->weights[i].tensor)
            rc = sp_buf_printf(&names, "%s%s", names.data ? ", " : "", p->name);
    }
    if (rc == 0 && names.data)
        sp_log(SP_LOG_WARNING, "%s has no %s: made from the seed, as a new head is, and trained with it",
               sp_checkpoint_dir(run->checkpoint), names.data);
    sp_buf_free(&names);
    return rc;
}

int sp_load_params(struct sp_run *run)
{
    size_t count = sp_plan_param_count(run->plan);
    struct sp_buffer *staging = NULL;
    float *host = NULL;
    int rc = 0;

    SP_TRY(check_adapter_names(run));
    SP_TRY(tell_made(run));
    host = sp_calloc(sp_plan_param_largest(run->plan), sizeof *host);
    SP_GO(host ? 0 : SP_ENOMEM);
    SP_GO(sp_buffer_create(&staging, run->device, sp_plan_param_staging(run->plan)));
    for (size_t i = 0; i < count; i++) {
        rc = load_param(run, i, host, staging);
        if (rc < 0) {
            if (!strstr(sp_error_message(), sp_run_param_name(run, i)))
                sp_error_context(rc, "while loading %s", sp_run_param_name(run, i));
            goto out;
        }
        sp_checkpoint_forget(run->checkpoint);
    }
    SP_GO(sp_device_finish(run->device));
    rc = sp_checkpoint_check_unchanged(run->checkpoint);
out:
    sp_buffer_free(staging);
    free(host);
    return rc;
}

int sp_load_attach(struct sp_run *run)
{
    run->attached = sp_calloc(SP_PARTS, sizeof *run->attached);
    if (!run->attached)
        return SP_ENOMEM;
    for (size_t i = 0; i < SP_PARTS && run->adapter; i++)
        if (sp_parts[i]->attach)
            SP_TRY(sp_parts[i]->attach(&run->attached[i], run));
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++)
        for (struct sp_addition *a = run->additions[i]; a; a = a->next)
            a->fixed = true;
    return 0;
}

void sp_load_detach(struct sp_run *run)
{
    for (size_t i = 0; i < SP_PARTS && run->attached; i++)
        if (sp_parts[i]->attach)
            sp_parts[i]->detach(run->attached[i]);
    free(run->attached);
    run->attached = NULL;
}
