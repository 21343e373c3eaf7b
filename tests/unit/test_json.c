/* JSON: numbers that jansson has no value for do not matter until they are asked for, and faults are shown where they
 * are. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(json_t **out, const char *text)
{
    return sp_json_parse(out, text, strlen(text), "f", 3, false);
}

static json_t *parsed(const char *text)
{
    json_t *value;

    if (parse(&value, text) < 0)
        fail_msg("%s", sp_error_message());
    return value;
}

/* What Python's json.dumps writes, and numbers of any size, beside those that a program needs. */
static void test_numbers_kept(void **state)
{
    static const struct {
        const char *spelt;
        double value; /* 0 for a number that is no finite double */
    } numbers[] = {
        { "NaN", 0 }, { "Infinity", 0 }, { "-Infinity", 0 }, { "1e400", 0 }, { "-1.5E+999", 0 },
        { "1000000000000000019884624838656", 1e30 }, { "9223372036854775808", 9223372036854775808.0 },
        { "-9223372036854775809", -9223372036854775808.0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[200], expected[100];
        const char *word = "as it was";
        double real = 7;
        long long integer = 7;
        int flag = 7;
        json_t *object;

        snprintf(text, sizeof text, "{\"a\":%s,\"b\":[12,%s,-0.5e1],\"NaN \\\"1e400\":\"\\\\\"}", numbers[i].spelt,
                 numbers[i].spelt);
        object = parsed(text);
        assert_string_equal(sp_json_number_text(json_object_get(object, "a")), numbers[i].spelt);
        assert_false(sp_json_is_object(json_object_get(object, "a")));
        assert_true(sp_json_is_object(object));
        assert_string_equal(sp_json_number_text(json_array_get(json_object_get(object, "b"), 1)), numbers[i].spelt);
        assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "b"), 0)), 12);
        assert_true(json_real_value(json_array_get(json_object_get(object, "b"), 2)) == -5);
        assert_string_equal(json_string_value(json_object_get(object, "NaN \"1e400")), "\\");
        snprintf(expected, sizeof expected, "f: \"a\" is %s, which is not", numbers[i].spelt);
        io_assert_error(sp_json_get_int(&integer, object, "a", "f"), SP_EFORMAT, expected, "an integer of 64 bits",
                        NULL);
        io_assert_error(sp_json_get_string(&word, object, "a", "f"), SP_EFORMAT, expected, "a string", NULL);
        io_assert_error(sp_json_get_bool(&flag, object, "a", "f"), SP_EFORMAT, expected, "true or false", NULL);
        assert_int_equal(integer + flag, 14);
        if (numbers[i].value != 0) {
            assert_int_equal(sp_json_get_double(&real, object, "a", "f"), 0);
            assert_true(real == numbers[i].value);
        } else {
            io_assert_error(sp_json_get_double(&real, object, "a", "f"), SP_EFORMAT, expected, "a double", NULL);
        }
        json_decref(object);
    }
}

static void test_numbers_held(void **state)
{
    json_t *list = parsed("[9223372036854775807, -9223372036854775808, 1e308, 1e-999, {\"a\": 1}, \"NaN\"]");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++)
        assert_null(sp_json_number_text(json_array_get(list, i)));
    assert_true(json_integer_value(json_array_get(list, 0)) == 9223372036854775807LL);
    json_decref(list);
    list = parsed("NaN");
    assert_string_equal(sp_json_number_text(list), "NaN");
    json_decref(list);
}

/* Half an emoji, which Python's json.dumps writes of a text that was cut, does not matter until the text is asked
 * for. */
