#include "runtime/train/config.h"
#include "runtime/train/config_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/train/method.h"
#include "runtime/train/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD SP_CONFIG_FIELD

/* Defaults that depend on other options; the table's texts say them, too. */
#define DEFAULT_RANK 8
#define DEFAULT_OPTIMIZER "adamw"

static const char *const tasks[] = {
    "auto",
#define SP_TASK(name) #name,
#include "runtime/train/task.def"
#undef SP_TASK
    NULL
};
static const char *const three_way[] = { "auto", "true", "false", NULL };
static const char *const keeps[] = { "auto", "true", "false", NULL };
static const char *const schedules[] = { "linear", "cosine", "constant", NULL };
static const char *const evals[] = { "no", "steps", "epoch", NULL };
static const char *const gemms[] = { "auto", "packed", "tiled", "clblast", NULL };
static const char *const methods[] = {
#define SP_METHOD(name) #name,
#include "runtime/train/method.def"
#undef SP_METHOD
    NULL
};
static const char *const optimizers[] = {
#define SP_OPTIMIZER(name) #name,
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER
    NULL
};
static const char *const metrics[] = {
#define SP_METRIC(name) #name,
#include "runtime/sparse/metric.def"
#undef SP_METRIC
    NULL
};
static const char *const signs[] = { "paper", "code", NULL };
static const char *const scopes[] = { "global", "tensor", "uniform_count", NULL };

static const char data[] = "Model and data", training[] = "Training",
                  reports[] = "Reports and evaluation", devices[] = "Device",
                  sparse[] = SP_CONFIG_SPARSE;

