/*
 * That a task is one file and one line of a list: two which the program does not have, in a list that takes the place
 * of its own (runtime/train/tasks.c). "sorting" is classification once more, so that two tasks have classes for
 * targets. "tagging" is of another kind: its rows have no column of labels, but a tag for each token, or none; its
 * model gives logits for each token; and its loss, a node of its own, is the mean over the tags alone, however many of
 * them a row or a batch has. What it comes to is compared with numbers in double precision.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"
#include "tests/unit/near.h"

#include "models/models.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/nn/plan_priv.h"
#include "runtime/train/config_priv.h"
#include "runtime/train/data.h"
#include "runtime/train/mask.h"
#include "runtime/train/task.h"
#include "runtime/train/trainer.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUTO, CLASSIFICATION, REGRESSION, SORTING, TAGGING, MARKING };
enum { TAGS = 3, MOST = 1024, ROWS = 9 };

#define UNTAGGED UINT32_MAX

static struct sp_task sorting, marking; /* marking: tagging that is scored by the loss's rows */
static const struct sp_task tagging;

const struct sp_task *const sp_tasks[] = { &sp_task_classification, &sp_task_regression, &sorting, &tagging, &marking,
                                           NULL };

/* ---- tagging: its loss ------------------------------------------------------------------------------------------- */

/* A token's loss, and but for NULL its gradient; nothing where it has no tag. */
static double token_loss(double *gradient, const float *logits, uint32_t tag, double temperature)
{
    double sum = 0;

    for (int k = 0; k < TAGS; k++)
        sum += exp((double)logits[k] / temperature);
    for (int k = 0; k < TAGS && gradient; k++)
        gradient[k] =
            tag == UNTAGGED ? 0 : (exp((double)logits[k] / temperature) / sum - (k == (int)tag)) / temperature;
    return tag == UNTAGGED ? 0 : log(sum) - (double)logits[tag] / temperature;
}

static int run_tokens(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *gradient, float scale,
                      float temperature)
{
    size_t tokens = (size_t)sp_plan_rows(plan, node->input[0]);
    float logits[MOST * TAGS], losses[MOST], hits[MOST], slopes[MOST * TAGS];
    uint32_t tags[MOST];

    assert_true(tokens <= MOST);
    if (sp_device_recording(plan->device))
        return 0;
    assert_ok(sp_buffer_read(logits, sp_plan_buffer(plan, node->input[0]), 0, tokens * TAGS * sizeof *logits));
    assert_ok(sp_buffer_read(tags, sp_plan_read(plan, node->words[0]), 0, tokens * sizeof *tags));
    for (size_t t = 0; t < tokens; t++) {
        double slope[TAGS];

        hits[t] = sp_argmax(logits + t * TAGS, TAGS) == tags[t];
        losses[t] = (float)token_loss(slope, logits + t * TAGS, tags[t], temperature > 0 ? (double)temperature : 1);
        for (int k = 0; k < TAGS; k++)
            slopes[t * TAGS + (size_t)k] = (float)((double)scale * slope[k]);
    }
    assert_ok(sp_buffer_write(sp_plan_buffer(plan, node->saved[0]), 0, losses, tokens * sizeof *losses));
    assert_ok(sp_buffer_write(sp_plan_buffer(plan, node->saved[1]), 0, hits, tokens * sizeof *hits));
    if (gradient)
        assert_ok(sp_buffer_write(gradient, 0, slopes, tokens * TAGS * sizeof *slopes));
    return 0;
}

static void prepare(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits)
{
    sp_plan_prepare_loss(plan, node, limits);
    node->saved[1] = sp_plan_value(plan, "hits", SP_PER_TOKEN, 1);
}

static const struct sp_node_type tags = {
    .name = "tags",
    .prepare = prepare,
    .take = sp_plan_take_targets,
    .backward = sp_plan_loss_backward,
    .loss_rows = run_tokens,
};

/* ---- tagging: the task ------------------------------------------------------------------------------------------- */

