/* What configurations say by mistake: names of other tools, words for nothing, a study in place of a run; and what the
 * help says. */
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/op/gemm.h"
#include "runtime/optim/optimizer.h"
#include "runtime/optim/schedule.h"
#include "runtime/train/config.h"
#include "runtime/train/method.h"
#include "runtime/train/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NEEDED "model_name_or_path: m\n"

static char folder[] = "/tmp/speft-config-words-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink("c.yaml") | chdir("/") | rmdir(folder);
}

static int read_config(struct sp_config *c, const char *text, const char *override)
{
    assert_int_equal(sp_fs_write("c.yaml", text, strlen(text)), 0);
    return sp_config_load(c, "c.yaml", &override, override ? 1 : 0);
}

/* `expected` stands in the message; a newline at its end is the sentence's. */
static void refuse(const char *text, const char *override, const char *expected)
{
    struct sp_config c;

    assert_int_equal(read_config(&c, text, override), SP_ECONFIG);
    if (!strstr(sp_error_message(), expected))
        fail_msg("got:\n%s\nexpected:\n%s", sp_error_message(), expected);
}

static void test_files(void **state)
{
    static const char *const cases[][2] = {
        { "lr: 1e-4\n", "c.yaml:1:1: unknown option \"lr\"; did you mean \"learning_rate\"?" },
        { "epochs: 3\n", "did you mean \"num_train_epochs\"?" },
        { "batch_size: 3\n", "did you mean \"per_device_train_batch_size\"?" },
        { "max_length: 3\n", "did you mean \"max_seq_length\"?" },
        { "model: m\n", "did you mean \"model_name_or_path\"?" },
        { "data: d\n", "did you mean \"train_file\"?" },
        { "Learning-Rate: 1\n", "did you mean \"learning_rate\"?" },
        { "num-epochs: 1\n", "did you mean \"num_train_epochs\"?" },
        { "train_batch_size: 3\n", "did you mean \"per_device_train_batch_size\"?" },
        { "batch_sise: 3\n", "did you mean \"per_device_train_batch_size\"?" },
        { "lora_r: 8\n", "did you mean \"sparse.rank_equivalent\", in the block sparse?" },
        { "target_module: [query]\n", "did you mean \"sparse.target_modules\", in the block sparse?" },
        { "sparse: {r: 8}\n", "unknown option \"r\" in sparse; did you mean \"rank_equivalent\"?" },
        { "sparse: {lr: 8}\n", "c.yaml:1:10: unknown option \"lr\" in sparse; did you mean \"learning_rate\", outside "
                               "the block sparse?" },
        { "sparse: {seed: 8}\n", "did you mean \"seed\", outside the block sparse?" },
        { "sparse: {fp16: yes}\n", "\"sparse.fp16\" is not supported by this version" },
        { "lora_alpha: 16\n", "\"lora_alpha\" is not supported by this version" },
        { "save_step: 5\n", "unknown option \"save_step\"\n" },
        { "k: 1\n", "unknown option \"k\"\n" },
        { "methods: {a: {}}\ndata: {b: {}}\n", "c.yaml:1:1: this is a study, expected the configuration of one run: "
                                               "speft-cl study c.yaml" },
        { "data: {b: {}}\nmethods: {a: {}}\n", "c.yaml:2:1: this is a study" },
        { "base: other.yaml\ngrid: {a: [1]}\n", "c.yaml:1:1: this is a study" },
        { "validation_file: None\n", "validation_file: found \"None\", expected a text; write null for nothing, or "
                                     "\"None\" in quotes for that text" },
        { "learning_rate: none\n", "found \"none\", expected a number in [0, 1000]; write null for nothing" },
        { "seed: nil\n", "found \"nil\", expected a whole number in [0, inf); leave it out for the default, 42" },
        { "seed: NULL\n", "found nothing, expected a whole number in [0, inf); leave it out for the default, 42" },
        { "skip_bad_rows: None\n", "expected true or false; leave it out for the default, false" },
        { "optimizer: None\n", "expected one of adamw, sm3; write null for nothing" },
        { "eval_strategy: none\n", "expected one of no, steps, epoch; did you mean no?" },
        { "device: None\n", "found \"None\", expected a text; leave it out for the default, auto" },
        { "sparse: {target_modules: []}\n", "sparse.target_modules: found an empty list, expected a list of names" },
        { "sparse: {target_modules: [query, None]}\n", "found a list with \"None\" in it, expected a list of names" },
        { "sparse: {target_modules: [query, ~]}\n", "found a list with \"~\" in it" },
        { "sparse: {target_modules: [query, '']}\n", "found a list with nothing in it" },
        { "sparse: {target_modules: \"query\", metric: Null}\n", "sparse.metric: found nothing" },
        { "sparse: {target_modules: 'a', method: none}\n", "leave it out for the default, static" },
        { "sparse: {target_modules: query, none}\n", "unknown option \"none\"" },
        { "sparse: {count: 5}\nseed: #1\n", "leave it out for the default, 42; # begins a comment; a name that begins "
                                            "with it wants quotes: \"#1\"" },
        { "sparse:\n  target_modules:  #query \r\n  count: 5\n", "auto; # begins a comment; a name that begins with it "
                                                                 "wants quotes: \"#query\"\n" },
        { "seed: null #1\n", "leave it out for the default, 42\n" },
        { "validation_file: ' '\n", "validation_file: found the text \" \", expected a path" },
        { "text_column: ' '\n", "text_column: found the text \" \", expected a column's name or number" },
        { "text_column: a\ntext_pair_column: ' '\n", "text_pair_column: found the text \" \", expected a column's" },
        { "completion_column: ' '\n", "completion_column: found the text \" \", expected a column's name or number" },
        { "label_column: '\xC2\xA0'\n", "label_column: found the text \"\xC2\xA0\", expected a column's name or "
                                        "number" },
        { "device: ' '\n", "device: found the text \" \", expected a device (speft-cl devices lists them)" },
        { "validation_file: ''\n", "validation_file: found an empty text" },
        { "output_dir: ~/o\n", "output_dir: found \"~/o\", in which only a shell reads ~ as the home folder; write "
                               "/home/me/o, or ./~/o" },
        { "train_file: $DATA/a.csv\n", "train_file: found \"$DATA/a.csv\", in which only a shell replaces $DATA by its "
                                       "value" },
        { "model_name_or_path: a/${M}\n", "in which only a shell replaces ${M} by its value; write the whole path" },
        { "train_file: https://x.org/a.csv\n", "an address, where one on this machine is expected; download it" },
    };

    (void)state;
    setenv("HOME", "/home/me", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse(cases[i][0], NULL, cases[i][1]);
}

static void test_overrides(void **state)
{
    static const char *const cases[][2] = {
        { "sparse.target_modules=",
          "nothing follows the '='; leave sparse.target_modules out for the default, auto" },
        { "sparse.target_modules=query, None", "found \"query, None\", expected a list of names" },
        { "sparse.target_modules=[]", "found \"[]\", expected a list of names" },
        { "sparse.density=", "nothing follows the '='; write sparse.density=null to unset it" },
        { "lr=", "unknown option \"lr\"; did you mean \"learning_rate\"?" },
        { "sparse.lr=1", "unknown option \"sparse.lr\"; did you mean \"learning_rate\"?" },
        { "density=1", "did you mean \"sparse.density\", in the block sparse?" },
        { "validation_file=None", "validation_file: found \"None\", expected a text; write null for nothing\n" },
        { "output_dir= ", "output_dir: found the text \" \", expected a path" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse(NEEDED, cases[i][0], cases[i][1]);
}

/* YAML's words for nothing unset what has no default, in a file and after --set; in quotes they are texts. */
static void test_null(void **state)
{
    static const char *const words[] = { "null", "Null", "NULL", "~" };
    struct sp_buf written = SP_BUF(100000);
    struct sp_config c;

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char *text = sp_asprintf(NEEDED
                                 "validation_file: %s\nlearning_rate: %s\nsparse: {count: %s, score_cache: %s}\n",
                                 words[i], words[i], words[i], words[i]);
        char *override = sp_asprintf("validation_file=%s", words[i]);

        assert_int_equal(read_config(&c, text, NULL), 0);
        assert_null(c.validation_file);
        assert_null(c.sparse.score_cache);
        assert_true(c.learning_rate == 1e-3 && c.sparse.rank_equivalent == 8 && c.sparse.count == -1);
        sp_config_release(&c);
        assert_int_equal(read_config(&c, NEEDED "validation_file: v\n", override), 0);
        assert_null(c.validation_file);
        sp_config_release(&c);
        free(text);
        free(override);
    }
    assert_int_equal(read_config(&c, NEEDED "sparse: NULL\nvalidation_file: 'None'\ntrain_file: \"null\"\n", NULL), 0);
    assert_string_equal(c.validation_file, "None");
    assert_string_equal(c.train_file, "null");
    assert_int_equal(sp_config_write(&c, &written), 0); /* which is read back, so that they are in quotes again */
    sp_config_release(&c);
    assert_int_equal(read_config(&c, written.data, NULL), 0);
    assert_string_equal(c.validation_file, "None");
    assert_string_equal(c.train_file, "null");
    sp_config_release(&c);
    sp_buf_free(&written);
}

/* Each hint names an option, and no name is two things. */
static void test_hints(void **state)
{
    const struct sp_option_table *t = sp_config_options();

    (void)state;
    for (const struct sp_option_hint *hint = t->hints; hint->name; hint++) {
        if (sp_option_index(t, hint->key) == sp_option_count(t))
            fail_msg("%s is taken for %s, which is none", hint->name, hint->key);
        if (sp_option_index(t, hint->name) < sp_option_count(t) || sp_option_is_foreign(t, hint->name))
            fail_msg("%s has another meaning", hint->name);
        assert_string_equal(sp_option_meant(t, hint->name, false), hint->key);
    }
    for (size_t i = 0; i < sp_option_count(t); i++)
        if (sp_option_is_foreign(t, sp_option_at(t, i)->key))
            fail_msg("%s is an option", sp_option_at(t, i)->key);
}

static const char *const *choices_of(const char *key)
{
    const struct sp_option_table *t = sp_config_options();

    return sp_option_at(t, sp_option_index(t, key))->choices;
}

/* An option's words are the names in the list that they are of, all of them, in its order. */
static void test_choices(void **state)
{
    const char *const *gemms = choices_of("gemm"), *const *tasks = choices_of("task"),
                      *const *methods = choices_of("sparse.method");
    const char *const *schedules = choices_of("lr_scheduler_type");
    double factor;

    (void)state;
    assert_string_equal(gemms[0], "auto");
    for (size_t i = 0; i < sp_gemm_family_count; i++)
        assert_string_equal(gemms[1 + i], sp_gemm_families[i]->name);
    assert_null(gemms[1 + sp_gemm_family_count]);
    assert_string_equal(tasks[0], "auto");
    for (size_t i = 0; sp_tasks[i] || tasks[1 + i]; i++)
        assert_string_equal(tasks[1 + i], sp_tasks[i]->name);
    for (size_t i = 0; sp_methods[i] || methods[i]; i++)
        assert_string_equal(methods[i], sp_methods[i]->name);
    for (size_t i = 0; schedules[i]; i++)
        assert_int_equal(sp_schedule_factor(&factor, schedules[i], 0, 10, 0), 0);
    assert_string_equal(choices_of("sparse.scope")[SP_CONFIG_SCOPE_UNIFORM_COUNT], "uniform_count");
    assert_string_equal(choices_of("eval_strategy")[SP_CONFIG_EVAL_EPOCH], "epoch");
}

/* The help's "by default ..." is the value that a run has. */
static void test_defaults(void **state)
{
    static const struct {
        const char *key, *override, *value;
    } cases[] = {
        { "learning_rate", "sparse.method=static", "1e-3" },
        { "learning_rate", "sparse.method=full", "5e-5" },
        { "optimizer", "sparse.method=spiel", "adamw" },
        { "sparse.rank_equivalent", "sparse.method=static", "8" },
        { "sparse.interval", "sparse.method=dynamic", "100" },
        { "sparse.on_drop", "sparse.method=dynamic", "merge" },
        { "sparse.growth", "sparse.method=spiel", "ag" },
        { "sparse.reselection_steps", "sparse.method=spiel", "20" },
        { "sparse.selection_accumulation_steps", "sparse.method=spiel", "5" },
        { "sparse.initial_replacement", "sparse.method=spiel", "0.2" },
        { "sparse.replacement_schedule", "sparse.method=spiel", "linear" },
        { "sparse.drop", "sparse.method=spiel", "delta" },
    };
    const struct sp_option_table *t = sp_config_options();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sp_option *option = sp_option_at(t, sp_option_index(t, cases[i].key));
        bool full = strstr(cases[i].override, "full");
        char *text = sp_asprintf("%s %s", full ? cases[i].key : "by default", cases[i].value);
        const char *dot = strchr(cases[i].key, '.'), *said;
        struct sp_config c;
        json_t *all, *value;

        assert_int_equal(read_config(&c, NEEDED, cases[i].override), 0);
        assert_int_equal(sp_config_json(&c, &all), 0);
        value = json_object_get(dot ? json_object_get(all, "sparse") : all, dot ? dot + 1 : cases[i].key);
        if (json_is_string(value))
            assert_string_equal(json_string_value(value), cases[i].value);
        else
            assert_true(json_number_value(value) == strtod(cases[i].value, NULL));
        said = full ? sp_method_full.summary : option->unset;
        if (!said || !strstr(said, text))
            fail_msg("%s: the help says \"%s\", not \"%s\"", cases[i].key, said ? said : "", text);
        json_decref(all);
        sp_config_release(&c);
        free(text);
    }
    assert_non_null(strstr(sp_option_at(t, sp_option_index(t, "sparse.growth"))->help, "optimizer by default is sm3"));
}

/* What tasks and methods are stands in the help as they say it. */
static void test_meanings(void **state)
{
    struct sp_buf help = SP_BUF((size_t)1 << 20);
    const char *at;

    (void)state;
    assert_int_equal(sp_option_write_man(sp_config_options(), &help), 0);
    at = strstr(help.data, ".B task\n");
    for (size_t i = 0; sp_tasks[i]; i++) {
        char *said = sp_asprintf("%s: %s.", sp_tasks[i]->name, sp_tasks[i]->labels);

        assert_non_null(at = strstr(at, said));
        free(said);
    }
    at = strstr(help.data, ".B sparse.method\n");
    for (size_t i = 0; sp_methods[i]; i++) {
        char *said = sp_asprintf(" %s: %.20s", sp_methods[i]->name, sp_methods[i]->summary);

        assert_non_null(at = strstr(at, said));
        free(said);
    }
    sp_buf_free(&help);
}

/* Paths are known by their rows' types: what is read and what is not, and what a comparison leaves out. */
static void test_paths(void **state)
{
    static const char *const inputs[] = { "model_name_or_path", "train_file", "validation_file", NULL };
    const struct sp_option_table *t = sp_config_options();
    struct sp_config c;
    json_t *all;
    size_t paths = 0, options = sp_option_count(t);

    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        assert_true(inputs[i] ? strcmp(sp_config_input(i), inputs[i]) == 0 : !sp_config_input(i));
    for (size_t i = 0; i < options; i++)
        paths += sp_option_is_path(sp_option_at(t, i));
    assert_int_equal(paths, 5);
    assert_int_equal(read_config(&c, NEEDED "output_dir: o\nsparse: {score_cache: s}\n", NULL), 0);
    assert_int_equal(sp_config_json(&c, &all), 0);
    sp_config_forget_paths(all);
    assert_int_equal(json_object_size(all) - 1 + json_object_size(json_object_get(all, "sparse")), options - paths);
    assert_null(json_object_get(json_object_get(all, "sparse"), "score_cache"));
    json_decref(all);
    sp_config_release(&c);
    assert_int_equal(read_config(&c, NEEDED "sparse:\n  score_cache: $SCRATCH/scores\n", NULL), SP_ECONFIG);
    assert_non_null(strstr(sp_error_message(), "sparse.score_cache: found \"$SCRATCH/scores\", "));
}

/* The rows of a group stand together, whoever exports them, and a block is begun once. */
static void test_groups(void **state)
{
    const struct sp_option_table *t = sp_config_options();
    struct sp_buf text = SP_BUF(1 << 16);
    const char *data, *training, *prompt, *block;
    struct sp_config c;
    size_t headings = 0;

    (void)state;
    assert_int_equal(read_config(&c, NEEDED, NULL), 0);
    assert_int_equal(sp_config_write(&c, &text), 0);
    sp_config_release(&c);
    for (const char *at = text.data; (at = strstr(at, "# ")); at++)
        headings++;
    assert_int_equal(headings, 5);
    data = strstr(text.data, "# Model and data\n");
    training = strstr(text.data, "\n\n# Training\n");
    prompt = strstr(text.data, "\nprompt_column: null\n");
    assert_true(data == text.data && training > prompt && prompt);
    assert_true(strstr(text.data, "\nlabel_smoothing_factor: 0\n") > training);
    block = strstr(text.data, "\nsparse:\n");
    assert_true(block && !strstr(block + 1, "\nsparse:"));
    sp_buf_clear(&text);
    assert_int_equal(sp_option_write_help(t, &text), 0);
    for (size_t i = 0; i < sp_option_count(t); i++) { /* each row once */
        char line[80];
        const char *at;

        snprintf(line, sizeof line, "\n  %s\n", sp_option_at(t, i)->key);
        at = strstr(text.data, line);
        assert_true(at && !strstr(at + 1, line));
    }
    sp_buf_free(&text);
}

/* Whether the option has its default by that override. */
static bool is_default(const char *key, const char *value)
{
    const struct sp_option_table *t = sp_config_options();
    char text[128];
    struct sp_config c;
    bool out;

    snprintf(text, sizeof text, "%s=%s", key, value);
    assert_int_equal(read_config(&c, NEEDED "validation_file: v\neval_strategy: steps\n", text), 0);
    out = sp_option_is_default(t, sp_option_index(t, key), &c);
    sp_config_release(&c);
    return out;
}

static void test_is_default(void **state)
{
    static const char *const others[][2] = {
        { "text_column", "a" },
        { "seed", "43" },
        { "sparse.count", "5" },
        { "dropout", "0" },
        { "max_grad_norm", "1.5" },
        { "shuffle", "no" },
        { "skip_bad_rows", "true" },
        { "keep_head", "false" },
        { "lr_scheduler_type", "cosine" },
        { "sparse.target_modules", "query" },
        { "sparse.target_modules", "auto, query" },
    };
    static const char *const same[][2] = {
        { "text_column", "null" }, { "seed", "42" }, { "dropout", "null" },
        { "max_grad_norm", "1" }, { "label_smoothing_factor", "0.0" }, { "shuffle", "yes" },
        { "skip_bad_rows", "no" }, { "keep_head", "auto" }, { "lr_scheduler_type", "linear" },
        { "sparse.target_modules", "[auto]" }, { "sparse.count", "null" },
    };
    const struct sp_option_table *t = sp_config_options();
    struct sp_config c = { 0 };

    (void)state;
    assert_int_equal(sp_option_defaults(t, &c), 0);
    for (size_t i = 0; i < sp_option_count(t); i++)
        assert_true(sp_option_is_default(t, i, &c));
    sp_option_release(t, &c);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is_default(others[i][0], others[i][1]))
            fail_msg("%s: %s", others[i][0], others[i][1]);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!is_default(same[i][0], same[i][1]))
            fail_msg("%s: %s", same[i][0], same[i][1]);
}

