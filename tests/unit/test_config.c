/* The run configuration: YAML and overrides in, mistakes named by place, the resolved form back. */
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/train/method.h"
#include "runtime/train/task.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NEEDED "model_name_or_path: m\n"
#define OVERRIDES_MAX 4

static char folder[] = "/tmp/speft-config-XXXXXX";
static char path[64];
static char *source_folder; /* absolute: the tests change into a folder of their own */

static int make_folder(void **state)
{
    (void)state;
    source_folder = realpath(getenv("srcdir") ? getenv("srcdir") : ".", NULL);
    if (!source_folder || !mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    snprintf(path, sizeof path, "c.yaml");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    free(source_folder);
    return unlink("c.yaml") | unlink("sub/c.yaml") | unlink("sub/rows.tsv") | rmdir("sub") |
           chdir("/") | rmdir(folder);
}

static int load_bytes(struct sp_config *out, const char *text, size_t length,
                      const char *const *overrides)
{
    size_t count = 0;

    while (overrides && overrides[count])
        count++;
    assert_int_equal(sp_fs_write(path, text, length), 0);
    return sp_config_load(out, path, overrides, count);
}

static void load(struct sp_config *out, const char *text, const char *const *overrides)
{
    if (load_bytes(out, text, strlen(text), overrides) < 0)
        fail_msg("%s", sp_error_message());
}

/* The load must be refused with a message that contains `expected`. */
static void refuse_bytes(const char *text, size_t length, const char *const *overrides,
                         const char *expected)
{
    struct sp_config config;
    int rc = load_bytes(&config, text, length, overrides);

    if (rc == 0)
        fail_msg("accepted, expected: %s\n%s", expected, text);
    if (!strstr(sp_error_message(), expected))
        fail_msg("got:\n%s\nexpected:\n%s", sp_error_message(), expected);
    assert_int_equal(rc, SP_ECONFIG);
}

static void refuse(const char *text, const char *expected)
{
    refuse_bytes(text, strlen(text), NULL, expected);
}

static void test_defaults(void **state)
{
    struct sp_config c;

    (void)state;
    assert_int_equal(sp_config_load(&c, NULL, NULL, 0), 0);
    assert_null(c.model_name_or_path);
    assert_null(sp_config_task(&c));
    assert_int_equal(c.has_header, SP_AUTO);
    assert_int_equal(c.quotes, SP_AUTO);
    assert_int_equal(c.max_seq_length, 128);
    assert_int_equal(c.per_device_train_batch_size, 32);
    assert_true(c.num_train_epochs == 3 && c.learning_rate == 1e-3 && c.warmup_steps == 0);
    assert_true(c.optim.beta1 == 0.9 && c.optim.beta2 == 0.999 && c.optim.epsilon == 1e-8);
    assert_true(c.optim.max_grad_norm == 1 && isnan(c.dropout) && c.optim.weight_decay == 0);
    assert_string_equal(c.lr_scheduler_type, "linear");
    assert_int_equal(c.seed, 42);
    assert_true(c.shuffle);
    assert_int_equal(c.eval_strategy, SP_CONFIG_EVAL_NO);
    assert_int_equal(c.eval_steps, -1);
    assert_string_equal(sp_config_method(&c)->name, "static");
    assert_string_equal(c.sparse.metric, "gradient");
    assert_int_equal(c.sparse.rank_equivalent, 8);
    assert_true(isnan(c.sparse.density) && c.sparse.count == -1);
    assert_int_equal(c.sparse.target_modules.count, 1);
    assert_string_equal(c.sparse.target_modules.items[0], "auto");
    sp_config_release(&c);
}

static void test_values(void **state)
{
    struct sp_config c;

    (void)state;
    load(&c,
         "# a comment\n" NEEDED "learning_rate: 1e-5\nadam_beta1: .5\nweight_decay: 1E+1\n"
         "num_train_epochs: 0.5\nmax_steps: 7 # seven\nshuffle: no\nskip_bad_rows: True\n"
         "text_column: 3\nlabel_column: 'the label: here'\nhas_header: yes\ndropout: ~\n"
         "validation_file: rows.tsv\neval_strategy: steps\nlogging_steps: 5\n"
         "sparse:\n  density: 0.01\n  target_modules:\n    - query\n    - \"key\"\n",
         NULL);
    assert_true(c.learning_rate == 1e-5 && c.optim.beta1 == 0.5 && c.optim.weight_decay == 10);
    assert_true(c.num_train_epochs == 0.5 && c.max_steps == 7 && isnan(c.dropout));
    assert_false(c.shuffle);
    assert_true(c.skip_bad_rows);
    assert_string_equal(c.text_column, "3");
    assert_string_equal(c.label_column, "the label: here");
    assert_int_equal(c.has_header, SP_YES);
    assert_int_equal(c.eval_steps, 5);
    assert_true(c.sparse.density == 0.01 && c.sparse.rank_equivalent == -1);
    assert_string_equal(c.sparse.target_modules.items[1], "key");
    sp_config_release(&c);

    load(&c, "\xEF\xBB\xBFsparse: {method: full}\r\n" NEEDED "seed: 9223372036854775807\r\n", NULL);
    assert_string_equal(sp_config_method(&c)->name, "full");
    assert_true(c.learning_rate == 5e-5 && c.seed == INT64_MAX);
    assert_int_equal(c.sparse.rank_equivalent, -1);
    sp_config_release(&c);

    load(&c, "sparse:\n" NEEDED, NULL); /* an empty block */
    sp_config_release(&c);
}

/* What the methods whose mask moves fill in, and what a command line that changes the method leaves out. */
static void test_methods(void **state)
{
    struct sp_config c;

    (void)state;
    load(&c, NEEDED "sparse: {method: dynamic}\n", NULL);
    assert_int_equal(*(long long *)sp_config_value(&c, "sparse.interval"), 100);
    assert_string_equal(*(char **)sp_config_value(&c, "sparse.on_drop"), "merge");
    assert_string_equal(c.optimizer, "adamw");
    assert_null(*(char **)sp_config_value(&c, "sparse.growth"));
    assert_int_equal(c.sparse.rank_equivalent, 8);
    sp_config_release(&c);
    load(&c, NEEDED "sparse: {method: spiel, growth: ma}\n", NULL);
    assert_string_equal(c.optimizer, "sm3");
    assert_string_equal(c.sparse.metric, "random");
    assert_int_equal(c.sparse.scope, SP_CONFIG_SCOPE_TENSOR);
    assert_true(*(long long *)sp_config_value(&c, "sparse.reselection_steps") == 20);
    assert_true(*(long long *)sp_config_value(&c, "sparse.selection_accumulation_steps") == 5);
    assert_true(*(double *)sp_config_value(&c, "sparse.initial_replacement") == 0.2);
    assert_string_equal(*(char **)sp_config_value(&c, "sparse.replacement_schedule"), "linear");
    assert_string_equal(*(char **)sp_config_value(&c, "sparse.drop"), "delta");
    assert_int_equal(*(long long *)sp_config_value(&c, "sparse.interval"), -1);
    sp_config_release(&c);
    load(&c, NEEDED "optimizer: sm3\nsparse: {method: dynamic, interval: 7, metric: gradient}\n",
         (const char *const[]){ "sparse.method=spiel", NULL });
    assert_string_equal(sp_config_method(&c)->name, "spiel");
    assert_string_equal(c.sparse.metric, "random");
    assert_string_equal(c.optimizer, "sm3");
    assert_int_equal(*(long long *)sp_config_value(&c, "sparse.interval"), -1);
    sp_config_release(&c);
    load(&c, NEEDED "sparse: {method: spiel, growth: ma}\n", (const char *const[]){ "optimizer=adamw", NULL });
    assert_string_equal(*(char **)sp_config_value(&c, "sparse.growth"), "ag");
    assert_string_equal(c.optimizer, "adamw");
    sp_config_release(&c);
}

static void test_aliases(void **state)
{
    struct sp_config c;

    (void)state;
    load(&c,
         "base_model: m\nmicro_batch_size: 4\ncutoff_len: 64\niters: 9\nclip_grad_norm: 0\n"
         "warmup_ratio: 0.06\nnum_epochs: 2\nlr_scheduler: cosine\nsparse.count: 10\n",
         NULL);
    assert_string_equal(c.model_name_or_path, "m");
    assert_int_equal(c.per_device_train_batch_size, 4);
    assert_int_equal(c.max_seq_length, 64);
    assert_int_equal(c.max_steps, 9);
    assert_true(c.optim.max_grad_norm == 0 && c.warmup_steps == 0.06 && c.num_train_epochs == 2);
    assert_string_equal(c.lr_scheduler_type, "cosine");
    assert_int_equal(c.sparse.count, 10);
    sp_config_release(&c);
    refuse("warmup_ratio: 1.0\n", "c.yaml:1:15: warmup_steps: found \"1.0\"");
    refuse("micro_batch_size: 4\nper_device_train_batch_size: 8\n",
           "c.yaml:2:1: \"per_device_train_batch_size\" and the key on line 1 are both "
           "per_device_train_batch_size");
}

/* Of a long line the part around the caret is shown, cut between characters. */
static void test_long_line(void **state)
{
    char text[512] = "{output_dir: ", caret[128];
    size_t at = strlen(text);

    (void)state;
    for (int i = 0; i < 100; i++, at += 2)
        memcpy(text + at, "\xC3\xA9", 2);
    snprintf(text + at, sizeof text - at, ", seed: x}\n");
    snprintf(caret, sizeof caret, ", seed: x}\n    %64s^", "");
    refuse(text, caret);
    refuse(text, "c.yaml:1:122: seed: found \"x\"");
    refuse(text, "\n    \xC3\xA9");
}

/* Mistakes in the file, each with the words that must be said. */
static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "seed: 1\n" NEEDED "learning_rat: 1e-3\n", "c.yaml:3:1: unknown option \"learning_rat\"; did you mean "
                                                     "\"learning_rate\"?\n"
                                                     "    learning_rat: 1e-3\n    ^" },
        { "{output_dir: \xC3\xA9\xE6\x97\xA5, seed: x}\n",
          "c.yaml:1:24: seed: found \"x\", expected a whole number in [0, inf)\n"
          "    {output_dir: \xC3\xA9\xE6\x97\xA5, seed: x}\n                           ^" },
        { "xyzzy_plugh: 1\n", "c.yaml:1:1: unknown option \"xyzzy_plugh\"\n" },
        { "sparse:\n  densty: 1\n", "c.yaml:2:3: unknown option \"densty\" in sparse; did you mean \"density\"?\n"
                                    "      densty: 1\n      ^" },
        { "density: 1\n", "did you mean \"sparse.density\", in the block sparse?" },
        { "bf16: true\n", "\"bf16\" is not supported by this version" },
        { "save_steps: 5\n", "\"save_steps\" is not supported by this version" },
        { "learning_rate:  fast\n", "c.yaml:1:17: learning_rate: found \"fast\", expected a number in [0, 1000]\n"
                                    "    learning_rate:  fast\n                    ^" },
        { "learning_rate: -1\n", "found \"-1\", expected a number in [0, 1000]" },
        { "learning_rate: .nan\n", "found \".nan\"" },
        { "learning_rate: .inf\n", "found \".inf\"" },
        { "learning_rate: 1_0\n", "found \"1_0\"" },
        { "learning_rate: 0x1p3\n", "found \"0x1p3\"" },
        { "learning_rate: \"1e-5\"\n", "found the text \"1e-5\", expected a number in [0, 1000] "
                                       "without quotes" },
        { "learning_rate:\n  |\n  1e-5\n", "found the text \"1e-5" },
        { "max_steps: 1.5\n", "found \"1.5\", expected a whole number in [0, inf)" },
        { "max_steps: 1e3\n", "found \"1e3\", expected a whole number" },
        { "seed: 9223372036854775808\n", "found \"9223372036854775808\"" },
        { "seed: -1\n", "found \"-1\"" },
        { "seed:\n", "found nothing, expected a whole number" },
        { "seed: [1]\n", "found a list, expected a whole number" },
        { "seed: {a: 1}\n", "found a block of keys, expected a whole number" },
        { "shuffle: 1\n", "found \"1\", expected true or false" },
        { "shuffle: \"true\"\n", "expected true or false without quotes" },
        { "task: \"classify\"\n",
          "found the text \"classify\", expected one of auto, classification, regression, " },
        { "task: classify\n", "found \"classify\", expected one of auto, classification, "
                              "regression" },
        { "sparse: {metric: gradeint}\n", "did you mean gradient?" },
        { "sparse: {method: statics}\n", "expected one of static, dynamic, spiel, full, head" },
        { "sparse: {density: 0}\n", "found \"0\", expected a number in (0, 1]" },
        { "sparse: {density: 1.1}\n", "expected a number in (0, 1]" },
        { "adam_beta1: 1\n", "expected a number in [0, 1)" },
        { "sparse: gradient\n", "sparse: expected a block of keys" },
        { "sparse: {target_modules: []}\n", "found an empty list, expected a list of names" },
        { "sparse: {target_modules: [a, {b: c}]}\n", "expected a list of names" },
        { "sparse: {target_modules: 'a,,b'}\n", "expected a list of names" },
        { "output_dir: ''\n", "output_dir: found an empty text, expected a text" },
        { "seed: 1\nsparse:\n  count: 1\n  count: 2\n", "c.yaml:4:3: \"count\" stands here and on line 3" },
        { "seed: 1\nseed: 1\n", "c.yaml:2:1: \"seed\" stands here and on line 1" },
        { "sparse:\n  density: 0.1\n  rank_equivalent: 8\n", "c.yaml:3:3: density, rank_equivalent and count are one "
                                                             "budget: remove one" },
        { "sparse: {count: 5, density: 0.1}\n", "c.yaml:1:20: density, rank_equivalent and" },
        { "sparse:\n  method: head\n  count: 5\n", "c.yaml:3:3: a budget of positions" },
        { "sparse:\n  interval: 5\n", "c.yaml:2:3: sparse.interval means nothing without sparse.method: dynamic" },
        { "sparse:\n  method: dynamic\n  growth: ag\n", "c.yaml:3:3: sparse.growth means nothing without "
                                                        "sparse.method: spiel" },
        { "sparse:\n  method: spiel\n  on_drop: merge\n", "c.yaml:3:3: sparse.on_drop means nothing" },
        { "sparse:\n  method: spiel\n  metric: gradient\n", "c.yaml:3:3: method spiel starts from random positions" },
        { "sparse:\n  scope: global\n  method: spiel\n", "c.yaml:3:3: method spiel has the same share of each tensor" },
        { "sparse:\n  method: spiel\n  selection_accumulation_steps: 20\n", "c.yaml:3:3: 20 "
                                                                            "selection_accumulation_steps" },
        { "sparse:\n  method: spiel\n  reselection_steps: 4\n", "c.yaml:3:3: 5 selection_accumulation_steps" },
        { "optimizer: adamw\nsparse:\n  method: spiel\n  growth: ma\n", "c.yaml:4:3: growth ma reads SM3's "
                                                                        "accumulators" },
        { "optimizer: adam\n", "expected one of adamw, sm3" },
        { "sparse:\n  count: 5\n  method: full\n", "c.yaml:3:3: a budget of positions" },
        { "eval_steps: 5\n", "c.yaml:1:1: eval_steps means nothing without eval_strategy" },
        { "validation_file: v\neval_strategy: epoch\neval_steps: 5\n", "c.yaml:3:1: eval_steps contradicts" },
        { "warmup_steps: 1.5\n", "c.yaml:1:1: warmup_steps: expected whole steps" },
        { "label_column: a\ntext_column: a\n", "c.yaml:2:1: text_column and label_column name the same column\n" },
        { "text_column: '2'\ntext_pair_column: '2'\n", "c.yaml:2:1: text_column and text_pair_column name the same" },
        { "text_column: a\ntext_pair_column: b\nlabel_column: b\n", "c.yaml:3:1: text_pair_column and label_column" },
        { "prompt_column: a\ncompletion_column: a\n", "c.yaml:2:1: prompt_column and completion_column name the same" },
        { "text_column: a\nprompt_column: b\n", "c.yaml:2:1: text_column is for texts by themselves, and prompt" },
        { "task: causal_lm\ntext_pair_column: b\n", "text_pair_column is for two texts that have one label, not for" },
        { "task: regression\ncompletion_column: b\n", "completion_column is for prompts and their completions, not" },
        { "task: causal_lm\nlabel_smoothing_factor: 0.1\n", "c.yaml:2:1: label_smoothing_factor is for classes, not" },
        { "task: regression\nlabel_smoothing_factor: 0.1\n", "c.yaml:2:1: label_smoothing_factor is for classes" },
        { "label_smoothing_factor: 0.1\ntask: regression\n", "c.yaml:2:1: label_smoothing_factor is for classes" },
        { "seed: 1\n", "c.yaml: model_name_or_path is missing" },
        { "", "c.yaml: model_name_or_path is missing" },
        { "- a\n", "c.yaml:1:1: found a list, expected lines of \"key: value\"" },
        { "seed\n", "c.yaml:1:1: found a text, expected lines of" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse(cases[i].text, cases[i].expected);
}