/* key, type, field, default, range, choices, group, help, what unset means */
static const struct sp_option options[] = {
    { "model_name_or_path", SP_OPTION_STRING, FIELD(model_name_or_path), NULL, NULL, NULL, data,
      "The pretrained model: a folder as Hugging Face lays it out, or the name of one in the "
      "cache.",
      "required" },
    { "train_file", SP_OPTION_STRING, FIELD(train_file), NULL, NULL, NULL, data,
      "Training rows: a .jsonl, .csv or .tsv file.", "required by train and mask" },
    { "validation_file", SP_OPTION_STRING, FIELD(validation_file), NULL, NULL, NULL, data,
      "Held-out rows, for the metrics before and after training and as eval_strategy says.",
      "by default there is no evaluation" },
    { "output_dir", SP_OPTION_STRING, FIELD(output_dir), NULL, NULL, NULL, data,
      "The folder for the adapter, metrics.jsonl, config.resolved.yaml and result.json; made when "
      "missing.",
      "required by train" },
    { "keep_head", SP_OPTION_CHOICE, FIELD(keep_head), "auto", NULL, keeps, data,
      "Whether the model's own head is trained on, or a new one. auto keeps it where the labels are its "
      "classes' names, or are integers, as many as it has classes and none the name of another one, which then "
      "stand for them in order; true takes as many labels of any kind so.",
      NULL },
    { "task", SP_OPTION_CHOICE, FIELD(task), "auto", NULL, tasks, data,
      "What the labels are. auto: regression when a label is a number that is not whole; whole ones, also 1.0, are classes.",
      NULL },
    { "text_column", SP_OPTION_STRING, FIELD(text_column), NULL, NULL, NULL, data,
      "The text's column: its name, or its number from 1.",
      "by default GLUE's names, else the one column that looks like text" },
    { "text_pair_column", SP_OPTION_STRING, FIELD(text_pair_column), NULL, NULL, NULL, data,
      "The second text's column, for tasks on pairs.",
      "by default GLUE's pairs of names; none when text_column is set" },
    { "label_column", SP_OPTION_STRING, FIELD(label_column), NULL, NULL, NULL, data,
      "The label's column; blanks around a label mean nothing.", "by default the column named label" },
    { "has_header", SP_OPTION_CHOICE, FIELD(has_header), "auto", NULL, three_way, data,
      "Whether the first row of a csv or tsv file names the columns; auto goes by names that are asked for, and by what the "
      "rows look like, and says what it found.", NULL },
    { "delimiter", SP_OPTION_STRING, FIELD(delimiter), "auto", NULL, NULL, data,
      "What stands between the columns of csv and tsv files: comma, semicolon, pipe, space, tab, or one "
      "character (\";\"). auto: a comma or a tab, as the file's name "
      "says, or another where that one splits no row and the other all of them.", NULL },
    { "quotes", SP_OPTION_CHOICE, FIELD(quotes), "auto", NULL, three_way, data,
      "In tsv files, whether fields may be quoted as in csv; otherwise a quote is an ordinary character. auto: where a whole column is, "
      "or every quote is that of a field which needs it.", NULL },
    { "skip_bad_rows", SP_OPTION_BOOL, FIELD(skip_bad_rows), "false", NULL, NULL, data,
      "Leave rows that cannot be used out, and count them, instead of stopping at the first.",
      NULL },
    { "max_seq_length", SP_OPTION_INT, FIELD(max_seq_length), "128", "[3, 1000000]", NULL, data,
      "Tokens of a row with its special tokens; longer texts are cut.", NULL },
    { "max_train_samples", SP_OPTION_INT, FIELD(max_train_samples), "0", "[0, inf)", NULL, data,
      "Use only the first so many training rows; 0 uses all.", NULL },
    { "max_eval_samples", SP_OPTION_INT, FIELD(max_eval_samples), "0", "[0, inf)", NULL, data,
      "Use only the first so many held-out rows; 0 uses all.", NULL },

    { "per_device_train_batch_size", SP_OPTION_INT, FIELD(per_device_train_batch_size), "32",
      "[1, 65536]", NULL, training, "Rows of a batch; also of a batch while a mask is scored.",
      NULL },
    { "per_device_eval_batch_size", SP_OPTION_INT, FIELD(per_device_eval_batch_size), "32",
      "[1, 65536]", NULL, training, "Rows of a batch in evaluation.", NULL },
    { "gradient_accumulation_steps", SP_OPTION_INT, FIELD(gradient_accumulation_steps), "1",
      "[1, 65536]", NULL, training,
      "Batches of one step, whose loss and gradient are the means over all their rows.", NULL },
    { "num_train_epochs", SP_OPTION_NUMBER, FIELD(num_train_epochs), "3", "(0, 1000000]", NULL,
      training, "Passes over the training rows; may be a fraction.", NULL },
    { "max_steps", SP_OPTION_INT, FIELD(max_steps), "0", "[0, inf)", NULL, training,
      "Steps to train, whatever num_train_epochs says; 0 goes by epochs.", NULL },
    { "learning_rate", SP_OPTION_NUMBER, FIELD(learning_rate), NULL, "[0, 1000]", NULL, training,
      "The largest learning rate of the schedule.", "by default " SP_CONFIG_DIGITS(SP_METHOD_RATE) ", with method full " SP_CONFIG_DIGITS(SP_METHOD_FULL_RATE) },
    { "lr_scheduler_type", SP_OPTION_STRING, FIELD(lr_scheduler_type), "linear", NULL, schedules,
      training,
      "The learning rate after the warm-up: falling to 0 in a line or half a cosine, or constant.",
      NULL },
    { "warmup_steps", SP_OPTION_NUMBER, FIELD(warmup_steps), "0", "[0, inf)", NULL, training,
      "Steps in which the learning rate rises from 0; below 1 it is a share of all steps.", NULL },
    { "optimizer", SP_OPTION_STRING, FIELD(optimizer), NULL, NULL, optimizers, training,
      "AdamW, with two numbers of state for each trained value (three where the mask moves), or SM3, "
      "with one for each row and column of a weight.",
      "by default " DEFAULT_OPTIMIZER ", with sparse.growth ma " SP_CONFIG_MA_OPTIMIZER },
    { "weight_decay", SP_OPTION_NUMBER, FIELD(weight_decay), "0", "[0, 1000]", NULL, training,
      "Decoupled decay. On a sparse delta it pulls towards the pretrained weight; method "
      "dynamic with on_drop merge: towards the weight at the last merge.", NULL },
    { "adam_beta1", SP_OPTION_NUMBER, FIELD(adam_beta1), "0.9", "[0, 1)", NULL, training,
      "AdamW's decay of the mean gradient.", NULL },
    { "adam_beta2", SP_OPTION_NUMBER, FIELD(adam_beta2), "0.999", "[0, 1)", NULL, training,
      "AdamW's decay of the mean squared gradient.", NULL },
    { "adam_epsilon", SP_OPTION_NUMBER, FIELD(adam_epsilon), "1e-8", "(0, 1]", NULL, training,
      "AdamW's addition to the denominator.", NULL },
    { "max_grad_norm", SP_OPTION_NUMBER, FIELD(max_grad_norm), "1.0", "[0, inf)", NULL, training,
      "Gradients whose norm over all trained values is larger are scaled down to it; 0 never "
      "scales.",
      NULL },
    { "dropout", SP_OPTION_NUMBER, FIELD(dropout), NULL, "[0, 1)", NULL, training,
      "Dropout's probability everywhere the model has one.", "by default the model's own" },
    { "label_smoothing_factor", SP_OPTION_NUMBER, FIELD(label_smoothing_factor), "0", "[0, 1)",
      NULL, training, "The share of a label's weight that is spread over all classes.", NULL },
    { "seed", SP_OPTION_INT, FIELD(seed), "42", "[0, inf)", NULL, training,
      "Of the order of rows, the new head, random masks and dropout.", NULL },
    { "shuffle", SP_OPTION_BOOL, FIELD(shuffle), "true", NULL, NULL, training,
      "A new order of rows in each epoch; false keeps the file's.", NULL },

    { "logging_steps", SP_OPTION_INT, FIELD(logging_steps), "10", "[1, inf)", NULL, reports,
      "A line of metrics.jsonl every so many steps.", NULL },
    { "eval_strategy", SP_OPTION_CHOICE, FIELD(eval_strategy), "no", NULL, evals, reports,
      "Evaluations while training, besides those before and after it: none, every eval_steps, or "
      "after each epoch.",
      NULL },
    { "eval_steps", SP_OPTION_INT, FIELD(eval_steps), NULL, "[1, inf)", NULL, reports,
      "Steps between evaluations, with eval_strategy steps.", "by default logging_steps" },

    { "device", SP_OPTION_STRING, FIELD(device), "auto", NULL, NULL, devices,
      "The OpenCL device: an index or a part of the name as `speft-cl devices` lists them, cpu, "
      "gpu, or vendor:NAME.",
      NULL },
    { "gemm", SP_OPTION_STRING, FIELD(gemm), "auto", NULL, gemms, devices,
      "The kernels for matrix products; auto picks by device.", NULL },

    { "sparse.method", SP_OPTION_STRING, FIELD(sparse.method), "static", NULL, methods, sparse,
      "What is trained besides the head: a sparse delta with a fixed mask, one whose mask is made "
      "anew every interval (dynamic), one that drops and grows entries (spiel), all weights, or "
      "nothing.",
      NULL },
    { "sparse.metric", SP_OPTION_STRING, FIELD(sparse.metric), "gradient", NULL, metrics, sparse,
      "The score by which positions are chosen; `speft-cl metrics` says what each is and costs.",
      NULL },
    { "sparse.sign", SP_OPTION_STRING, FIELD(sparse.sign), "paper", NULL, signs, sparse,
      "grasp: keep the largest -W (H g), as its paper says, or +W (H g), as SPEFT's code does.",
      NULL },
    { "sparse.lift_rank", SP_OPTION_INT, FIELD(sparse.lift_rank), "32", "[1, 1000000]", NULL, sparse,
      "lift: the rank of the approximation whose largest entries are kept.", NULL },
    { "sparse.density", SP_OPTION_NUMBER, FIELD(sparse.density), NULL, "(0, 1]", NULL, sparse,
      "The budget as a share of the target weights.", "by default not used" },
    { "sparse.rank_equivalent", SP_OPTION_INT, FIELD(sparse.rank_equivalent), NULL, "[1, 1000000]",
      NULL, sparse, "The budget as the number of values that LoRA of this rank would train.",
      "by default " SP_CONFIG_DIGITS(DEFAULT_RANK) " where no budget is given" },
    { "sparse.count", SP_OPTION_INT, FIELD(sparse.count), NULL, "[1, inf)", NULL, sparse,
      "The budget as a number of positions.", "by default not used" },
    { "sparse.scope", SP_OPTION_CHOICE, FIELD(sparse.scope), "global", NULL, scopes, sparse,
      "The best positions over all targets together, or the same share or number of each, rounded "
      "down.", NULL },
    { "sparse.target_modules", SP_OPTION_LIST, FIELD(sparse.target_modules), "query, value", NULL,
      NULL, sparse, "Names at the end of the linear layers whose weights get a delta.", NULL },
    { "sparse.scoring_examples", SP_OPTION_INT, FIELD(sparse.scoring_examples), "1024", "[1, inf)",
      NULL, sparse, "Training rows whose gradients are averaged for the score.", NULL },
    { "sparse.scoring_memory", SP_OPTION_INT, FIELD(sparse.scoring_memory), "1024",
      "[1, 1000000000]", NULL, sparse,
      "MiB of device memory for gradients while scoring; less takes more passes over the rows. (grasp "
      "keeps the targets' gradients and weights in host memory besides.)",
      NULL },
    { "sparse.score_cache", SP_OPTION_STRING, FIELD(sparse.score_cache), NULL, NULL, NULL, sparse,
      "A folder that keeps scores for other runs with the same model, seed, rows and metric; made "
      "when missing. Scores that cost nothing (random, magnitude, magnitude_bottom) are not kept.",
      "by default scores are not kept" },
};