static void test_cut_texts(void **state)
{
    static const char *const texts[][2] = {
        { "\"\\ud83d\"", "\357\277\275" },
        { "\"a\\uD83D\\ude00\\uDE00b\"", "a\360\237\230\200\357\277\275b" },
        { "\"\\\\\\ud83d\\\"\\ud83d\\u0041\"", "\\\357\277\275\"\357\277\275A" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[200];
        const char *word = NULL;
        json_t *object;

        snprintf(text, sizeof text, "{\"a\":[1,%s ],\"b\":%s,\"c\":\"\\\\ud83d\",\"d\":NaN}", texts[i][0], texts[i][0]);
        object = parsed(text);
        assert_string_equal(sp_json_cut_text(json_object_get(object, "b")), texts[i][1]);
        assert_string_equal(sp_json_cut_text(json_array_get(json_object_get(object, "a"), 1)), texts[i][1]);
        assert_false(sp_json_is_object(json_object_get(object, "b")));
        assert_null(sp_json_cut_text(json_object_get(object, "d")));
        assert_int_equal(sp_json_get_string(&word, object, "c", "f"), 0);
        assert_string_equal(word, "\\ud83d");
        io_assert_error(sp_json_get_string(&word, object, "b", "f"), SP_EFORMAT, "f: \"b\" holds half a character",
                        NULL);
        json_decref(object);
    }
}

/* So it is with keys, which stay apart. */
static void test_cut_keys(void **state)
{
    json_t *object = parsed("{\"\\ud83d\": 1, \"a\\uD83E\" : \"x\", \"\\ud83e\\ud83d\\ude00\": [{\"\\udc00\": NaN}], "
                            "\"b\": \"\\ud83d\"}");

    (void)state;
    assert_int_equal(json_object_size(object), 4);
    assert_int_equal(json_integer_value(json_object_get(object, "\\ud83d")), 1);
    assert_string_equal(json_string_value(json_object_get(object, "a\\ud83e")), "x");
    json_decref(object);
    object = parsed("{\"\\ud83e\\ud83d\\ude00\": 5}");
    assert_int_equal(json_integer_value(json_object_get(object, "\\ud83e\360\237\230\200")), 5);
    json_decref(object);
}

/* A number that is kept hides no other fault, and the place of one is that in the file. */
static void test_faults_beside(void **state)
{
    static const char *const texts[][2] = {
        { "{\"a\": NaN, \"b\": }", "f:3:17: not valid JSON" },
        { "{\"a\": 1000000000000000019884624838656,\n \"b\": Infinity, c}", "f:4:17: not valid JSON" },
        { "{\"a\": -Infinity, \"b\": 1, \"b\": 2}", "f:3:28: JSON with a key twice" },
        { "{\"a\": NaN, \"b\": \"\\u0000\"}", "f:3:24: JSON with a NUL character" },
        { "{\"a\": NaN, \"b", "f:3:13: not valid JSON" },
        { "{NaN: 1}", "f:3:2: not valid JSON" },
        { "{\"a\": \"\\ud83d\", \"b\": }", "f:3:22: not valid JSON" },
        { "{\"\\ud83d\" : 1, c}", "f:3:16: not valid JSON" }, { "{\"\\ud83d\" : 1, \"\\uD83D\": 2}",
        "f:3:23: JSON with a key twice" }, { "[\"\\ud83d", "not valid JSON" }, { "[\"\\ud83", "not valid JSON" },
        { "[nan]", "not valid JSON" }, { "[-NaN]", "not valid JSON" }, { "[NaN1]", "not valid JSON" },
        { "[1e400e]", "not valid JSON" }, { "[0-1e400]", "not valid JSON" }, { "[1 NaN]", "not valid JSON" },
        { "[099999999999999999999]", "not valid JSON" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *value;

        io_assert_error(parse(&value, texts[i][0]), SP_EFORMAT, texts[i][1], NULL);
        assert_null(value);
    }
}

/* Each that is kept takes memory: as many as a hostile file likes are refused. */
static void test_numbers_without_end(void **state)
{
    enum { COUNT = 200000 };
    char *text = malloc((size_t)COUNT * 4 + 2);
    json_t *value;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(text + 4 * i, i ? ",NaN" : "[NaN", 4);
    memcpy(text + (size_t)COUNT * 4, "]", 2);
    io_assert_error(parse(&value, text), SP_ELIMIT, "f holds more than 100000 numbers", NULL);
    assert_null(value);
    free(text);
}

/* What a file holds itself is never taken for what was kept. */
static void test_own_objects(void **state)
{
    static const char *const taken[] = {
        "{\"\\u0001number\": \"5\"}", "[1, {\"a\": {\"\\u0001\\u006eumber\": \"x\"}}]",
        "{\"a\": [NaN, {\"\\u0001string\": \"x\"}]}",
    };
    json_t *value = parsed("[{\"(number)\": \"5\"}, {\"(string)\": \"a\"}, {\"number\": \"5\"}, NaN, "
        "{\"\\u0001number\": 5}]");

    (void)state;
    for (size_t i = 0; i < json_array_size(value); i++) {
        assert_int_equal(sp_json_is_object(json_array_get(value, i)), i != 3);
        assert_int_equal(sp_json_number_text(json_array_get(value, i)) != NULL, i == 3);
        assert_null(sp_json_cut_text(json_array_get(value, i)));
    }
    json_decref(value);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        io_assert_error(parse(&value, taken[i]), SP_EFORMAT,
                        "f:3: an object whose one key is \\u0001number or \\u0001string, which", NULL);
        assert_null(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_kept),
        cmocka_unit_test(test_numbers_held),
        cmocka_unit_test(test_cut_texts),
        cmocka_unit_test(test_cut_keys),
        cmocka_unit_test(test_faults_beside),
        cmocka_unit_test(test_numbers_without_end),
        cmocka_unit_test(test_own_objects),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