static void test_malformed(void **state)
{
    static const char nul[] = "output_dir: a\0b\n", latin1[] = "seed: 1\noutput_dir: caf\xE9\n";

    (void)state;
    refuse("seed: 1\n\tshuffle: no\n", "c.yaml:2:1: not valid YAML: ");
    /* at the end of the text: its last line, and the caret behind it */
    refuse("seed: 1\noutput_dir: \"a\n", "c.yaml:2:15: not valid YAML: ");
    refuse("sparse: {count: 1\n\n", "c.yaml:1:18: not valid YAML: ");
    refuse("sparse: {count: 1\n", "\n    sparse: {count: 1\n                     ^");
    refuse("sparse:\n    count: 1\n  scope: tensor\n", "c.yaml:3:");
    refuse("learning_rate 1\nseed: 1\n", "c.yaml:2:5: not valid YAML: ");
    refuse("seed: 1\n---\nseed: 2\n", "c.yaml:2:1: found a second document");
    refuse("seed: &a 1\n", "c.yaml:1:7: found an anchor");
    refuse("seed: *a\n", "c.yaml:1:7: found an alias");
    refuse("&a seed: 1\n", "found an anchor");
    refuse("sparse: &a {count: 1}\n", "c.yaml:1:9: found an anchor");
    refuse("sparse: {target_modules: &a [q]}\n", "c.yaml:1:26: found an anchor");
    refuse("seed: !!int 1\n", "c.yaml:1:7: found a tag");
    refuse("? [a]\n: 1\n", "found a key that is not a name");
    refuse("output_dir: \"a\\0b\"\n", "found a text with a NUL character");
    refuse("[[[[[[[[[[[[[[[[[[[[", "c.yaml:1:17: nested too deeply");
    refuse_bytes(nul, sizeof nul - 1, NULL, "c.yaml:1:14: not valid YAML: control characters");
    refuse_bytes(latin1, sizeof latin1 - 1, NULL, "c.yaml:2:16: not valid YAML: ");
    refuse("output_dir: \"\\e[31m\"\nseed: x\n", "c.yaml:2:7");
    refuse("\"\\e[31m\": 1\n", "unknown option \"\\u001b[31m\""); /* nothing reaches a terminal raw */
}

