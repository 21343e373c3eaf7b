#include "runtime/train/roles.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/train/part.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

int sp_roles_of_head(struct sp_run *run)
{
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        struct sp_param *p = sp_plan_param_at(run->plan, i);
        bool lacking = p->flags & SP_PARAM_OPTIONAL && !run->weights[i].tensor;

        p->role = p->flags & SP_PARAM_HEAD || lacking ? SP_PARAM_DENSE : SP_PARAM_FROZEN;
    }
    return 0;
}

int sp_roles_of_all(struct sp_run *run)
{
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++)
        sp_plan_param_at(run->plan, i)->role = SP_PARAM_DENSE;
    return 0;
}

/* Whether the module of a weight's name, all before ".weight", ends in `target` at a dot, or all modules are meant that
 * can be targets. */
static bool is_named(const struct sp_param *p, const char *target)
{
    size_t length = strlen(p->name) - strlen(".weight"), n = strlen(target);

    if (strcasecmp(target, "all-linear") == 0) /* PEFT's word, in any case of letters as there */
        return !(p->flags & (SP_PARAM_ROWS | SP_PARAM_VOCABULARY));
    return n <= length && memcmp(p->name + length - n, target, n) == 0 &&
           (n == length || p->name[length - n - 1] == '.');
}

/* A linear layer inside the model, which a target may name: none that sp_roles_of_head has given a role. */
static bool can_be_target(const struct sp_param *p)
{
    return p->kind == SP_PARAM_LINEAR && p->role == SP_PARAM_FROZEN;
}

/* The last part of a linear layer's module name, "query" of "....self.query.weight"; its length goes to *length. */
static const char *module_of(const struct sp_param *p, size_t *length)
{
    size_t end = strlen(p->name) - strlen(".weight"), start = end;

    while (start > 0 && p->name[start - 1] != '.')
        start--;
    *length = end - start;
    return p->name + start;
}

/* No module ends in the target: the message names the nearest module and those that there are. */
static int no_target(const struct sp_run *run, const char *wanted)
{
    enum { MODULES = 32 };
    const char *nearest, *list[MODULES];
    char modules[MODULES][SP_PARAM_NAME];
    struct sp_buf text = SP_BUF((size_t)MODULES * SP_PARAM_NAME);
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sp_plan_param_count(run->plan) && count < MODULES; i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);
        bool seen = !can_be_target(sp_plan_param_at(run->plan, i));
        size_t length;
        const char *module = seen ? NULL : module_of(p, &length);

        for (size_t k = 0; k < count && !seen; k++)
            seen = strlen(modules[k]) == length && memcmp(modules[k], module, length) == 0;
        if (seen)
            continue;
        snprintf(modules[count], sizeof modules[count], "%.*s", (int)length, module);
        list[count] = modules[count];
        rc = sp_buf_printf(&text, "%s%s", count ? ", " : "", modules[count]);
        count++;
    }
    nearest = sp_text_nearest(wanted, list, count);
    if (rc == 0)
        rc = sp_error(SP_ECONFIG,
                      "sparse.target_modules: no linear layer of the model ends in '%s'%s%s%s; its modules: %s "
                      "(all-linear means all)",
                      wanted, nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "",
                      text.data ? text.data : "none");
    sp_buf_free(&text);
    return rc;
}

static bool is_auto(const struct sp_string_list *targets)
{
    return targets->count == 1 && strcmp(targets->items[0], "auto") == 0;
}

/* Target t, by the model's family where the configuration leaves them to it; NULL: there are no more. */
static const char *target_at(const struct sp_run *run, size_t t)
{
    const struct sp_string_list *targets = &run->config->sparse.target_modules;

    if (is_auto(targets))
        return run->model.family->targets[t];
    return t < targets->count ? targets->items[t] : NULL;
}

/* Every target must name something: one that is misspelt would otherwise be left out without a word. */
static int check_targets(const struct sp_run *run)
{
    const char *target;

    for (size_t t = 0; (target = target_at(run, t)); t++) {
        bool found = false;

        for (size_t i = 0; i < sp_plan_param_count(run->plan) && !found; i++)
            found = can_be_target(sp_plan_param_at(run->plan, i)) &&
                    is_named(sp_plan_param_at(run->plan, i), target);
        if (!found)
            return no_target(run, target);
    }
    return 0;
}

static int say_targets(const struct sp_run *run)
{
    struct sp_buf text = SP_BUF(1024);
    const char *target;
    int rc = 0;

    for (size_t t = 0; rc == 0 && (target = target_at(run, t)); t++)
        rc = sp_buf_printf(&text, "%s%s", t ? ", " : "", target);
    if (rc == 0)
        sp_log(SP_LOG_INFO, "sparse.target_modules: %s (auto)", text.data);
    sp_buf_free(&text);
    return rc;
}

/* The gradient of products is half of what a weight gets whose rows are looked up, too. */
static int check_untied(const struct sp_run *run, size_t param, const char *target, const struct sp_part *part)
{
    if (!part->untied || !(sp_plan_param_at(run->plan, param)->flags & SP_PARAM_ROWS))
        return 0;
    return sp_error(SP_ECONFIG,
                    "sparse.target_modules: '%s' is %s, whose rows are the model's embeddings, too (a tied weight), "
                    "which %s cannot train: remove it, or take sparse.method: full",
                    target, sp_run_param_name(run, param), part->untied);
}

int sp_roles_of_targets(struct sp_run *run, enum sp_param_role role)
{
    const char *target;

    SP_TRY(sp_roles_of_head(run));
    SP_TRY(check_targets(run));
    if (is_auto(&run->config->sparse.target_modules))
        SP_TRY(say_targets(run));
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        struct sp_param *p = sp_plan_param_at(run->plan, i);

        for (size_t t = 0; (target = target_at(run, t)); t++)
            if (can_be_target(p) && is_named(p, target)) {
                SP_TRY(check_untied(run, i, target, sp_part_of(role)));
                p->role = role;
            }
    }
    return 0;
}
