/*
 * The option table: its own rows and, between them, those that optimizers, tasks, metrics and methods export; and the
 * names of other tools that mean the same. What else people bring from there is in config_names.c.
 */
#include "runtime/optim/optimizer.h"
#include "runtime/optim/schedule.h"
#include "runtime/sparse/metric.h"
#include "runtime/train/config_priv.h"
#include "runtime/train/method.h"
#include "runtime/train/task.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD(name) offsetof(struct sp_config, name)
#define NAME(name) #name,
#define NAME_OF(constant, name) #name,
#define WORD(word, character) #word ", "

/* What an option may be, from the lists of those whose names they are. */
static const char *const tasks[] = {
    "auto",
#define SP_TASK NAME
#include "runtime/train/task.def"
#undef SP_TASK
    NULL
};
static const char *const gemms[] = {
    "auto",
#define SP_GEMM_FAMILY NAME
#include "runtime/op/gemm.def"
#undef SP_GEMM_FAMILY
    NULL
};
static const char *const methods[] = {
#define SP_METHOD NAME
#include "runtime/train/method.def"
#undef SP_METHOD
    NULL
};
static const char *const optimizers[] = {
#define SP_OPTIMIZER NAME
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER
    NULL
};
static const char *const metrics[] = {
#define SP_METRIC NAME
#include "runtime/sparse/metric.def"
#undef SP_METRIC
    NULL
};
const char *const sp_config_evals[] = { SP_CONFIG_EVALS(NAME_OF) NULL };
const char *const sp_config_scopes[] = { SP_CONFIG_SCOPES(NAME_OF) NULL };
static const char *const three_way[] = { SP_THREE_WAY(NAME_OF) NULL };

static const char data[] = SP_CONFIG_DATA, training[] = SP_CONFIG_TRAINING,
                  reports[] = SP_CONFIG_REPORTS, devices[] = "Device",
                  sparse[] = SP_CONFIG_SPARSE;

/* key, type, field, default, range, choices, group, help, what unset means; in the order in which files have them,
 * those of the lists' members between */
