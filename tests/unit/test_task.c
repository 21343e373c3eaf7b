/* The list of tasks: that their descriptors hold together, and what an adapter may say of them. */
#include "runtime/base/error.h"
#include "runtime/train/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_descriptors(void **state)
{
    const struct sp_run run = { .config = NULL };

    (void)state;
    for (size_t i = 0; sp_tasks[i]; i++) {
        const struct sp_task *t = sp_tasks[i];

        assert_ptr_equal(sp_task_find(t->name), t);
        assert_in_range(t->score_count, 1, SP_TASK_SCORES);
        for (size_t k = 0; k < t->score_count; k++) {
            assert_ptr_equal(sp_task_score(t, t->scores[k].name), &t->scores[k]);
            /* no two tasks have one of the same name */
            assert_ptr_equal(sp_task_score(NULL, t->scores[k].name), &t->scores[k]);
        }
    }
    assert_null(sp_task_find("sorting"));
    assert_string_equal(sp_task_of_labels(&run, SP_LABELS_CLASSES)->name, "classification");
    assert_string_equal(sp_task_of_labels(&run, SP_LABELS_VALUES)->name, "regression");
    assert_null(sp_task_of_labels(&run, SP_LABELS_NONE));
    assert_string_equal(sp_task_of_head(1, NULL)->name, "regression");
    assert_string_equal(sp_task_of_head(2, NULL)->name, "classification");
    for (size_t outputs = 1; outputs < 3; outputs++) { /* what a head is for is the tasks' to judge */
        json_t *tokens = json_pack("{s:[s]}", "architectures", "BertForTokenClassification");
        json_t *numbers = json_pack("{s:s}", "problem_type", "regression");

        assert_null(sp_task_of_head(outputs, tokens));
        assert_ptr_equal(sp_task_of_head(outputs, numbers), outputs == 1 ? sp_task_find("regression") : NULL);
        json_decref(tokens);
        json_decref(numbers);
    }
    assert_true(sp_task_score(NULL, "loss")->lower_is_better && sp_task_score(sp_task_find("classification"), "loss"));
    assert_true(sp_task_score(NULL, "mse")->lower_is_better);
    assert_false(sp_task_score(NULL, "accuracy")->lower_is_better);
    assert_null(sp_task_score(sp_task_find("classification"), "mse"));
    assert_null(sp_task_score(NULL, "bleu"));
}

static int recall(const char *task, json_t *labels)
{
    static char dir[] = "a";
    const struct sp_adapter adapter = { .task = task, .labels = labels, .dir = dir };
    struct sp_run run = { .adapter = &adapter };
    int rc = sp_task_recall(&run);

    if (rc == 0)
        assert_string_equal(run.task->name, task);
    json_decref(labels);
    return rc;
}

static void refuses(int rc, const char *why)
{
    assert_int_equal(rc, SP_EFORMAT);
    assert_string_equal(sp_error_message(), why);
}

static void test_recall(void **state)
{
    (void)state;
    assert_int_equal(recall("classification", json_pack("[s, s]", "a", "b")), 0);
    assert_int_equal(recall("regression", NULL), 0);
    refuses(recall("classification", NULL),
            "a/adapter.json: \"labels\" is not an array of at least two, as classification needs");
    refuses(recall("regression", json_pack("[s, s]", "a", "b")),
            "a/adapter.json: \"labels\" is not null, as regression needs");
    refuses(recall("causal_lm", json_pack("[s, s]", "a", "b")),
            "a/adapter.json: \"labels\" is not null, as causal_lm needs");
    assert_int_equal(recall("sorting", NULL), SP_EFORMAT); /* each one of the list is named */
    assert_non_null(
        strstr(sp_error_message(), "a/adapter.json: \"task\" is \"sorting\"; classification or regression or "));
}

static void test_score_text(void **state)
{
    char text[SP_SCORE_TEXT];

    (void)state;
    assert_string_equal(sp_score_text(text, 0.12345), "0.1235");
    assert_string_equal(sp_score_text(text, -999999), "-999999.0000");
    assert_string_equal(sp_score_text(text, 6.24999e36), "6.25e+36");
    assert_string_equal(sp_score_text(text, 1e6), "1e+06");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_score_text),
    };

    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
