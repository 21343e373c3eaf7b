#include "runtime/io/weights.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISSING_LIMIT 2500 /* characters of names: both lists must fit in one message */
#define SURPLUS_LIMIT 1000

/* Names for a message: as many as fit, and the number of all. */
struct name_list {
    struct sp_buf text;
    size_t count, shown;
};

static void list_add(struct name_list *list, const char *name)
{
    list->count++;
    if (list->shown == list->count - 1 &&
        sp_buf_printf(&list->text, "%s%s", list->shown ? ", " : "", name) == 0)
        list->shown++;
}

/* Says what of the list did not fit. */
static const char *list_text(struct name_list *list)
{
    if (list->shown < list->count) {
        list->text.limit += 32;
        (void)sp_buf_printf(&list->text, " and %zu more", list->count - list->shown);
        list->shown = list->count;
    }
    return list->text.data ? list->text.data : "";
}

static const struct sp_tensor_info *find_prefixed(const char *name,
                                                  const struct sp_weight_names *names,
                                                  const struct sp_checkpoint *checkpoint)
{
    const struct sp_tensor_info *tensor = NULL;
    char full[3 * SP_WEIGHT_NAME];

    for (const char *const *prefix = names->prefixes; *prefix && !tensor; prefix++) {
        snprintf(full, sizeof full, "%s%s", *prefix, name);
        tensor = sp_checkpoint_find(checkpoint, full);
    }
    return tensor;
}

/* The weight under its current name, else under an old spelling. */
const struct sp_tensor_info *sp_weights_look_up(const char *name, const struct sp_weight_names *names,
                                                const struct sp_checkpoint *checkpoint)
{
    const struct sp_tensor_info *tensor = find_prefixed(name, names, checkpoint);
    char old[2 * SP_WEIGHT_NAME];
    size_t length = strlen(name);

    for (const char *const *pair = names->renames; pair && *pair && !tensor; pair += 2) {
        size_t ending = strlen(pair[0]);

        if (ending > length || strcmp(name + length - ending, pair[0]) != 0)
            continue;
        snprintf(old, sizeof old, "%.*s%s", (int)(length - ending), name, pair[1]);
        tensor = find_prefixed(old, names, checkpoint);
    }
    return tensor;
}

static int check_weight(const struct sp_weight *weight)
{
    struct sp_tensor_info wanted = { .rank = weight->rank, .dtype = SP_F32 };
    const struct sp_tensor_info *tensor = weight->tensor;
    char found[SP_SHAPE_TEXT], expected[SP_SHAPE_TEXT];

    if (sp_dtype_is_float(tensor->dtype) &&
        sp_tensor_has_shape(tensor, weight->rank, weight->shape))
        return 0;
    memcpy(wanted.shape, weight->shape, sizeof wanted.shape);
    return sp_error(SP_EFORMAT,
                    "%s: tensor %s is %s; the model's configuration asks for %s (or another float "
                    "type of that shape)",
                    tensor->file, tensor->name, sp_tensor_describe(found, tensor),
                    sp_tensor_describe(expected, &wanted));
}

static bool is_ignored(const char *name, const char *const *patterns)
{
    for (; patterns && *patterns; patterns++)
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    return false;
}

/* The one tensor that has the name behind something that no prefix is, "encoder." before "encoder.layer.0...."; NULL
 * for none. The message below is pasted: it must be a plain name. */
static const struct sp_tensor_info *find_behind(const char *name, const struct sp_checkpoint *checkpoint)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    const struct sp_tensor_info *found = NULL;
    size_t length = strlen(name), count = 0;

    for (size_t i = 0; i < sp_checkpoint_count(checkpoint); i++) {
        const struct sp_tensor_info *tensor = sp_checkpoint_at(checkpoint, i);
        size_t all = strlen(tensor->name);

        if (all > length + 1 && tensor->name[all - length - 1] == '.' &&
            strcmp(tensor->name + all - length, name) == 0 && ++count == 1)
            found = tensor;
    }
    return count == 1 && !found->name[strspn(found->name, plain)] ? found : NULL;
}