static int read_tags(uint32_t *targets, size_t *terms, struct sp_row_input *in, size_t length)
{
    const json_t *list = json_object_get(in->row->object, "tags");

    *terms = 0;
    for (size_t i = 0; i < length; i++) {
        const json_t *tag = json_array_get(list, i);

        if (json_integer_value(tag) >= TAGS)
            return sp_reader_fail(in->reader, SP_EFORMAT, "\"tags\"[%zu] is no tag", i);
        targets[i] =
            json_is_integer(tag) && json_integer_value(tag) >= 0 ? (uint32_t)json_integer_value(tag) : UNTAGGED;
        *terms += targets[i] != UNTAGGED;
    }
    return 0;
}

static bool takes(const struct sp_run *run, enum sp_label_kind labels)
{
    (void)run;
    return labels == SP_LABELS_NONE;
}

/* A model for such a task. */
static bool keeps_output(const struct sp_run *run)
{
    const json_t *list = json_object_get(sp_checkpoint_config(run->checkpoint), "architectures");
    const char *class = json_string_value(json_array_get(list, 0));

    return class && strstr(class, "ForTokenClassification");
}

static bool fits(char *why, size_t size, size_t classes, const json_t *config)
{
    (void)classes, (void)config;
    snprintf(why, size, "it is for whole texts");
    return false;
}

static size_t outputs(const struct sp_run *run)
{
    (void)run;
    return TAGS;
}

static int keep_head(struct sp_run *run, const struct sp_own_head *own)
{
    (void)run, (void)own;
    return 0;
}

static int check_labels(const json_t *labels, const char *file)
{
    (void)labels, (void)file;
    return 0;
}

static void build(const struct sp_run *run)
{
    struct sp_plan *plan = run->plan;
    int x = run->model.family->body(plan, &run->model);
    int weight = sp_plan_param(plan, SP_PARAM_LINEAR, TAGS, run->model.hidden_size, "classifier.weight");
    int bias = sp_plan_param(plan, SP_PARAM_VECTOR, TAGS, 1, "classifier.bias");

    sp_plan_mark(plan, weight, SP_PARAM_HEAD);
    sp_plan_mark(plan, bias, SP_PARAM_HEAD | SP_PARAM_NO_DECAY);
    x = sp_nn_linear(plan, x, weight, bias, SP_ACTIVATION_NONE);
    sp_plan_loss_node(plan, &tags, x, x);
}

static double guess(const struct sp_run *run)
{
    (void)run;
    return log(TAGS);
}

/* Over all tokens that have a tag; a row's prediction is how many of its are right. */
struct scoring {
    const struct sp_dataset *dataset;
    float *predictions;
    size_t right, all;
};

static int score_begin(void **scoring, const struct sp_run *run, const struct sp_dataset *dataset, float *predictions)
{
    struct scoring *s = calloc(1, sizeof *s);

    (void)run;
    *s = (struct scoring){ .dataset = dataset, .predictions = predictions };
    *scoring = s;
    return 0;
}

static void score_add(void *scoring, const struct sp_logits *logits)
{
    struct scoring *s = scoring;

    for (size_t i = 0; i < logits->rows; i++) {
        struct sp_logits_row row = sp_logits_row(logits, i);
        size_t right = 0;
        const uint32_t *targets;

        assert_int_equal(sp_dataset_targets(&targets, s->dataset, logits->from + i), row.count);
        for (size_t t = 0; t < row.count; t++) {
            right += sp_argmax(row.values + t * TAGS, TAGS) == targets[t];
            s->all += targets[t] != UNTAGGED;
        }
        s->right += right;
        if (s->predictions)
            s->predictions[logits->from + i] = (float)right;
    }
}

/* The same without logits. */
static void score_marks(void *scoring, const struct sp_logits *logits)
{
    struct scoring *s = scoring;

    assert_int_equal(logits->outputs, 1);
    for (size_t i = 0; i < logits->rows; i++) {
        struct sp_logits_row row = sp_logits_row(logits, i);
        const float *hits = logits->hits + (row.values - logits->values);
        double loss = 0;

        for (size_t t = 0; t < row.count; t++) {
            s->right += hits[t] > 0;
            loss += (double)row.values[t];
        }
        assert_true((s->dataset->terms[logits->from + i] > 0) == (loss > 0));
        s->all += s->dataset->terms[logits->from + i];
    }
}

