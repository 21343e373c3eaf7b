#include "models/family.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int sp_family_size(int *out, const json_t *config, const char *key, int otherwise, const char *file)
{
    long long value = otherwise;

    SP_TRY(sp_json_get_int(&value, config, key, file));
    if (value <= 0 || value > 1 << 24)
        return sp_error(SP_EFORMAT, "%s: \"%s\" is %s; the model needs a size from 1 to %d there", file, key,
                        sp_json_member(config, key) ? "out of range" : "missing", 1 << 24);
    *out = (int)value;
    return 0;
}

int sp_family_rate(float *out, const json_t *config, const char *key, double otherwise, const char *file)
{
    double value = otherwise;

    SP_TRY(sp_json_get_double(&value, config, key, file));
    if (!(value >= 0 && value < 1))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is %g; expected a number from 0 to below 1", file, key, value);
    *out = (float)value;
    return 0;
}

int sp_family_positive(float *out, const json_t *config, const char *key, double otherwise, const char *file)
{
    double value = otherwise;

    SP_TRY(sp_json_get_double(&value, config, key, file));
    if (sp_json_member(config, key) && !(value > 0 && isfinite((float)value)))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is %g; expected a number above 0", file, key, value);
    *out = (float)value;
    return 0;
}

int sp_family_flag(bool *out, const json_t *config, const char *key, bool otherwise, const char *file)
{
    int value = otherwise;

    SP_TRY(sp_json_get_bool(&value, config, key, file));
    *out = value;
    return 0;
}

/* transformers' names, some of which mean the same. */
static const struct {
    const char *name;
    enum sp_activation activation;
} activations[] = {
    { "gelu", SP_ACTIVATION_GELU },
    { "relu", SP_ACTIVATION_RELU },
    { "silu", SP_ACTIVATION_SILU },
    { "swish", SP_ACTIVATION_SILU },
    { "gelu_pytorch_tanh", SP_ACTIVATION_GELU_TANH },
    { "gelu_new", SP_ACTIVATION_GELU_TANH },
};

static bool is_known(enum sp_activation activation, const enum sp_activation *known)
{
    while (*known != SP_ACTIVATION_NONE && *known != activation)
        known++;
    return *known != SP_ACTIVATION_NONE;
}

int sp_family_activation(enum sp_activation *out, const json_t *config, const char *key, const char *otherwise,
                         const enum sp_activation *known, const char *file)
{
    enum { COUNT = sizeof activations / sizeof *activations };
    const char *name = otherwise;
    char list[128] = "";

    SP_TRY(sp_json_get_string(&name, config, key, file));
    for (size_t i = 0; i < COUNT; i++) {
        if (!is_known(activations[i].activation, known))
            continue;
        if (strcmp(name, activations[i].name) == 0) {
            *out = activations[i].activation;
            return 0;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", list[0] ? ", " : "", activations[i].name);
    }
    return sp_error(SP_EFORMAT, "%s: \"%s\" is \"%s\"; speft-cl knows for this model: %s", file, key, name, list);
}

/* A flag that is true, a count that is not 0, or a list or object that is not empty. */
static int is_set(bool *out, const json_t *config, const char *key, const char *file)
{
    const json_t *value = json_object_get(config, key);
    long long count = 0;
    int set = 0;

    if (sp_json_is_object(value))
        set = json_object_size(value) > 0;
    else if (json_is_array(value))
        set = json_array_size(value) > 0;
    else if (strncmp(key, "num_", 4) == 0)
        SP_TRY(sp_json_get_int(&count, config, key, file));
    else
        SP_TRY(sp_json_get_bool(&set, config, key, file));
    *out = set || count != 0;
    return 0;
}

int sp_family_refuse(const struct sp_family_refusal *refusals, size_t count, const json_t *config, const char *file)
{
    for (size_t i = 0; i < count; i++) {
        bool set;

        SP_TRY(is_set(&set, config, refusals[i].key, file));
        if (set)
            return sp_error(SP_EFORMAT, "%s: \"%s\" is set; %s", file, refusals[i].key, refusals[i].why);
    }
    return 0;
}