static void test_limits(void **state)
{
    static const char head[] = "sparse:\n target_modules:\n", item[] = " - a\n";
    size_t length = 2 * SP_YAML_MAX_SIZE;
    char *text = malloc(length), *at;

    (void)state;
    assert_non_null(text);
    memset(text, '\n', length);
    refuse_bytes(text, length, NULL, "c.yaml is larger than the limit");
    memcpy(text, head, sizeof head - 1);
    at = text + sizeof head - 1;
    for (size_t i = 0; i <= SP_YAML_MAX_NODES; i++, at += sizeof item - 1)
        memcpy(at, item, sizeof item - 1);
    refuse_bytes(text, (size_t)(at - text), NULL, "more values than any configuration needs");
    refuse_bytes(text, sizeof head - 1 + 1001 * (sizeof item - 1), NULL,
                 "target_modules: more than 1000 names in a list");
    memset(text, '[', length / 2);
    refuse_bytes(text, length / 2, NULL, "nested too deeply");
    memset(text, 'k', length / 2);
    memcpy(text + 100000, ": 1\n", 4);
    refuse_bytes(text, 100004, NULL, "c.yaml:1:");
    free(text);
    refuse_bytes("a", 1, NULL, "expected lines");
    assert_int_equal(sp_config_load(&(struct sp_config){ 0 }, "absent.yaml", NULL, 0), SP_ECONFIG);
    assert_non_null(strstr(sp_error_message(), "cannot open absent.yaml"));
}