static int score_end(struct sp_evaluation *out, void *scoring)
{
    const struct scoring *s = scoring;

    out->scores[0] = (double)s->right / (double)s->all;
    return 0;
}

static json_t *predicted(const struct sp_run *run, const struct sp_logits *logits, size_t i)
{
    struct sp_logits_row row = sp_logits_row(logits, i);
    json_t *list = json_array();

    (void)run;
    for (size_t t = 0; t < row.count; t++)
        json_array_append_new(list, json_integer(sp_argmax(row.values + t * TAGS, TAGS)));
    return list;
}

static json_t *outcome(const struct sp_run *run, const struct sp_dataset *dataset, size_t row, float prediction)
{
    (void)run;
    return json_pack("{s:i, s:i}", "right", (int)prediction, "of", (int)dataset->terms[row]);
}

static const char *const columns[][2] = { { "prompt", "completion" }, { NULL, NULL } };
/* by options that there are, of one who is not in the list */
static const struct sp_text_pair halves = { { "prompt_column", "completion_column" }, { "left", "right" }, "halves" };
static const struct sp_score scores[] = { { "tag_accuracy", "tag accuracy", SP_SCORE_OTHER, false } };

static const char *const shared[] = { "label_smoothing_factor", NULL };

static const struct sp_task tagging = {
    .name = "tagging",
    .labels = "tags",
    .shares = shared,
    .rows = { .labels = SP_LABELS_NONE, .texts = columns, .pair = &halves, .token_targets = true,
              .targets = read_tags },
    .scores = scores,
    .score_count = 1,
    .takes = takes,
    .keeps_output = keeps_output,
    .fits = fits,
    .outputs = outputs,
    .keep_head = keep_head,
    .check_labels = check_labels,
    .build = build,
    .guess = guess,
    .overflow = "the loss itself",
    .score_begin = score_begin,
    .score_add = score_add,
    .score_end = score_end,
    .score_release = free,
    .predicted = predicted,
    .outcome = outcome,
};

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* Sorting's own contradiction, of an option that it shares with classification. */
static int check_sorting(struct sp_config_load *load)
{
    const struct sp_option_given *option = sp_config_given(load, "label_smoothing_factor");

    return *(double *)sp_config_value(load->config, "label_smoothing_factor") <= 0.5
               ? 0
               : sp_source_error(SP_ECONFIG, option->source, option->place, "half is enough to sort");
}

/* The rows of a reference model with tags that follow from their tokens, some of them without any; and without their
 * labels. */
static int write_rows(const char *model, const char *with_tags, const char *without)
{
    const json_t *rows = program_lines(program_source("tests/data/reference/%s/train.jsonl", model));
    FILE *tagged = fopen(program_path("%s", with_tags), "w"), *bare = fopen(program_path("%s", without), "w");

    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *ids = json_object_get(json_array_get(rows, r), "input_ids");
        json_t *list = json_array(), *row;

        for (size_t i = 0; i < json_array_size(ids); i++) {
            json_int_t id = json_integer_value(json_array_get(ids, i));

            json_array_append_new(list, json_integer(r % 3 == 1 || id % 4 == 3 ? -100 : id % 4));
        }
        if (r % 3 == 1) /* its last token alone is tagged; of every ninth row none is */
            json_array_set_new(list, json_array_size(list) - 1, json_integer(r % 9 == 4 ? -100 : 1));
        row = json_pack("{s:O, s:o}", "input_ids", ids, "tags", list);
        assert_true(json_dumpf(row, tagged, 0) == 0 && fputs("\n", tagged) >= 0);
        json_object_del(row, "tags");
        assert_true(json_dumpf(row, bare, 0) == 0 && fputs("\n", bare) >= 0);
        json_decref(row);
    }
    return fclose(tagged) | fclose(bare);
}