static const struct sp_option up_to_optimizers[] = {
    { "model_name_or_path", SP_OPTION_INPUT, FIELD(model_name_or_path), NULL, NULL, NULL, data,
      "The pretrained model: a folder as Hugging Face lays it out, a GGUF file, or the name of one in the cache.",
      "required" },
    { "train_file", SP_OPTION_INPUT, FIELD(train_file), NULL, NULL, NULL, data,
      "Training rows: a .jsonl, .csv or .tsv file.", "required by train and mask" },
    { "validation_file", SP_OPTION_INPUT, FIELD(validation_file), NULL, NULL, NULL, data,
      "Held-out rows, for the metrics before and after training and as eval_strategy says.",
      "by default there is no evaluation" },
    { "output_dir", SP_OPTION_PATH, FIELD(output_dir), NULL, NULL, NULL, data,
      "The folder for the adapter, metrics.jsonl, config.resolved.yaml and result.json; made when "
      "missing.",
      "required by train" },
    { "keep_head", SP_OPTION_CHOICE, FIELD(keep_head), "auto", NULL, three_way, data,
      "Whether the model's own head is trained on, or a new one. auto keeps it where the labels are its "
      "classes' names, or are integers, as many as it has classes and none the name of another one, which then "
      "stand for them in order; true takes as many labels of any kind so.",
      NULL },
    { "task", SP_OPTION_CHOICE, FIELD(task), "auto", NULL, tasks, data,
      "What is learnt. auto: numbers to predict where a label is not whole; whole ones, also 1.0, are classes; of a "
      "causal language model the next tokens, where rows have no label.",
      NULL },
    { "text_column", SP_OPTION_COLUMN, FIELD(text_column), NULL, NULL, NULL, data,
      "The text's column: its name, or its number from 1.",
      "by default GLUE's names, else the one column that looks like text" },
    { "text_pair_column", SP_OPTION_COLUMN, FIELD(text_pair_column), NULL, NULL, NULL, data,
      "The second text's column, for tasks on pairs.",
      "by default GLUE's pairs of names; none when text_column is set" },
    { "label_column", SP_OPTION_COLUMN, FIELD(label_column), NULL, NULL, NULL, data,
      "The label's column; blanks around a label mean nothing.", "by default the column named label" },
    { "has_header", SP_OPTION_CHOICE, FIELD(has_header), "auto", NULL, three_way, data,
      "Whether the first row of a csv or tsv file names the columns; auto goes by names that are asked for, and by "
      "what the rows look like, and says what it found.",
      NULL },
    { "delimiter", SP_OPTION_STRING, FIELD(delimiter), "auto", NULL, NULL, data,
      "What stands between the columns of csv and tsv files: " SP_CONFIG_DELIMITERS(
          WORD) "or one "
                "character (\";\"). auto: a comma or a tab, as the file's name "
                "says, or another where that one splits no row and the other all of them.",
      NULL },
    { "quotes", SP_OPTION_CHOICE, FIELD(quotes), "auto", NULL, three_way, data,
      "In tsv files, whether fields may be quoted as in csv; otherwise a quote is an ordinary character. auto: where a "
      "whole column is, or every quote is that of a field which needs it.",
      NULL },
    { "skip_bad_rows", SP_OPTION_BOOL, FIELD(skip_bad_rows), "false", NULL, NULL, data,
      "Leave rows that cannot be used out, and count them, instead of stopping at the first.", NULL },
    { "max_seq_length", SP_OPTION_INT, FIELD(max_seq_length), "128", "[3, 1000000]", NULL, data,
      "Tokens of a row with its special tokens; longer texts are cut.", NULL },
    { "max_train_samples", SP_OPTION_INT, FIELD(max_train_samples), "0", "[0, inf)", NULL, data,
      "Use only the first so many training rows; 0 uses all.", NULL },
    { "max_eval_samples", SP_OPTION_INT, FIELD(max_eval_samples), "0", "[0, inf)", NULL, data,
      "Use only the first so many held-out rows; 0 uses all.", NULL },

    { "per_device_train_batch_size", SP_OPTION_INT, FIELD(per_device_train_batch_size), "32", "[1, 65536]", NULL,
      training, "Rows of a batch; also of a batch while a mask is scored.", NULL },
    { "per_device_eval_batch_size", SP_OPTION_INT, FIELD(per_device_eval_batch_size), "32", "[1, 65536]", NULL,
      training, "Rows of a batch in evaluation.", NULL },
    { "gradient_accumulation_steps", SP_OPTION_INT, FIELD(gradient_accumulation_steps), "1", "[1, 65536]", NULL,
      training, "Batches of one step, whose loss and gradient are the means over all their rows.", NULL },
    { "num_train_epochs", SP_OPTION_NUMBER, FIELD(num_train_epochs), "3", "(0, 1000000]", NULL, training,
      "Passes over the training rows; may be a fraction.", NULL },
    { "max_steps", SP_OPTION_INT, FIELD(max_steps), "0", "[0, inf)", NULL, training,
      "Steps to train, whatever num_train_epochs says; 0 goes by epochs.", NULL },
    { "learning_rate", SP_OPTION_NUMBER, FIELD(learning_rate), NULL, "[0, 1000]", NULL, training,
      "The largest learning rate of the schedule.",
      "by default " SP_CONFIG_DIGITS(SP_METHOD_RATE) ", but for a method that has its own" },
    { "lr_scheduler_type", SP_OPTION_STRING, FIELD(lr_scheduler_type), "linear", NULL, sp_schedule_names, training,
      "The learning rate after the warm-up: falling to 0 in a line or half a cosine, or constant.", NULL },
    { "warmup_steps", SP_OPTION_NUMBER, FIELD(warmup_steps), "0", "[0, inf)", NULL, training,
      "Steps in which the learning rate rises from 0; below 1 it is a share of all steps.", NULL },
    { "optimizer", SP_OPTION_STRING, FIELD(optimizer), NULL, NULL, optimizers, training,
      "How gradients become steps.",
      "by default " SP_CONFIG_OPTIMIZER ", but for a method that needs another" },
    { "weight_decay", SP_OPTION_NUMBER, FIELD(optim.weight_decay), "0", "[0, 1000]", NULL, training,
      "Decoupled decay. On a sparse delta it pulls towards the pretrained weight.",
      NULL },
};

static const struct sp_option up_to_tasks[] = {
    { "max_grad_norm", SP_OPTION_NUMBER, FIELD(optim.max_grad_norm), "1.0", "[0, inf)", NULL, training,
      "Gradients whose norm over all trained values is larger are scaled down to it; 0 never "
      "scales.",
      NULL },
    { "dropout", SP_OPTION_NUMBER, FIELD(dropout), NULL, "[0, 1)", NULL, training,
      "Dropout's probability everywhere the model has one.", "by default the model's own" },
};