static void test_overrides(void **state)
{
    static const char text[] = NEEDED "seed: 1\nvalidation_file: v\neval_strategy: steps\n"
                                      "eval_steps: 3\nsparse:\n  rank_equivalent: 4\n";
    struct sp_config c;

    (void)state;
    load(&c, text,
         (const char *const[]){ "seed=7", "seed=8", "sparse.density=1e-2",
                                "sparse.target_modules=[query, key]", NULL });
    assert_int_equal(c.seed, 8);
    assert_true(c.sparse.density == 0.01 && c.sparse.rank_equivalent == -1);
    assert_string_equal(c.sparse.target_modules.items[1], "key");
    sp_config_release(&c);

    load(&c, text,
         (const char *const[]){ "sparse.method=head", "eval_strategy=no", "output_dir=a=b: #c",
                                "validation_file=null", NULL });
    assert_int_equal(c.sparse.rank_equivalent, -1);
    assert_int_equal(c.eval_steps, -1);
    assert_string_equal(c.output_dir, "a=b: #c");
    assert_null(c.validation_file);
    sp_config_release(&c);

    load(&c, text, (const char *const[]){ "sparse.rank_equivalent=null", NULL });
    assert_int_equal(c.sparse.rank_equivalent, 8); /* as if the file had not given any */
    sp_config_release(&c);

    load(&c, text,
         (const char *const[]){ "sparse.rank_equivalent=null", "sparse.count=5",
                                "sparse.target_modules=dense", NULL });
    assert_int_equal(c.sparse.count, 5);
    assert_int_equal(c.sparse.target_modules.count, 1);
    sp_config_release(&c);

    load(&c, NEEDED "label_smoothing_factor: 0.1\ntext_column: a\n",
         (const char *const[]){ "task=regression", "text_column=b", "label_column=a", NULL });
    assert_true(*(double *)sp_config_value(&c, "label_smoothing_factor") == 0);
    assert_string_equal(c.text_column, "b");
    sp_config_release(&c);
    load(&c, NEEDED "task: regression\nlabel_smoothing_factor: 0\nsparse: {method: full, metric: random}\n", NULL);
    sp_config_release(&c);

    /* all that is another task's gives way, not its first option alone */
    load(&c, NEEDED "prompt_column: a\ncompletion_column: b\n", (const char *const[]){ "task=regression", NULL });
    assert_null(*(char **)sp_config_value(&c, "prompt_column"));
    assert_null(*(char **)sp_config_value(&c, "completion_column"));
    sp_config_release(&c);
}