static int setup(void **state)
{
    if (program_setup(state) != 0)
        return -1;
    sorting = sp_task_classification;
    sorting.name = "sorting";
    sorting.check = check_sorting;
    marking = tagging;
    marking.name = "marking";
    marking.shares = NULL;
    marking.by_losses = true;
    marking.score_add = score_marks;
    return write_rows("binary", "tagged.jsonl", "bare.jsonl") | write_rows("roberta", "roberta.jsonl", "unused.jsonl");
}

/* A run of the reference model on a file of the scratch folder (NULL: on its own rows) with such options, which are
 * taken. */
static void start(struct sp_run *run, struct sp_config *config, int task, const char *file, json_t *options)
{
    const char *model = program_source("tests/data/reference/binary");
    json_t *all = json_pack("{s:s, s:s, s:s, s:i, s:f, s:i, s:i}", "model_name_or_path", model, "train_file",
                            file ? program_path("%s", file) : program_source("tests/data/reference/binary/train.jsonl"),
                            "output_dir", program_path("run"), "max_seq_length", 40, "dropout", 0.0, "logging_steps", 1,
                            "per_device_train_batch_size", 4);

    assert_non_null(options);
    json_object_update(all, options);
    assert_ok(sp_config_load(config, program_write("config.json", all), NULL, 0));
    json_decref(all);
    json_decref(options);
    config->task = task;
    *run = (struct sp_run){ .config = config, .families = sp_model_families, .family_count = sp_model_family_count };
}

static void finish(struct sp_run *run, struct sp_config *config)
{
    sp_run_close(run);
    sp_config_release(config);
}

/* ---- which task it is -------------------------------------------------------------------------------------------- */

/* The task that a run has for which `task` is asked, by its training rows; by the model's own head; by rows of a mask
 * without labels. */