/* Other tools' names where they mean the same: axolotl, LLaMA-Factory, mlx-lm, torchtune. */
static const struct sp_option_alias aliases[] = {
    { "base_model", "model_name_or_path", NULL },
    { "micro_batch_size", "per_device_train_batch_size", NULL },
    { "eval_batch_size", "per_device_eval_batch_size", NULL },
    { "num_epochs", "num_train_epochs", NULL },
    { "sequence_len", "max_seq_length", NULL },
    { "cutoff_len", "max_seq_length", NULL },
    { "iters", "max_steps", "[1, inf)" },
    { "lr_scheduler", "lr_scheduler_type", NULL },
    { "warmup_ratio", "warmup_steps", "[0, 1)" },
    { "clip_grad_norm", "max_grad_norm", NULL },
    { "evaluation_strategy", "eval_strategy", NULL },
};

/* These rows, then each method's. */
static const struct sp_option_rows own = { options, COUNT(options) };
static const struct sp_option_rows *const parts[] = {
    &own,
#define SP_METHOD(name) &sp_method_##name.options,
#include "runtime/train/method.def"
#undef SP_METHOD
    NULL
};
static const struct sp_option_table table = { parts, aliases, COUNT(aliases), sp_config_hints, sp_config_foreign };

const struct sp_option_table *sp_config_options(void)
{
    return &table;
}