static void test_delimiter(void **state)
{
    static const struct {
        const char *line;
        char delimiter;
    } cases[] = {
        { "", '\0' },
        { "delimiter: auto\n", '\0' },
        { "delimiter: \";\"\n", ';' },
        { "delimiter: ';'\n", ';' },
        { "delimiter: tab\n", '\t' },
        { "delimiter: \"\\t\"\n", '\t' },
        { "delimiter: \\t\n", '\t' },
        { "delimiter: \"|\"\n", '|' },
        { "delimiter: ' '\n", ' ' },
        { "delimiter: comma\n", ',' },
        { "delimiter: semicolon\n", ';' },
        { "delimiter: pipe\n", '|' },
        { "delimiter: space\n", ' ' },
        { "delimiter: ;\n", ';' },
    };
    struct sp_config c;
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, NEEDED "%s", cases[i].line);
        load(&c, text, NULL);
        assert_int_equal(sp_config_delimiter(&c), cases[i].delimiter);
        sp_config_release(&c);
    }
    load(&c, NEEDED "delimiter: ';'\n", (const char *const[]){ "delimiter=,", NULL });
    assert_int_equal(sp_config_delimiter(&c), ',');
    sp_config_release(&c);
    refuse(NEEDED "delimiter: colon\n",
           "delimiter: found \"colon\", expected auto, comma, semicolon, pipe, space, tab or one character "
           "that is no quote");
    refuse(NEEDED "delimiter: '\"'\n", "space, tab or one character");
    refuse(NEEDED "delimiter: \xC2\xA6\n", "space, tab or one character");
}