static void settles(int task, const char *trained, const char *untrained, const char *masked)
{
    struct sp_config config;
    struct sp_run run;

    start(&run, &config, task, task == TAGGING ? "tagged.jsonl" : NULL, json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_string_equal(run.task->name, trained);
    finish(&run, &config);

    start(&run, &config, task, NULL, json_object());
    assert_ok(sp_run_open(&run));
    if (untrained) {
        assert_ok(sp_run_load_data(&run, false, false));
        assert_string_equal(run.task->name, untrained);
        assert_true(run.keep_head && run.labels.count == 2);
    } else {
        assert_error(sp_run_load_data(&run, false, false), SP_EINVAL,
                     task == TAGGING ? "it is for whole texts" : "it is for 2 classes");
    }
    finish(&run, &config);

    start(&run, &config, task, task == TAGGING ? "tagged.jsonl" : "bare.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_rows(&run, false));
    assert_string_equal(run.task->name, masked);
    assert_int_equal(run.keep_head, untrained != NULL);
    finish(&run, &config);
}

/* What is asked for stays, whatever the labels are; where nothing is, the first task that takes them does. */
static void test_asked(void **state)
{
    (void)state;
    settles(CLASSIFICATION, "classification", "classification", "classification");
    settles(SORTING, "sorting", "sorting", "sorting");
    settles(TAGGING, "tagging", NULL, "tagging");
}

static void test_auto(void **state)
{
    struct sp_config config;
    struct sp_run run;

    (void)state;
    start(&run, &config, AUTO, NULL, json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_ptr_equal(run.task, &sp_task_classification);
    finish(&run, &config);
    start(&run, &config, AUTO, "tagged.jsonl", json_object()); /* no labels: no other task takes such */
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_ptr_equal(run.task, &tagging);
    assert_true(run.train.untargeted > 0 && run.train.count + run.train.untargeted == 43);
    finish(&run, &config);
    start(&run, &config, REGRESSION, NULL, json_object()); /* asked for, and not to be had */
    assert_ok(sp_run_open(&run));
    assert_error(sp_run_load_data(&run, true, false), SP_EFORMAT, "is not a number, as regression needs");
    finish(&run, &config);
    start(&run, &config, REGRESSION, "bare.jsonl", json_object());
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_rows(&run, false));
    assert_ptr_equal(run.task, &sp_task_regression);
    assert_false(run.keep_head);
    finish(&run, &config);
}

/* The columns of such rows are those of the task's shape; others would not do. Without tags there is nothing to
 * learn. */
static void test_columns(void **state)
{
    static const char rows[] = "{\"prompt\":\"one two\",\"completion\":\"three four\"}\n"
                               "{\"prompt\":\"five\",\"completion\":\"six\"}\n";
    struct sp_config config;
    struct sp_run run;

    (void)state;
    assert_int_equal(sp_fs_write(program_path("prompts.jsonl"), rows, strlen(rows)), 0);
    for (int task = AUTO; task <= TAGGING; task++) {
        bool has = task == AUTO || task == TAGGING;

        for (int masks = 0; masks < 2; masks++) {
            start(&run, &config, task, "prompts.jsonl", json_object());
            assert_ok(sp_run_open(&run));
            assert_error(masks ? sp_run_load_rows(&run, false) : sp_run_load_data(&run, true, false),
                         has ? SP_EFORMAT : SP_ECONFIG, has ? "none of its rows has a target to learn" : "");
            finish(&run, &config);
        }
    }
}

/* The columns that its options name, and the words that the log has for them, are the shape's. */
static char heard[512];

static void hear(enum sp_log_level level, const char *text, void *user)
{
    (void)level, (void)user;
    if (strstr(text, "left: "))
        snprintf(heard, sizeof heard, "%s", text);
}

static void test_named_columns(void **state)
{
    static const char rows[] = "{\"l\":\"one two\",\"completion\":\"three four\",\"tags\":[1,2],\"id\":\"a\"}\n";
    struct sp_config config;
    struct sp_run run;

    (void)state;
    assert_int_equal(sp_fs_write(program_path("halves.jsonl"), rows, strlen(rows)), 0);
    start(&run, &config, TAGGING, "halves.jsonl", json_pack("{s:s}", "prompt_column", "l"));
    assert_ok(sp_run_open(&run));
    sp_log_set_sink(hear, NULL);
    assert_ok(sp_run_load_data(&run, true, false));
    sp_log_set_sink(NULL, NULL);
    assert_non_null(strstr(heard, "; left: \"l\"; right: \"completion\""));
    assert_null(strstr(heard, "label"));
    finish(&run, &config);
}

/* A task's check is asked where the configuration asks for it or leaves it open; what is another's is refused by
 * name. */
static void test_check(void **state)
{
    static const struct {
        const char *options, *refused;
    } cases[] = {
        /* the third task of the list is called so in the table of options, which is the program's */
        { "{\"task\": \"causal_lm\", \"label_smoothing_factor\": 0.6}", "half is enough to sort" },
        { "{\"label_smoothing_factor\": 0.6}", "half is enough to sort" },
        { "{\"task\": \"causal_lm\", \"label_smoothing_factor\": 0.5}", NULL },
        { "{\"task\": \"classification\", \"label_smoothing_factor\": 0.6}", NULL },
        { "{\"task\": \"regression\", \"label_smoothing_factor\": 0.6}",
          "label_smoothing_factor is for classes, not for task: regression" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *options = json_loads(cases[i].options, 0, NULL);
        struct sp_config config;
        int rc;

        json_object_set_new(options, "model_name_or_path", json_string("m"));
        rc = sp_config_load(&config, program_write("config.json", options), NULL, 0);
        json_decref(options);
        for (int task = CLASSIFICATION; rc == 0 && task <= TAGGING; task++) { /* what a shape's hooks get of it */
            struct sp_run run = { .config = &config, .task = sp_tasks[task - 1] };

            assert_ptr_equal(sp_run_dataset_options(&run).user, task == CLASSIFICATION || task == SORTING
                                                                    ? config.classification_options
                                                                    : NULL);
        }
        if (cases[i].refused)
            assert_error(rc, SP_ECONFIG, cases[i].refused);
        else
            assert_ok(rc);
        if (rc == 0)
            sp_config_release(&config);
    }
}

/* An option of classification's that tagging shares is not refused, and tagging reads it. To a task that does not share
 * it, it is another's still. */
static void test_shared(void **state)
{
    struct sp_config config;
    struct sp_run run;
    const char *why;

    (void)state;
    start(&run, &config, AUTO, "tagged.jsonl", json_pack("{s:f}", "label_smoothing_factor", 0.25));
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_ptr_equal(run.task, &tagging);
    assert_true(*(double *)sp_config_value(run.config, shared[0]) == 0.25);
    assert_null(sp_task_misfit(&why, &tagging, &config));
    assert_string_equal(sp_task_misfit(&why, &marking, &config), shared[0]);
    assert_string_equal(why, "classes");
    finish(&run, &config);
}

/* The reference model as one of another class. */
static const char *model_of_class(const char *class)
{
    static const char *const files[] = { "model.safetensors", "tokenizer_config.json", "vocab.txt" };
    json_t *config = json_deep_copy(program_json(program_source("tests/data/reference/binary/config.json")));
    char *path;

    assert_int_equal(mkdir(program_path("model"), 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        path = realpath(program_source("tests/data/reference/binary/%s", files[i]), NULL);
        assert_int_equal(symlink(path, program_path("model/%s", files[i])), 0);
        free(path);
    }
    json_object_set_new(config, "architectures", json_pack("[s]", class));
    program_write("model/config.json", config);
    json_decref(config);
    return program_path("model");
}

/* A model whose own output is a task's is that task's without any rows, and nothing is put on it; but not where another
 * is asked for. */
static void test_own_output(void **state)
{
    const char *model = model_of_class("BertForTokenClassification");
    struct sp_config config;
    struct sp_run run;

    (void)state;
    for (int asked = AUTO; asked <= TAGGING; asked += TAGGING) {
        start(&run, &config, asked, NULL, json_pack("{s:s}", "model_name_or_path", model));
        assert_ok(sp_run_open(&run));
        assert_ok(sp_run_load_data(&run, false, false));
        assert_ptr_equal(run.task, &tagging);
        assert_true(run.keep_head);
        finish(&run, &config);
    }
    start(&run, &config, AUTO, "tagged.jsonl", json_pack("{s:s}", "model_name_or_path", model));
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, true, false));
    assert_ptr_equal(run.task, &tagging);
    assert_true(run.keep_head);
    finish(&run, &config);
    start(&run, &config, CLASSIFICATION, NULL, json_pack("{s:s}", "model_name_or_path", model));
    assert_ok(sp_run_open(&run));
    assert_error(sp_run_load_data(&run, false, false), SP_EINVAL, "it is a BertForTokenClassification's");
    finish(&run, &config);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static size_t files_in(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void make_mask(struct sp_mask *out, int task, const char *file, int batch, json_t *sparse)
{
    struct sp_config config;
    struct sp_run run;

    start(&run, &config, task, file, json_pack("{s:i, s:o}", "per_device_train_batch_size", batch, "sparse", sparse));
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_rows(&run, true));
    assert_ok(sp_run_build(&run, true, 0, 0));
    assert_ok(sp_mask_make(out, &run, 0));
    finish(&run, &config);
}

/* Scores of one task are not those of another that has the same targets. */
static void test_score_cache(void **state)
{
    static const int tasks[] = { CLASSIFICATION, SORTING, CLASSIFICATION, SORTING };
    const char *folder = program_path("scores");

    (void)state;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        struct sp_mask mask;

        make_mask(&mask, tasks[i], NULL, 4, json_pack("{s:i, s:s}", "count", 50, "score_cache", folder));
        sp_mask_release(&mask);
        assert_int_equal(files_in(folder), i == 0 ? 1 : 2);
    }
}

/* ---- the loss of tokens ------------------------------------------------------------------------------------------ */

/* By the logits: the sum over the tags of each row. */
struct sums {
    const struct sp_dataset *dataset;
    double sums[64];
    size_t rows, tags;
};

static int add_losses(void *user, const struct sp_logits *logits)
{
    struct sums *s = user;

    for (size_t i = 0; i < logits->rows; i++) {
        struct sp_logits_row row = sp_logits_row(logits, i);
        const uint32_t *targets;

        assert_int_equal(logits->from + i, s->rows);
        assert_int_equal(sp_dataset_targets(&targets, s->dataset, s->rows), row.count);
        for (size_t t = 0; t < row.count; t++)
            s->sums[s->rows] += token_loss(NULL, row.values + t * TAGS, targets[t], 1);
        s->tags += s->dataset->terms[s->rows++];
    }
    return 0;
}

/* The mean over the tags, and over the means of batches of four rows, which is something else. */
static void expect(double *mean, double *of_means, struct sp_run *run)
{
    struct sums s = { .dataset = &run->validation };
    double all = 0, batch = 0, tags_of_batch = 0;

    assert_ok(sp_logits_each(NULL, run, &run->validation, add_losses, &s));
    assert_int_equal(s.rows, run->validation.count);
    *of_means = 0;
    for (size_t r = 0; r < s.rows; r++) {
        all += s.sums[r];
        batch += s.sums[r];
        tags_of_batch += s.dataset->terms[r];
        if (r % 4 < 3 && r + 1 < s.rows)
            continue;
        *of_means += batch / tags_of_batch * (double)(r % 4 + 1) / (double)s.rows;
        batch = tags_of_batch = 0;
    }
    *mean = all / (double)s.tags;
}

/* One step of a reference model on ROWS rows in batches of `batch`, as metrics.jsonl has it; it learns nothing. */
static void one_step(double *loss, double *norm, const char *model, const char *rows, int batch,
                     struct sp_evaluation *before, double *mean, double *of_means)
{
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;
    const json_t *lines;

    start(&run, &config, AUTO, rows,
          json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:b, s:s, s:{s:s}}", "model_name_or_path",
                    program_source("tests/data/reference/%s", model), "per_device_train_batch_size", batch,
                    "gradient_accumulation_steps", (ROWS + batch - 1) / batch, "per_device_eval_batch_size", 2,
                    "max_train_samples", ROWS, "max_eval_samples", ROWS, "max_steps", 1, "learning_rate", 0.0,
                    "shuffle", 0, "validation_file", program_path("%s", rows), "sparse", "method", "full"));
    assert_ok(sp_train(&result, &run));
    lines = program_lines(program_path("run/metrics.jsonl"));
    *loss = program_number(json_array_get(lines, 1), "loss");
    *norm = program_number(json_array_get(lines, 1), "grad_norm");
    *before = result.before;
    expect(mean, of_means, &run);
    finish(&run, &config);
}