const struct sp_option_given *sp_config_given(const struct sp_config_load *load, const char *key)
{
    return &load->given[sp_option_index(&table, key)];
}

/* A study has a base and a block of methods, which no configuration has. */
static int check_kind(const struct sp_config_load *load, const struct sp_yaml_node *root)
{
    for (size_t i = 0; i < root->count && root->kind == SP_YAML_MAP; i++)
        if (strcmp(root->children[i].key, "base") == 0 ||
            (strcmp(root->children[i].key, "methods") == 0 && root->children[i].kind == SP_YAML_MAP))
            return sp_source_error(SP_ECONFIG, &load->file, root->children[i].key_place,
                                   "this is a study, expected the configuration of one run: speft-cl study %s makes its runs",
                                   load->file.name);
    return 0;
}

/* A folder may be one that a run has left. */
static int check_file(const char *path)
{
    char *kept = sp_fs_is_dir(path) ? sp_fs_join(path, "config.resolved.yaml") : NULL;
    int rc = 0;

    if (kept)
        rc = sp_error(SP_ECONFIG, "%s is a folder, expected a file of options in YAML%s%s", path,
                      sp_fs_exists(kept) ? "; a run has left its own there: " : "", sp_fs_exists(kept) ? kept : "");
    free(kept);
    return rc;
}