/* Characters that are marks of YAML's, where a value is meant. */
static void test_lone_marks(void **state)
{
    static const char marks[] = "|>,%@`&*!-[{";
    char text[200], message[160];

    (void)state;
    for (size_t i = 0; marks[i]; i++) {
        snprintf(text, sizeof text, NEEDED "delimiter:  %c \n", marks[i]);
        snprintf(message, sizeof message,
                 ":13: found %c alone, which is a mark of YAML's; as a value it is written in quotes: '%c'\n    "
                 "delimiter:  %c",
                 marks[i], marks[i], marks[i]);
        refuse(text, message);
    }
    refuse(NEEDED "delimiter: |\nmax_steps: 3\n", ":12: found | alone");
    refuse(NEEDED "delimiter: ,\r\nmax_steps: 3\n", ":12: found , alone");
    refuse(NEEDED "train_file: %a\n", "found character that cannot start any token");
    refuse(NEEDED "delimiter: |\n  foo\n", "delimiter: found \"foo");
}

static void test_override_mistakes(void **state)
{
    static const struct {
        const char *overrides[OVERRIDES_MAX];
        const char *expected;
    } cases[] = {
        { { "learning_rate=fast" },
          "--set: learning_rate: found \"fast\", expected a number in "
          "[0, 1000]\n    learning_rate=fast\n                  ^" },
        { { "sparse.densty=1" },
          "--set: unknown option \"sparse.densty\"; did you mean "
          "\"sparse.density\"?" },
        { { "density=1" }, "did you mean \"sparse.density\", in the block sparse?" },
        { { "sparse=1" }, "sparse is a block" },
        { { "seed" }, "expected key=value" },
        { { "=1" }, "expected key=value" },
        { { "" }, "expected key=value" },
        { { "output_dir=\xFF" }, "found bytes that are not UTF-8" },
        { { "sparse.count=1", "sparse.density=1" }, "--set: density, rank_equivalent and count" },
        { { "sparse.target_modules=" },
          "nothing follows the '='; leave sparse.target_modules out for the default, auto" },
        { { "eval_strategy=epoch", "eval_steps=5" }, "--set: eval_steps contradicts" },
        { { "text_column=x", "label_column=x" },
          "--set: text_column and label_column name the same column\n    label_column=x" },
        { { "label_smoothing_factor=0.5", "task=regression" }, "--set: label_smoothing_factor is for classes" },
        { { "eval_steps=5" }, "--set: eval_steps means nothing without" },
        { { "model_name_or_path=null" }, "model_name_or_path is missing" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse_bytes(NEEDED "validation_file: v\n", strlen(NEEDED "validation_file: v\n"),
                     cases[i].overrides, cases[i].expected);
}

/* Without rows to evaluate on, an evaluation strategy is only said to be useless. */
static void test_evaluation_without_rows(void **state)
{
    struct sp_config c;

    (void)state;
    load(&c, NEEDED "validation_file: v\neval_strategy: steps\neval_steps: 3\n",
         (const char *const[]){ "validation_file=null", NULL });
    assert_int_equal(c.eval_strategy, SP_CONFIG_EVAL_NO);
    assert_int_equal(c.eval_steps, -1);
    sp_config_release(&c);
}

/* Blocks laid over each other: the later one goes before, in contradictions too; places are the block's own. */
static void test_layers(void **state)
{
    static const char *const texts[] = { NEEDED "seed: 1\nsparse: {rank_equivalent: 8, metric: random}\n",
                                         "seed: 2\nlogging_steps: 3\nsparse: {count: 5}\n", "sparse: {method: head}\n",
                                         "sead: 1\n" };
    static const char *const names[] = { "a", "b", "c", "d" };
    struct sp_source sources[4];
    struct sp_yaml_node blocks[4];
    struct sp_config_layer layers[4];
    struct sp_config c;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        sources[i] = (struct sp_source){ names[i], texts[i], strlen(texts[i]) };
        assert_int_equal(sp_yaml_parse(&blocks[i], &sources[i]), 0);
        layers[i] = (struct sp_config_layer){ &blocks[i], &sources[i] };
    }
    assert_int_equal(sp_config_load_layers(&c, "all", layers, 2, (const char *const[]){ "logging_steps=4" }, 1), 0);
    assert_int_equal(c.seed, 2);
    assert_int_equal(c.logging_steps, 4);
    assert_int_equal(c.sparse.count, 5);
    assert_int_equal(c.sparse.rank_equivalent, -1);
    assert_string_equal(c.sparse.metric, "random");
    assert_string_equal(c.source, "all");
    sp_config_release(&c);
    assert_int_equal(sp_config_load_layers(&c, "all", layers, 3, NULL, 0), 0);
    assert_string_equal(sp_config_method(&c)->name, "head");
    assert_int_equal(c.sparse.count, -1);
    sp_config_release(&c);
    assert_int_equal(sp_config_load_layers(&c, "all", layers, 4, NULL, 0), SP_ECONFIG);
    assert_non_null(strstr(sp_error_message(), "d:1:1: unknown option \"sead\"; did you mean \"seed\"?"));
    for (size_t i = 0; i < 4; i++)
        sp_yaml_release(&blocks[i]);
}

/* Writes, reads back, writes again: the same text, the same JSON. */
static void round_trip(const char *text, const char *const *overrides)
{
    struct sp_config a, b;
    struct sp_buf first = SP_BUF(1 << 16), second = SP_BUF(1 << 16);
    json_t *x, *y;

    load(&a, text, overrides);
    assert_int_equal(sp_config_write(&a, &first), 0);
    load(&b, first.data, NULL);
    assert_int_equal(sp_config_write(&b, &second), 0);
    assert_string_equal(first.data, second.data);
    assert_int_equal(sp_config_json(&a, &x), 0);
    assert_int_equal(sp_config_json(&b, &y), 0);
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
    sp_buf_free(&first);
    sp_buf_free(&second);
    sp_config_release(&a);
    sp_config_release(&b);
}

static void test_round_trip(void **state)
{
    static const char *const names[] = {
        "output_dir=null", "output_dir=true",       "output_dir=1e5", "output_dir=No",
        "output_dir=../x", "output_dir= a ",        "output_dir=a: b", "output_dir='q\"\\",
        "output_dir=#",    "output_dir=a\nb\t\x01", "output_dir=\xE6\x97\xA5 \xE2\x80\xA8 \xC2\x85",
        "output_dir=2024-01-01", "output_dir=.inf", "output_dir=~", "output_dir=- x",
        "delimiter=\t",   "delimiter=,",           "delimiter=|",    "delimiter= ",   "delimiter=#",    "delimiter='",
        "output_dir=\xEF\xBB\xBF\xEF\xBF\xBE\xF0\x9F\x98\x80",
    };

    (void)state;
    round_trip(NEEDED, NULL);
    round_trip(NEEDED "sparse: {method: full}\nlearning_rate: 0.1\nadam_epsilon: 1e-30\n", NULL);
    round_trip(NEEDED "sparse: {method: dynamic, on_drop: revert}\n", NULL);
    round_trip(NEEDED "sparse: {method: spiel, growth: ma, drop: delta_change}\n", NULL);
    round_trip(NEEDED "sparse: {method: head}\ndropout: 0\nseed: 9223372036854775807\n", NULL);
    round_trip(NEEDED "sparse: {density: 0.0123456789012345678, target_modules: ['a b', '1']}\n"
                      "validation_file: v\neval_strategy: steps\nweight_decay: 1e+2\n",
               NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        round_trip(NEEDED, (const char *const[]){ names[i], NULL });
}

static void test_written_form(void **state)
{
    struct sp_buf text = SP_BUF(1 << 16);
    struct sp_config c;
    json_t *json;

    (void)state;
    load(&c, NEEDED "dropout: 0.1\nlearning_rate: 5e-5\n", NULL);
    assert_int_equal(sp_config_write(&c, &text), 0);
    assert_non_null(strstr(text.data, "\nlearning_rate: 5.0e-05\n")); /* a float in YAML 1.1 */
    assert_non_null(strstr(text.data, "\neval_strategy: \"no\"\n"));  /* not false */
    assert_non_null(strstr(text.data, "\nvalidation_file: null\n"));
    assert_non_null(strstr(text.data, "\nsparse:\n  method: static\n"));
    assert_non_null(strstr(text.data, "\n  target_modules: [auto]\n"));
    assert_int_equal(sp_config_json(&c, &json), 0);
    assert_true(json_real_value(json_object_get(json, "dropout")) == 0.1);
    assert_true(json_is_null(json_object_get(json, "output_dir")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(json, "sparse"), "rank_equivalent")), 8);
    json_decref(json);
    sp_buf_free(&text);
    sp_config_release(&c);
}

static void test_files_beside(void **state)
{
    static const char text[] = NEEDED "train_file: rows.tsv\nvalidation_file: other.tsv\n";
    struct sp_config c;

    (void)state;
    assert_int_equal(sp_fs_mkdirs("sub"), 0);
    assert_int_equal(sp_fs_write("sub/rows.tsv", "", 0), 0);
    assert_int_equal(sp_fs_write("sub/c.yaml", text, strlen(text)), 0);
    assert_int_equal(sp_config_load(&c, "sub/c.yaml", NULL, 0), 0);
    assert_string_equal(c.train_file, "sub/rows.tsv");
    assert_string_equal(c.validation_file, "other.tsv"); /* nowhere: as written, for the message */
    assert_string_equal(c.model_name_or_path, "m");
    assert_int_equal(sp_config_require(&c, "train_file"), 0);
    assert_int_equal(sp_config_require(&c, "output_dir"), SP_ECONFIG);
    assert_non_null(strstr(sp_error_message(), "sub/c.yaml: output_dir is missing"));
    sp_config_release(&c);

    assert_int_equal(sp_fs_write("rows.tsv", "", 0), 0);
    assert_int_equal(sp_config_load(&c, "sub/c.yaml", NULL, 0), 0);
    assert_string_equal(c.train_file, "rows.tsv"); /* the current directory goes first */
    sp_config_release(&c);
    assert_int_equal(unlink("rows.tsv"), 0);

    assert_int_equal(
        sp_config_load(&c, "sub/c.yaml", (const char *const[]){ "train_file=rows.tsv" }, 1), 0);
    assert_string_equal(c.train_file, "rows.tsv"); /* a flag is the current directory's */
    sp_config_release(&c);
}

/* What the release ships loads, and what it says of paths holds. */
static void test_shipped(void **state)
{
    static const char *const names[] = { "quickstart.yaml", "quickstart-lm.yaml", "presets/sst2.yaml",
                                         "presets/rte.yaml", "presets/stsb.yaml" };
    static const char *const papers[] = { "speft-static", "speft-dynamic", "spiel-ag", "spiel-ma" };

    (void)state;
    for (size_t i = 0; i < sizeof papers / sizeof papers[0]; i++) { /* for a model and rows of the user's */
        char *shipped = sp_asprintf("%s/configs/presets/%s.yaml", source_folder, papers[i]);
        struct sp_config c;

        if (sp_config_load(&c, shipped, (const char *const[]){ "model_name_or_path=m" }, 1) < 0)
            fail_msg("%s", sp_error_message());
        assert_int_equal(c.seed, 42);
        assert_null(c.train_file);
        sp_config_release(&c);
        free(shipped);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *shipped = sp_asprintf("%s/configs/%s", source_folder, names[i]);
        struct sp_config c;

        if (sp_config_load(&c, shipped, NULL, 0) < 0)
            fail_msg("%s", sp_error_message());
        assert_int_equal(sp_config_require(&c, "train_file"), 0);
        assert_int_equal(sp_config_require(&c, "validation_file"), 0);
        assert_int_equal(sp_config_require(&c, "output_dir"), 0);
        if (i < 2) /* its data lie beside it */
            assert_true(sp_fs_exists(c.train_file) && sp_fs_exists(c.validation_file));
        sp_config_release(&c);
        free(shipped);
    }
}

/* Every entry of the table is described, and its default is one it would accept. */
static void test_table(void **state)
{
    const struct sp_option_table *t = sp_config_options();
    struct sp_buf help = SP_BUF(1 << 17), man = SP_BUF(1 << 17);

    (void)state;
    assert_int_equal(sp_option_write_help(t, &help), 0);
    assert_int_equal(sp_option_write_man(t, &man), 0);
    for (size_t i = 0; i < sp_option_count(t); i++) {
        const struct sp_option *o = sp_option_at(t, i);
        char *override = sp_asprintf("%s=%s", o->key, o->initial ? o->initial : "null");
        struct sp_config c;

        assert_int_equal(sp_config_load(&c, NULL, (const char *const[]){ override }, 1), 0);
        sp_config_release(&c);
        free(override);
        assert_true(o->initial || o->unset);
        assert_non_null(strstr(help.data, o->key));
        assert_non_null(strstr(man.data, o->key));
        assert_int_equal(sp_option_index(t, o->key), i);
    }
    for (size_t i = 0; i < t->alias_count; i++) {
        assert_true(sp_option_index(t, t->aliases[i].key) < sp_option_count(t));
        assert_int_equal(sp_option_index(t, t->aliases[i].name), sp_option_count(t));
    }
    for (const char *line = help.data; (line = strchr(line, '\n')); line++)
        assert_true(strcspn(line + 1, "\n") <= 100);
    sp_buf_free(&help);
    sp_buf_free(&man);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_values),
        cmocka_unit_test(test_methods), cmocka_unit_test(test_aliases),     cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_malformed),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_delimiter),   cmocka_unit_test(test_lone_marks),
        cmocka_unit_test(test_overrides),   cmocka_unit_test(test_override_mistakes),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_written_form),
        cmocka_unit_test(test_files_beside), cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_table),       cmocka_unit_test(test_evaluation_without_rows),
        cmocka_unit_test(test_layers),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