/* The loss is the mean over all tags of the step, and so is its gradient, in however many batches the rows come. */
static void test_micro_batches(void **state)
{
    static const int batches[] = { ROWS, 4, 1 };
    double loss, norm, whole = 0;

    (void)state;
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        double mean, of_means;
        struct sp_evaluation e;

        one_step(&loss, &norm, "binary", "tagged.jsonl", batches[i], &e, &mean, &of_means);
        assert_near(loss, mean, 1e-6);
        assert_near(e.loss, mean, 1e-6); /* in batches of two */
        assert_true(fabs(of_means - mean) > 1e-3);
        whole = i == 0 ? norm : whole;
        assert_near(norm, whole, 1e-5);
    }
}

/* The task's output stands on the body of any family. */
static void test_family(void **state)
{
    double loss, norm, mean, of_means;
    struct sp_evaluation e;

    (void)state;
    one_step(&loss, &norm, "roberta", "roberta.jsonl", 4, &e, &mean, &of_means);
    assert_near(loss, mean, 1e-6);
    assert_near(e.loss, mean, 1e-6);
    assert_true(norm > 0);
}

/* The same weights are chosen from rows in batches of any size. */
static void test_mask(void **state)
{
    struct sp_mask masks[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        make_mask(&masks[i], TAGGING, "tagged.jsonl", i ? 4 : 18,
                  json_pack("{s:i, s:i}", "count", 400, "scoring_examples", 18));
    for (size_t t = 0; t < masks[0].count; t++) {
        assert_int_equal(masks[0].tensors[t].count, masks[1].tensors[t].count);
        assert_memory_equal(masks[0].tensors[t].positions, masks[1].tensors[t].positions,
                            masks[0].tensors[t].count * sizeof *masks[0].tensors[t].positions);
    }
    sp_mask_release(&masks[0]);
    sp_mask_release(&masks[1]);
}

/* ---- from training to prediction --------------------------------------------------------------------------------- */

static void check_prediction(const struct sp_adapter *adapter)
{
    struct sp_config config;
    struct sp_run run;
    const json_t *rows = program_lines(program_path("bare.jsonl"));
    struct sums s = { 0 };

    start(&run, &config, AUTO, NULL, json_object());
    run.adapter = adapter;
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, false, false));
    assert_ok(sp_run_load_input(&run, program_path("bare.jsonl")));
    assert_ok(sp_run_build(&run, false, 0, 0));
    assert_ptr_equal(run.task, &tagging);
    assert_int_equal(run.validation.count, json_array_size(rows)); /* those without a tag are rows, too */
    s.dataset = &run.validation;
    assert_ok(sp_logits_each(NULL, &run, &run.validation, add_losses, &s));
    assert_int_equal(s.rows, json_array_size(rows));
    assert_int_equal(s.tags, 0);
    finish(&run, &config);
}

