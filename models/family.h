/*
 * Reading a config.json, for the families (layer 5): values that a model needs, checked, and what is refused by name
 * since it would be computed wrongly. `file` is the file's name in messages; errors are SP_EFORMAT. Stateless.
 */
#ifndef SP_MODELS_FAMILY_H
#define SP_MODELS_FAMILY_H

#include "runtime/nn/plan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A size from 1 to 2^24; `otherwise` where the key is missing or null, 0 for one that must be there. */
int sp_family_size(int *out, const json_t *config, const char *key, int otherwise, const char *file);

/* A number from 0 to below 1. */
int sp_family_rate(float *out, const json_t *config, const char *key, double otherwise, const char *file);

/* A number above 0; `otherwise`, which may be 0 for "none", where the key is missing or null. */
int sp_family_positive(float *out, const json_t *config, const char *key, double otherwise, const char *file);

int sp_family_flag(bool *out, const json_t *config, const char *key, bool otherwise, const char *file);

/* An activation by transformers' name for it, of those in the list that SP_ACTIVATION_NONE ends. */
int sp_family_activation(enum sp_activation *out, const json_t *config, const char *key, const char *otherwise,
                         const enum sp_activation *known, const char *file);

struct sp_family_refusal {
    const char *key, *why; /* a key "num_..." is a count, any other a flag, a list or an object */
};

/* Refuses each key that is set: true, a count that is not 0, or an object or list that is not empty. */
int sp_family_refuse(const struct sp_family_refusal *refusals, size_t count, const json_t *config, const char *file);

#endif