static int read_file(struct sp_config_load *load, const char *path)
{
    struct sp_yaml_node root;
    size_t length, skip;
    int rc;

    SP_TRY(check_file(path));
    rc = sp_fs_read(&load->text, &length, path, SP_YAML_MAX_SIZE);
    if (rc < 0)
        return rc == SP_ENOMEM ? rc : SP_ECONFIG; /* the wrong name was given, not a file damaged */
    skip = sp_text_mark(load->text, length);
    load->file = (struct sp_source){ path, load->text + skip, length - skip };
    SP_TRY(sp_yaml_parse(&root, &load->file));
    rc = check_kind(load, &root);
    if (rc == 0)
        rc = sp_option_read_yaml(&table, load->config, load->given, &root, &load->file, SP_OPTION_FILE);
    sp_yaml_release(&root);
    return rc;
}

static int read_overrides(struct sp_config_load *load, const char *const *overrides, size_t count)
{
    load->overrides = sp_calloc(count, sizeof *load->overrides);
    if (!load->overrides)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        load->overrides[i] = (struct sp_source){ "--set", overrides[i], strlen(overrides[i]) };
        SP_TRY(sp_option_read_override(&table, load->config, load->given, &load->overrides[i]));
    }
    return 0;
}

static bool given_after(const struct sp_option_given *a, const struct sp_option_given *b)
{
    if (a->source != b->source)
        return a->source > b->source; /* overrides lie in their order */
    return a->place.line != b->place.line ? a->place.line > b->place.line
                                          : a->place.column > b->place.column;
}

int sp_config_contradiction(struct sp_config_load *load, const char *a, const char *b, const char *why)
{
    const struct sp_option_given *first = sp_config_given(load, a), *second = sp_config_given(load, b);

    if (first->rank != second->rank) {
        const char *lost = first->rank < second->rank ? a : b;

        if (first->rank == SP_OPTION_OVERRIDE || second->rank == SP_OPTION_OVERRIDE)
            sp_log(SP_LOG_INFO, "%s of %s gives way to the command line: %s", lost, sp_config_given(load, lost)->source->name, why);
        return sp_option_reset(&table, load->config, load->given, lost);
    }
    if (given_after(first, second))
        second = first;
    return sp_source_error(SP_ECONFIG, second->source, second->place, "%s: remove one", why);
}

static int check_budget(struct sp_config_load *load)
{
    static const char *const budgets[] = {
        "sparse.density", "sparse.rank_equivalent", "sparse.count"
    };
    struct sp_config *config = load->config;
    size_t set = 0;

    for (size_t i = 0; i < COUNT(budgets); i++) {
        if (!sp_config_method(config)->masked && sp_config_given(load, budgets[i])->rank)
            SP_TRY(sp_config_contradiction(load, "sparse.method", budgets[i],
                                 "a budget of positions contradicts a method without a mask"));
        for (size_t j = 0; j < i; j++)
            if (sp_config_given(load, budgets[i])->rank && sp_config_given(load, budgets[j])->rank)
                SP_TRY(sp_config_contradiction(load, budgets[j], budgets[i],
                                     "density, rank_equivalent and count are one budget"));
    }
    for (size_t i = 0; i < COUNT(budgets); i++)
        set += sp_config_given(load, budgets[i])->rank != SP_OPTION_DEFAULT;
    if (sp_config_method(config)->masked && !set)
        config->sparse.rank_equivalent = DEFAULT_RANK;
    return 0;
}