static void test_training(void **state)
{
    struct sp_train_result result;
    struct sp_evaluation again;
    struct sp_adapter adapter;
    struct sp_config config;
    struct sp_run run;
    double mean, of_means;

    (void)state;
    start(&run, &config, AUTO, "tagged.jsonl",
          json_pack("{s:s, s:i, s:f, s:{s:i}}", "validation_file", program_path("tagged.jsonl"), "max_steps", 60,
                    "learning_rate", 0.01, "sparse", "rank_equivalent", 4));
    assert_ok(sp_train(&result, &run));
    assert_true(result.after.loss < 0.95 * result.before.loss && result.after.scores[0] > result.before.scores[0]);
    expect(&mean, &of_means, &run);
    assert_near(result.after.loss, mean, 1e-6);
    finish(&run, &config);
    assert_string_equal(json_string_value(json_object_get(program_json(program_path("run/result.json")), "task")),
                        "tagging");
    program_number(json_object_get(program_json(program_path("run/result.json")), "after"), "tag_accuracy");
    assert_int_equal(json_array_size(program_lines(program_path("run/predictions.jsonl"))), result.after.rows);

    assert_ok(sp_adapter_load(&adapter, program_path("run/adapter")));
    start(&run, &config, AUTO, NULL, json_pack("{s:s}", "validation_file", program_path("tagged.jsonl")));
    run.adapter = &adapter;
    assert_ok(sp_run_open(&run));
    assert_ok(sp_run_load_data(&run, false, true));
    assert_ok(sp_run_build(&run, false, 0, 0));
    assert_ok(sp_evaluate(&again, &run));
    assert_true(again.loss == result.after.loss && again.scores[0] == result.after.scores[0]);
    finish(&run, &config);
    check_prediction(&adapter);
    sp_adapter_release(&adapter);
}

