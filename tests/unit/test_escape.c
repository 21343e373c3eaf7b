/* What of a text that came from elsewhere is shown. */
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/source.h"
#include "runtime/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void shown(const char *text, size_t length, const char *expected)
{
    struct sp_buf out = SP_BUF(1000);

    assert_int_equal(sp_text_escape(&out, text, length), 0);
    assert_string_equal(out.data, expected);
    sp_buf_free(&out);
}

#define SHOWN(text, expected) shown(text, sizeof text - 1, expected)

static void test_escape(void **state)
{
    (void)state;
    SHOWN("plain, \"quoted\", back\\slash ~", "plain, \"quoted\", back\\slash ~");
    SHOWN("\x1B[31m\a\b\t\n\v\f\r\0!\x7F", "\\u001b[31m\\u0007\\b\\t\\n\\u000b\\f\\r\\u0000!\\u007f");
    SHOWN("\xC2\x80\xC2\x85\xC2\x9F\xC2\xA0", "\\u0080\\u0085\\u009f\xC2\xA0");
    SHOWN("\xE2\x80\xAE\xE2\x80\xA8\xE2\x80\xA9\xE2\x81\xA6\xE2\x81\xA9\xE2\x80\x8B\xE2\x80\x8E\xD8\x9C\xEF\xBB\xBF",
          "\\u202e\\u2028\\u2029\\u2066\\u2069\\u200b\\u200e\\u061c\\ufeff");
    SHOWN("\xF3\xA0\x80\x81", "\\udb40\\udc01");
    SHOWN("\x9B" "1\xFF\xC3\xED\xA0\x80\xE2\x82", "\\x9b1\\xff\\xc3\\xed\\xa0\\x80\\xe2\\x82");
    /* a joiner holds two signs together */
    SHOWN("\xC3\xA9\xE2\x82\xAC\xE6\x9D\xB1\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
          "\xC3\xA9\xE2\x82\xAC\xE6\x9D\xB1\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB");
}

/* Blanks of every kind go from both ends, and in a name between others each is told from the plain one. */
static void test_blanks(void **state)
{
    char text[] = "\xEF\xBB\xBF \t\xC2\xA0\xE3\x80\x80"
                  "a\xC2\xA0 b\xE2\x80\xAF\xC3\xA9\v\xE2\x80\x8B\xC2\x85\r\n",
         all[] = " \xC2\xA0\xE2\x80\x87";
    char none[] = "\xA0" "a\xC2 "; /* no UTF-8: left alone */
    struct sp_buf out = SP_BUF(1000);

    (void)state;
    sp_text_trim(text);
    assert_string_equal(text, "a\xC2\xA0 b\xE2\x80\xAF\xC3\xA9");
    assert_int_equal(sp_text_escape_name(&out, text), 0);
    assert_string_equal(out.data, "a\\u00a0 b\\u202f\xC3\xA9");
    sp_buf_free(&out);
    assert_false(sp_text_is_blank(text, strlen(text)));
    assert_true(sp_text_is_blank(all, strlen(all)));
    assert_true(sp_text_is_blank(NULL, 0));
    sp_text_trim(all);
    assert_string_equal(all, "");
    sp_text_trim(none);
    assert_string_equal(none, "\xA0" "a\xC2");
}

static void test_message(void **state)
{
    static const char text[] = "a\n    b\nc\n d\n";
    struct sp_buf out = SP_BUF(1000);
    char one[SP_TEXT_SHOWN];

    (void)state;
    for (size_t at = 0, taken; at < sizeof text - 1; at += taken) {
        size_t length = sp_text_show_message(one, &taken, text + at, sizeof text - 1 - at);

        assert_int_equal(sp_buf_append(&out, one, length), 0);
    }
    assert_string_equal(out.data, "a\n    b\\nc\\n d\\n");
    sp_buf_free(&out);
}

/* The sentence is of one line, and the caret stands under its column. */
static void test_source(void **state)
{
    static const char text[] = "a\x1B\xC2\x85\xE2\x80\xAE" "b: c";
    const struct sp_source source = { "f", text, sizeof text - 1 };

    (void)state;
    assert_int_equal(sp_source_error(SP_ECONFIG, &source, (struct sp_place){ 1, 5 }, "x\n  y\x1B"), SP_ECONFIG);
    assert_string_equal(sp_error_message(), "f:1:5: x\\n  y\\u001b\n    a   b: c\n        ^");
}

static void test_json(void **state)
{
    json_t *value = json_pack("{s:s, s:[i]}", "\x7F\xC2\x9B", "\x1B\n\xE2\x80\xAE\xF3\xA0\x80\x81\xC3\xA9", "n", 1),
           *again;
    char *text = sp_json_text(value, JSON_COMPACT), *lines = sp_json_text(value, JSON_INDENT(1));

    (void)state;
    assert_string_equal(text, "{\"\\u007f\\u009b\":\"\\u001B\\n\\u202e\\udb40\\udc01\xC3\xA9\",\"n\":[1]}");
    again = json_loads(lines, 0, NULL);
    assert_true(json_equal(again, value));
    assert_non_null(strchr(lines, '\n'));
    json_decref(again);
    json_decref(value);
    free(text);
    free(lines);
}

/* UTF-8's mark is passed over, only where it is whole and first; UTF-16's, in both orders, is refused. */
static void test_mark(void **state)
{
    (void)state;
    assert_int_equal(sp_text_mark("\xEF\xBB\xBF", 3), 3);
    assert_int_equal(sp_text_mark("\xEF\xBB\xBF", 2), 0);
    assert_int_equal(sp_text_mark("a\xEF\xBB\xBF", 4), 0);
    assert_int_equal(sp_text_refuse_utf16("f", "\xEF\xBB\xBF", 3), 0);
    assert_int_equal(sp_text_refuse_utf16("f", "\xFF", 1), 0);
    assert_int_equal(sp_text_refuse_utf16("f", "\xFF\xFE", 2), SP_EFORMAT);
    assert_int_equal(sp_text_refuse_utf16("f", "\xFE\xFF", 2), SP_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