/* `key` may only be given with the method: a command line that changes the method leaves it out. */
static int only_with(struct sp_config_load *load, const char *key, const char *method)
{
    const struct sp_option_given *option = sp_config_given(load, key);
    char why[128];

    if (strcmp(load->config->sparse.method, method) == 0 || !option->rank)
        return 0;
    snprintf(why, sizeof why, "%s means nothing without sparse.method: %s", key, method);
    if (sp_config_given(load, "sparse.method")->rank > option->rank)
        return sp_config_contradiction(load, "sparse.method", key, why);
    return sp_source_error(SP_ECONFIG, option->source, option->place, "%s", why);
}

/* Options of other methods, and what the method makes of its own. */
static int check_method(struct sp_config_load *load)
{
    const struct sp_method *method = sp_config_method(load->config);

    for (size_t m = 0; sp_methods[m]; m++)
        for (size_t i = 0; i < sp_methods[m]->options.count; i++)
            SP_TRY(only_with(load, sp_methods[m]->options.rows[i].key, sp_methods[m]->name));
    if (method->check)
        SP_TRY(method->check(load));
    return sp_config_fill(&load->config->optimizer, DEFAULT_OPTIMIZER);
}

int sp_config_fill(char **field, const char *value)
{
    if (*field)
        return 0;
    *field = sp_strdup(value);
    return *field ? 0 : SP_ENOMEM;
}

void sp_config_fill_int(long long *field, long long value)
{
    if (*field < 0)
        *field = value;
}

static int check_evaluation(struct sp_config_load *load)
{
    struct sp_config *config = load->config;
    const struct sp_option_given *strategy = sp_config_given(load, "eval_strategy"),
                                 *steps = sp_config_given(load, "eval_steps");

    if (config->eval_strategy != SP_CONFIG_EVAL_NO && !config->validation_file) {
        sp_log(SP_LOG_WARNING, "eval_strategy: %s has no effect without a validation_file", evals[config->eval_strategy]);
        SP_TRY(sp_option_reset(&table, config, load->given, "eval_strategy"));
        return sp_option_reset(&table, config, load->given, "eval_steps");
    }

    if (config->eval_strategy != SP_CONFIG_EVAL_STEPS && steps->rank) {
        if (strategy->rank < steps->rank)
            return sp_source_error(SP_ECONFIG, steps->source, steps->place,
                                   "eval_steps means nothing without eval_strategy: steps");
        SP_TRY(sp_config_contradiction(load, "eval_strategy", "eval_steps",
                             "eval_steps contradicts an eval_strategy other than steps"));
    }
    if (config->eval_strategy == SP_CONFIG_EVAL_STEPS && config->eval_steps < 0)
        config->eval_steps = config->logging_steps;
    return 0;
}

static int check_steps(struct sp_config_load *load)
{
    const struct sp_option_given *warmup = sp_config_given(load, "warmup_steps");
    double steps = load->config->warmup_steps;

    if (steps >= 1 && steps != floor(steps))
        return sp_source_error(SP_ECONFIG, warmup->source, warmup->place,
                               "warmup_steps: expected whole steps, or a share below 1");
    if (isnan(load->config->learning_rate))
        load->config->learning_rate = sp_config_method(load->config)->learning_rate;
    return 0;
}

/* Of two options that may not be given together, the one that was given last is refused. */
static int refuse_later(const struct sp_config_load *load, const char *a, const char *b, const char *why)
{
    const struct sp_option_given *first = sp_config_given(load, a), *second = sp_config_given(load, b);
    bool swap = first->rank != second->rank ? first->rank > second->rank : given_after(first, second);

    if (swap)
        second = first;
    return sp_source_error(SP_ECONFIG, second->source, second->place, "%s", why);
}