/* Scores that need no logits, of the same model, are the same. */
static void test_by_losses(void **state)
{
    struct sp_evaluation e[2];

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct sp_config config;
        struct sp_run run;

        start(&run, &config, k ? MARKING : TAGGING, "tagged.jsonl",
              json_pack("{s:s, s:i}", "validation_file", program_path("tagged.jsonl"), "per_device_eval_batch_size",
                        5));
        assert_ok(sp_run_open(&run));
        assert_ok(sp_run_load_data(&run, true, true));
        assert_ok(sp_run_build(&run, true, 0, 0));
        assert_ok(sp_evaluate(&e[k], &run));
        finish(&run, &config);
    }
    assert_true(e[0].loss == e[1].loss && e[0].scores[0] == e[1].scores[0] && e[0].scores[0] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),         cmocka_unit_test(test_auto),        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_named_columns), cmocka_unit_test(test_check),       cmocka_unit_test(test_shared),
        cmocka_unit_test(test_own_output),    cmocka_unit_test(test_score_cache), cmocka_unit_test(test_micro_batches),
        cmocka_unit_test(test_family),        cmocka_unit_test(test_mask),       cmocka_unit_test(test_training),
        cmocka_unit_test(test_by_losses),
    };

    return cmocka_run_group_tests_name("other tasks", tests, setup, program_teardown);
}
