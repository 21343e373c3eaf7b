/*
 * Between the configuration and who owns some of its options (layer 5, private to this folder): names that people bring
 * from other tools (config_names.c), and what a method's or a task's check may ask and do while a configuration is
 * loaded.
 */
#ifndef SP_TRAIN_CONFIG_PRIV_H
#define SP_TRAIN_CONFIG_PRIV_H

#include "runtime/base/option.h"
#include "runtime/train/config.h"

extern const struct sp_option_hint sp_config_hints[]; /* a NULL ends them */
extern const char *const sp_config_foreign[];

/* For rows of the table: their groups. */
#define SP_CONFIG_DATA "Model and data"
#define SP_CONFIG_TRAINING SP_OPTIM_GROUP
#define SP_CONFIG_REPORTS "Reports and evaluation"
#define SP_CONFIG_SPARSE SP_METRIC_GROUP
#define SP_CONFIG_DIGITS_(number) #number
#define SP_CONFIG_DIGITS(number) SP_CONFIG_DIGITS_(number)
/* Delimiters that have a word. */
#define SP_CONFIG_DELIMITERS(X) X(comma, ',') X(semicolon, ';') X(pipe, '|') X(space, ' ') X(tab, '\t')
/* Defaults that depend on other options; the table's texts say them, too. */
#define SP_CONFIG_RANK 8
#define SP_CONFIG_OPTIMIZER "adamw"

/* What one load holds: the texts that places point into. */
struct sp_config_load {
    struct sp_config *config;
    struct sp_option_given *given; /* one for each row of the table */
    char *text;
    struct sp_source file;
    struct sp_source *overrides;
};

/* Where the option's value came from. */
const struct sp_option_given *sp_config_given(const struct sp_config_load *load, const char *key);

/* Two options that cannot both be given: what the command line says goes before what the file says, a later layer
 * before an earlier one, and of two that were given in the same way the second is the mistake. */
int sp_config_contradiction(struct sp_config_load *load, const char *a, const char *b, const char *why);

/* The default, where the field is unset: NULL, or below 0. */
int sp_config_fill(char **field, const char *value);
void sp_config_fill_int(long long *field, long long value);

#endif