/* One column cannot be two things. That a number and a name mean the same one shows in the file only. */
static int check_columns(const struct sp_config_load *load)
{
    static const char *const keys[] = { "text_column", "text_pair_column", "label_column" };
    const char *const names[] = { load->config->text_column, load->config->text_pair_column, load->config->label_column };
    char why[128];

    for (size_t i = 0; i < COUNT(keys); i++) {
        for (size_t j = 0; j < i; j++) {
            if (!names[i] || !names[j] || strcmp(names[i], names[j]) != 0)
                continue;
            snprintf(why, sizeof why, "%s and %s name the same column", keys[j], keys[i]);
            return refuse_later(load, keys[j], keys[i], why);
        }
    }
    return 0;
}

/* Delimiters as words, and a tab as it is written where no escapes are read. */
static const struct {
    const char *word;
    char delimiter;
} delimiters[] = {
    { "comma", ',' }, { "semicolon", ';' }, { "pipe", '|' }, { "space", ' ' }, { "tab", '\t' }, { "\\t", '\t' },
};

/* 0 for no delimiter. */
static char read_delimiter(const char *text)
{
    for (size_t i = 0; i < COUNT(delimiters); i++)
        if (strcmp(text, delimiters[i].word) == 0)
            return delimiters[i].delimiter;
    return strlen(text) == 1 && sp_reader_can_delimit(text[0]) ? text[0] : '\0';
}

static int check_delimiter(const struct sp_config_load *load)
{
    const struct sp_option_given *option = sp_config_given(load, "delimiter");
    const char *text = load->config->delimiter;

    if (strcmp(text, "auto") == 0 || read_delimiter(text))
        return 0;
    return sp_source_error(SP_ECONFIG, option->source, option->place,
                           "delimiter: found \"%s\", expected auto, comma, semicolon, pipe, space, tab or one character that is no "
                           "quote, such as \";\"",
                           text);
}

static int check_task(struct sp_config_load *load)
{
    const struct sp_task *task = sp_config_task(load->config);
    const char *purpose, *option = task ? sp_task_misfit(&purpose, task, load->config) : NULL;
    char why[160];

    if (!option)
        return 0;
    snprintf(why, sizeof why, "%s is for %s, not for task: %s", option, purpose, task->name);
    if (sp_config_given(load, "task")->rank > sp_config_given(load, option)->rank)
        return sp_config_contradiction(load, "task", option, why);
    return refuse_later(load, "task", option, why);
}

/* What the file names stands in the current directory, or beside the file. */
static int find_beside(struct sp_config_load *load, const char *key, char **path)
{
    const struct sp_option_given *option = sp_config_given(load, key);
    const char *file = option->source ? option->source->name : NULL, *slash = file ? strrchr(file, '/') : NULL;
    char *folder, *beside;

    if (option->rank == SP_OPTION_DEFAULT || option->rank == SP_OPTION_OVERRIDE || !slash || sp_fs_exists(*path))
        return 0;
    folder = sp_strndup(file, (size_t)(slash - file) + 1);
    beside = folder ? sp_fs_join(folder, *path) : NULL;
    free(folder);
    if (!beside)
        return SP_ENOMEM;
    if (sp_fs_exists(beside)) {
        free(*path);
        *path = beside;
    } else {
        free(beside);
    }
    return 0;
}

/* A path or a name of blanks alone is an empty variable of a script. */
static int check_texts(const struct sp_config_load *load)
{
    const struct sp_config *c = load->config;
    const struct {
        const char *key, *text, *expected;
        bool path;
    } texts[] = {
        { "model_name_or_path", c->model_name_or_path, "a path", true },
        { "train_file", c->train_file, "a path", true },
        { "validation_file", c->validation_file, "a path", true },
        { "output_dir", c->output_dir, "a path", true },
        { "text_column", c->text_column, "a column's name or number", false },
        { "text_pair_column", c->text_pair_column, "a column's name or number", false },
        { "label_column", c->label_column, "a column's name or number", false },
        { "device", c->device, "a device (speft-cl devices lists them)", false },
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct sp_option_given *given = sp_config_given(load, texts[i].key);

        if (texts[i].path && texts[i].text && strcmp(texts[i].text, "-") == 0)
            return sp_source_error(SP_ECONFIG, given->source, given->place,
                                   "%s: found \"-\", expected a path: standard input is for predict --input alone",
                                   texts[i].key);
        if (texts[i].text && sp_text_is_blank(texts[i].text, strlen(texts[i].text)))
            return sp_source_error(SP_ECONFIG, given->source, given->place, "%s: found the text \"%s\", expected %s",
                                   texts[i].key, texts[i].text, texts[i].expected);
    }
    return 0;
}

