/*
 * The run configuration (layer 5): one struct of plain fields, filled from a YAML file and
 * `key=value` overrides through one option table (config_options.c), which also prints --help, the man page
 * and the resolved configuration.
 *
 * After sp_config_load every field holds what the run uses: defaults that depend on other options
 * (learning_rate by method, eval_steps by logging_steps, the budget) are filled in. What stays
 * unset is said at the field. Strings are owned by the struct; sp_config_release frees them.
 * Threading: read-only after loading.
 */
#ifndef SP_TRAIN_CONFIG_H
#define SP_TRAIN_CONFIG_H

#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/option.h"
#include "runtime/data/dataset.h"
#include "runtime/optim/optim.h"
#include "runtime/sparse/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Options of a few values, each with its name in files. */
#define SP_CONFIG_EVALS(X) X(EVAL_NO, no) X(EVAL_STEPS, steps) X(EVAL_EPOCH, epoch)
#define SP_CONFIG_SCOPES(X) X(SCOPE_GLOBAL, global) X(SCOPE_TENSOR, tensor) X(SCOPE_UNIFORM_COUNT, uniform_count)
#define SP_CONFIG_CONSTANT(constant, name) SP_CONFIG_##constant,
enum sp_config_eval { SP_CONFIG_EVALS(SP_CONFIG_CONSTANT) };
enum sp_config_scope { SP_CONFIG_SCOPES(SP_CONFIG_CONSTANT) };
extern const char *const sp_config_evals[], *const sp_config_scopes[]; /* their names; NULL at the end */

/* The options that are a budget, after this beginning of their keys. */
#define SP_CONFIG_BUDGET "sparse."
#define SP_CONFIG_BUDGETS(X) X(density) X(rank_equivalent) X(count)

struct sp_config_sparse {
    int method;   /* sp_config_method (method.h) has it */
    char *metric; /* a metric's name */
    struct sp_metric_options metrics; /* their own */
    /* The budget: with a sparse method exactly one is set, with the others none. Unset is NaN for the
     * density, -1 otherwise. */
    double density;
    long long rank_equivalent, count;
    enum sp_config_scope scope;
    struct sp_string_list target_modules;
    long long scoring_examples, scoring_memory; /* rows; MiB */
    char *score_cache;                          /* a folder; NULL: none */

    /* The methods' own, each in its file's struct; unset but with their method. */
#define SP_METHOD(name) void *name##_options;
#include "runtime/train/method.def"
#undef SP_METHOD
};

struct sp_config {
    char *source; /* the file it was read from; NULL when none was */

    /* Files the user names are as found: in the current directory or beside the configuration file.
     * NULL when unset. */
    char *model_name_or_path, *train_file, *validation_file, *output_dir;

    enum sp_three_way keep_head;
    int task; /* 0: auto; else sp_config_task (task.h) has it */
    char *text_column, *text_pair_column, *label_column; /* name or number from 1; NULL: unset */
    enum sp_three_way has_header;
    char *delimiter; /* "auto", "tab" or another one's name, or one character; sp_config_delimiter */
    enum sp_three_way quotes; /* tsv: fields may be quoted as in csv */
    bool skip_bad_rows;
    long long max_seq_length;
    long long max_train_samples, max_eval_samples; /* 0: all */

    long long per_device_train_batch_size, per_device_eval_batch_size, gradient_accumulation_steps;
    double num_train_epochs;
    long long max_steps; /* 0: by epochs */
    double learning_rate;
    char *lr_scheduler_type; /* linear, cosine or constant */
    double warmup_steps;     /* below 1: a share of all steps */
    char *optimizer; /* an optimizer's name */
    struct sp_optim_options optim;
    double dropout;       /* NaN when unset: the model's own */
    long long seed;
    bool shuffle;

    long long logging_steps;
    enum sp_config_eval eval_strategy;
    long long eval_steps; /* -1 unless eval_strategy is steps */

    char *device; /* a device specification, "auto" for the first choice */
    char *gemm;   /* a GEMM family's name, "auto" to let the runtime pick */

    struct sp_config_sparse sparse;

    /* The tasks' own, each in its file's struct; without the task they may not be given. */
#define SP_TASK(name) void *name##_options;
#include "runtime/train/task.def"
#undef SP_TASK
};

/* Defaults, and the overrides ("key=value", dotted keys) on top of the file at `path`. `path` may
 * be NULL: no file, and nothing is required then. A mistake in either is SP_ECONFIG, the message
 * naming file, line and column with the line and a caret beneath. On failure *out needs no
 * release. */
int sp_config_load(struct sp_config *out, const char *path, const char *const *overrides,
                   size_t count);

/* Options of a mapping that was parsed from `source`. */
struct sp_config_layer {
    const struct sp_yaml_node *block;
    const struct sp_source *source;
};

/* As sp_config_load, with mappings instead of a file, each laid over those before it: where two
 * contradict each other the later one stands. `name` is what messages call the whole. */
int sp_config_load_layers(struct sp_config *out, const char *name,
                          const struct sp_config_layer *layers, size_t layer_count,
                          const char *const *overrides, size_t count);
void sp_config_release(struct sp_config *config);

/* The delimiter of csv and tsv files; 0 for auto. */
char sp_config_delimiter(const struct sp_config *config);

/* The value of an option, in its type (option.h). */
void *sp_config_value(const struct sp_config *config, const char *key);

/* SP_ECONFIG when the string option `key` ("train_file") is unset; for what only some commands
 * need. */
int sp_config_require(const struct sp_config *config, const char *key);

/* Keys of the options that are paths of what is read, one after the other; NULL after the last. */
const char *sp_config_input(size_t i);

/* Removes from sp_config_json's object what says where something lies, and not what it is. */
void sp_config_forget_paths(json_t *json);

/* Appends every option as YAML that loads to the same configuration. */
int sp_config_write(const struct sp_config *config, struct sp_buf *out);

/* Every option as an object, `sparse` nested, unset options null; the caller's to release. */
int sp_config_json(const struct sp_config *config, json_t **out);

/* The option table, for help and manual. */
const struct sp_option_table *sp_config_options(void);

#endif