static const struct sp_option up_to_metrics[] = {
    { "seed", SP_OPTION_INT, FIELD(seed), "42", "[0, inf)", NULL, training,
      "Of the order of rows, the new head, random masks and dropout.", NULL },
    { "shuffle", SP_OPTION_BOOL, FIELD(shuffle), "true", NULL, NULL, training,
      "A new order of rows in each epoch; false keeps the file's.", NULL },

    { "logging_steps", SP_OPTION_INT, FIELD(logging_steps), "10", "[1, inf)", NULL, reports,
      "A line of metrics.jsonl every so many steps.", NULL },
    { "eval_strategy", SP_OPTION_CHOICE, FIELD(eval_strategy), "no", NULL, sp_config_evals, reports,
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

    { "sparse.method", SP_OPTION_CHOICE, FIELD(sparse.method), "static", NULL, methods, sparse,
      "What is trained besides the head.",
      NULL },
    { "sparse.metric", SP_OPTION_STRING, FIELD(sparse.metric), "gradient", NULL, metrics, sparse,
      "The score by which positions are chosen; `speft-cl metrics` says what each is and costs.",
      NULL },
};

static const struct sp_option up_to_methods[] = {
    { "sparse.density", SP_OPTION_NUMBER, FIELD(sparse.density), NULL, "(0, 1]", NULL, sparse,
      "The budget as a share of the target weights.", "by default not used" },
    { "sparse.rank_equivalent", SP_OPTION_INT, FIELD(sparse.rank_equivalent), NULL, "[1, 1000000]", NULL, sparse,
      "The budget as the number of values that LoRA of this rank would train.",
      "by default " SP_CONFIG_DIGITS(SP_CONFIG_RANK) " where no budget is given" },
    { "sparse.count", SP_OPTION_INT, FIELD(sparse.count), NULL, "[1, inf)", NULL, sparse,
      "The budget as a number of positions.", "by default not used" },
    { "sparse.scope", SP_OPTION_CHOICE, FIELD(sparse.scope), "global", NULL, sp_config_scopes, sparse,
      "The best positions over all targets together, or the same share or number of each, rounded "
      "down.",
      NULL },
    { "sparse.target_modules", SP_OPTION_LIST, FIELD(sparse.target_modules), "auto", NULL, NULL, sparse,
      "Names at the end of the linear layers whose weights get a delta; all-linear: of all but those of the head; "
      "auto: of the queries and the values (query, value; q_proj, v_proj in decoders).",
      NULL },
    { "sparse.scoring_examples", SP_OPTION_INT, FIELD(sparse.scoring_examples), "1024", "[1, inf)", NULL, sparse,
      "Training rows whose gradients are averaged for the score.", NULL },
    { "sparse.scoring_memory", SP_OPTION_INT, FIELD(sparse.scoring_memory), "1024", "[1, 1000000000]", NULL, sparse,
      "MiB of device memory for gradients while scoring; less takes more passes over the rows. (grasp "
      "keeps the targets' gradients and weights in host memory besides.)",
      NULL },
    { "sparse.score_cache", SP_OPTION_PATH, FIELD(sparse.score_cache), NULL, NULL, NULL, sparse,
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

/* Places in the list of parts. Metrics come from the last to the first: files have had grasp's options before
 * lift's. */
enum {
    UP_TO_OPTIMIZERS,
#define SP_OPTIMIZER(name) OPTIMIZER_##name,
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER
    UP_TO_TASKS,
#define SP_TASK(name) TASK_##name,
#include "runtime/train/task.def"
#undef SP_TASK
    UP_TO_METRICS,
#define SP_METRIC(name) METRIC_##name, /* room */
#include "runtime/sparse/metric.def"
#undef SP_METRIC
    UP_TO_METHODS,
#define SP_METHOD(name) METHOD_##name,
#include "runtime/train/method.def"
#undef SP_METHOD
};
#define LAST(place) (UP_TO_METHODS - 1 - ((place) - UP_TO_METRICS - 1))

#define OWN(rows) { &(const struct sp_option_rows){ rows, COUNT(rows), 0 }, 0 }

static const struct sp_option_part parts[] = {
    [UP_TO_OPTIMIZERS] = OWN(up_to_optimizers),
#define SP_OPTIMIZER(name) [OPTIMIZER_##name] = { &sp_optimizer_##name.options, FIELD(optim) },
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER
    [UP_TO_TASKS] = OWN(up_to_tasks),
#define SP_TASK(name) [TASK_##name] = { &sp_task_##name.options, FIELD(name##_options) },
#include "runtime/train/task.def"
#undef SP_TASK
    [UP_TO_METRICS] = OWN(up_to_metrics),
#define SP_METRIC(name) [LAST(METRIC_##name)] = { &sp_metric_##name.options, FIELD(sparse.metrics) },
#include "runtime/sparse/metric.def"
#undef SP_METRIC
    [UP_TO_METHODS] = OWN(up_to_methods),
#define SP_METHOD(name) [METHOD_##name] = { &sp_method_##name.options, FIELD(sparse.name##_options) },
#include "runtime/train/method.def"
#undef SP_METHOD
    { NULL, 0 },
};
static const struct sp_option_meaning meanings[] = {
#define SP_TASK(name) { "task", #name, &sp_task_##name.labels },
#include "runtime/train/task.def"
#undef SP_TASK
#define SP_METHOD(name) { "sparse.method", #name, &sp_method_##name.summary },
#include "runtime/train/method.def"
#undef SP_METHOD
#define SP_OPTIMIZER(name) { "optimizer", #name, &sp_optimizer_##name.summary },
#include "runtime/optim/optimizer.def"
#undef SP_OPTIMIZER
    { NULL, NULL, NULL },
};
static const struct sp_option_table table = { parts,           aliases,           COUNT(aliases),
                                              sp_config_hints, sp_config_foreign, meanings };

const struct sp_option_table *sp_config_options(void)
{
    return &table;
}