/* What comes after the files or layers: overrides, checks, paths. */
static int complete(struct sp_config_load *load, const char *name, const char *const *overrides, size_t count)
{
    struct sp_config *config = load->config;

    SP_TRY(read_overrides(load, overrides, count));
    SP_TRY(check_texts(load));
    SP_TRY(check_method(load));
    SP_TRY(check_budget(load));
    SP_TRY(check_evaluation(load));
    SP_TRY(check_steps(load));
    SP_TRY(check_columns(load));
    SP_TRY(check_delimiter(load));
    SP_TRY(check_task(load));
    SP_TRY(find_beside(load, "model_name_or_path", &config->model_name_or_path));
    SP_TRY(find_beside(load, "train_file", &config->train_file));
    SP_TRY(find_beside(load, "validation_file", &config->validation_file));
    if (!name)
        return 0;
    config->source = sp_strdup(name);
    return config->source ? sp_config_require(config, "model_name_or_path") : SP_ENOMEM;
}

static int begin(struct sp_config_load *load, struct sp_config *out)
{
    *load = (struct sp_config_load){ .config = out, .given = sp_calloc(sp_option_count(&table), sizeof *load->given) };
    *out = (struct sp_config){ .source = NULL };
    return load->given ? sp_option_defaults(&table, out) : SP_ENOMEM;
}

static int finish(struct sp_config_load *load, int rc)
{
    free(load->given);
    free(load->text);
    free(load->overrides);
    if (rc < 0)
        sp_config_release(load->config);
    return rc;
}

int sp_config_load(struct sp_config *out, const char *path, const char *const *overrides,
                   size_t count)
{
    struct sp_config_load load;
    int rc = begin(&load, out);

    if (rc == 0 && path)
        rc = read_file(&load, path);
    if (rc == 0)
        rc = complete(&load, path, overrides, count);
    return finish(&load, rc);
}

int sp_config_load_layers(struct sp_config *out, const char *name, const struct sp_config_layer *layers, size_t layer_count,
                          const char *const *overrides, size_t count)
{
    struct sp_config_load load;
    int rc = begin(&load, out);

    for (size_t i = 0; rc == 0 && i < layer_count; i++)
        rc = sp_option_read_yaml(&table, out, load.given, layers[i].block, layers[i].source,
                                 (enum sp_option_rank)(SP_OPTION_FILE + i));
    if (rc == 0)
        rc = complete(&load, name, overrides, count);
    return finish(&load, rc);
}

void sp_config_release(struct sp_config *config)
{
    sp_option_release(&table, config);
    free(config->source);
    config->source = NULL;
}

char sp_config_delimiter(const struct sp_config *config)
{
    return read_delimiter(config->delimiter);
}

int sp_config_require(const struct sp_config *config, const char *key)
{
    const struct sp_option *option = sp_option_at(&table, sp_option_index(&table, key));

    if (*(char *const *)((const char *)config + option->offset))
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s is missing: add a line \"%s: ...\" or give --set %s=...",
                    config->source ? config->source : "the configuration", key, key, key);
}

int sp_config_write(const struct sp_config *config, struct sp_buf *out)
{
    return sp_option_write_yaml(&table, config, out);
}

int sp_config_json(const struct sp_config *config, json_t **out)
{
    return sp_option_write_json(&table, config, out);
}