/* The rows are in the table, and their values in the struct at `place`, or that to which the pointer there leads;
 * returns how many there are. */
static size_t check_rows(const struct sp_option_rows *options, size_t place)
{
    const struct sp_option_table *t = sp_config_options();
    struct sp_config c;

    assert_int_equal(read_config(&c, NEEDED, NULL), 0);
    for (size_t i = 0; i < options->count; i++) {
        char *own = options->size ? *(void **)(void *)((char *)&c + place) : (char *)&c + place;
        size_t index = sp_option_index(t, options->rows[i].key);

        assert_true(index < sp_option_count(t));
        assert_ptr_equal(sp_option_at(t, index), &options->rows[i]);
        assert_ptr_equal(sp_option_value(t, index, &c), own + options->rows[i].offset);
    }
    sp_config_release(&c);
    return options->count;
}

/* Whoever owns an option exports its row; where the owner lies in a layer below, the value is in the owner's own
 * struct. */
static void test_owners(void **state)
{
    const struct sp_option_table *t = sp_config_options();
    const char *const *names = sp_option_at(t, sp_option_index(t, "optimizer"))->choices;
    size_t optimizers = 0, metrics = 0, tasks = 0, methods = 0;
    struct sp_config c;

    (void)state;
    for (; *names; names++)
        optimizers += check_rows(&sp_optimizer_find(*names)->options, offsetof(struct sp_config, optim));
    for (size_t i = 0; i < sp_metric_count; i++)
        metrics += check_rows(&sp_metrics[i]->options, offsetof(struct sp_config, sparse.metrics));
#define SP_TASK(name) tasks += check_rows(&sp_task_##name.options, offsetof(struct sp_config, name##_options));
#include "runtime/train/task.def"
#undef SP_TASK
#define SP_METHOD(name)                                                                                                \
    methods += check_rows(&sp_method_##name.options, offsetof(struct sp_config, sparse.name##_options));
#include "runtime/train/method.def"
#undef SP_METHOD
    assert_true(optimizers == 3 && metrics == 2 && tasks > 2 && methods > 2);
    assert_int_equal(read_config(&c, NEEDED "adam_beta1: 0.5\nsparse: {sign: code, lift_rank: 7}\n",
                                 "adam_epsilon=1e-3"),
                     0);
    assert_true(c.optim.beta1 == 0.5 && c.optim.beta2 == 0.999 && c.optim.epsilon == 1e-3);
    assert_int_equal(c.sparse.metrics.grasp_code, 1);
    assert_int_equal(c.sparse.metrics.lift_rank, 7);
    sp_config_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_is_default),
        cmocka_unit_test(test_owners),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