/* Where all that is missing is there under one more beginning of names: that, in place of a long list. */
static int refuse_beginning(const struct sp_weight *weights, size_t count, const struct sp_weight_names *names,
                            const struct sp_checkpoint *checkpoint)
{
    const struct sp_tensor_info *there = NULL;
    char beginning[SP_WEIGHT_NAME] = "";
    const char *const prefixes[] = { beginning, NULL };
    const struct sp_weight_names other = { prefixes, names->renames, NULL };
    const char *first = NULL;
    size_t missing = 0;

    for (size_t i = 0; i < count; i++) {
        if (weights[i].tensor || weights[i].optional)
            continue;
        if (!missing++) {
            first = weights[i].name;
            there = find_behind(first, checkpoint);
            snprintf(beginning, sizeof beginning, "%.*s", there ? (int)(strlen(there->name) - strlen(first)) : 0,
                     there ? there->name : "");
        }
        if (!there || !sp_weights_look_up(weights[i].name, &other, checkpoint))
            return 0;
    }
    if (!missing)
        return 0;
    return sp_error(SP_EFORMAT,
                    "%s: the names of the model's weights begin with \"%s\", as in %s; expected is %s%s. If they are "
                    "of the kind of model that config.json says, take that off in Python: from safetensors.torch "
                    "import load_file, save_file; save_file({k.removeprefix('%s'): v for k, v in "
                    "load_file(FILE).items()}, FILE, {'format': 'pt'})",
                    sp_checkpoint_dir(checkpoint), beginning, there->name, names->prefixes[0], first, beginning);
}

/* One message for everything that is missing or in surplus. */
static int report(struct name_list *missing, struct name_list *surplus, size_t weights,
                  const struct sp_checkpoint *checkpoint)
{
    const char *surplus_text = list_text(surplus), *dir = sp_checkpoint_dir(checkpoint);

    if (missing->count > 0)
        return sp_error(SP_EFORMAT, "%s: %zu of the model's %zu weights are missing: %s%s%s", dir,
                        missing->count, weights, list_text(missing),
                        surplus->count ? "; tensors there that the model does not know: " : "",
                        surplus_text);
    if (surplus->count > 0)
        sp_log(SP_LOG_WARNING, "%s: %zu tensors are not used by the model: %s", dir,
               surplus->count, surplus_text);
    return 0;
}

int sp_weights_find(struct sp_weight *weights, size_t count, const struct sp_weight_names *names,
                    const struct sp_checkpoint *checkpoint)
{
    struct name_list missing = { .text = SP_BUF(MISSING_LIMIT) };
    struct name_list surplus = { .text = SP_BUF(SURPLUS_LIMIT) };
    size_t tensors = sp_checkpoint_count(checkpoint);
    bool *used = sp_calloc(tensors, sizeof *used);
    int rc = used ? 0 : SP_ENOMEM;

    for (size_t i = 0; i < count && rc == 0; i++) {
        weights[i].tensor = sp_weights_look_up(weights[i].name, names, checkpoint);
        if (weights[i].tensor) {
            used[weights[i].tensor - sp_checkpoint_at(checkpoint, 0)] = true;
        } else if (!weights[i].optional) {
            list_add(&missing, weights[i].name);
        }
    }
    if (rc == 0)
        rc = refuse_beginning(weights, count, names, checkpoint);
    for (size_t i = 0; i < tensors && rc == 0; i++) {
        const char *name = sp_checkpoint_at(checkpoint, i)->name;

        if (!used[i] && !is_ignored(name, names->ignored))
            list_add(&surplus, name);
    }
    if (rc == 0)
        rc = report(&missing, &surplus, count, checkpoint);
    if (rc == 0 && sp_checkpoint_wrapper(checkpoint)[0])
        sp_log(SP_LOG_INFO,
               "%s: the names of all weights begin with \"%s\", as a trainer that wraps models leaves them, and are "
               "read without that",
               sp_checkpoint_dir(checkpoint), sp_checkpoint_wrapper(checkpoint));
    for (size_t i = 0; i < count && rc == 0; i++)
        if (weights[i].tensor)
            rc = check_weight(&weights[i]);
    sp_buf_free(&missing.text);
    sp_buf_free(&surplus.text);
    free(used);
    return rc;
}
