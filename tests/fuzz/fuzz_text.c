/*
 * Mutated definitions of a tokenizer, and patterns by chance: whatever they are, loading ends in an error with a
 * message or in a tokenizer that encodes a text and decodes what came of it. Seeds are fixed, so a failure repeats;
 * SPEFT_FUZZ_ROUNDS asks for more rounds than the default, which takes about two seconds.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/rng.h"
#include "runtime/text/tokenizer.h"
#include "tests/unit/bpe_definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 1500 /* of each kind */

static uint64_t draws;

static size_t draw(size_t below)
{
    return (size_t)(sp_rng_u64(11, SP_RNG_SHUFFLE, 0, draws++) % below);
}

static size_t rounds(void)
{
    const char *asked = getenv("SPEFT_FUZZ_ROUNDS");

    return asked ? (size_t)strtoul(asked, NULL, 10) : ROUNDS;
}

/* Whether the definition is one. */
static bool use(const json_t *json, bool skip)
{
    static const char text[] = "hello w\303\251 12 <s> hehe\360\237\230\200 </s>A_\r\n";
    struct sp_encoding encoding = { 0 };
    struct sp_buf out = SP_BUF(1 << 16);
    struct sp_tokenizer *tokenizer;

    if (sp_tokenizer_make(&tokenizer, json, NULL, "fuzz") < 0) {
        assert_true(strlen(sp_error_message()) > 10);
        return false;
    }
    if (sp_tokenizer_encode(&encoding, tokenizer, text, strlen(text), "a", 1, 0) == 0)
        assert_int_equal(sp_tokenizer_decode(&out, tokenizer, encoding.ids, encoding.length, skip), 0);
    sp_buf_free(&out);
    sp_encoding_free(&encoding);
    sp_tokenizer_free(tokenizer);
    return true;
}

static void test_definitions(void **state)
{
    static const char bytes[] = "\"{}[],:0-e\377 a\\*?+(|)$^.p19";
    size_t accepted = 0;

    (void)state;
    for (size_t i = 0; i < rounds(); i++) {
        char text[sizeof definition];
        json_t *json;

        memcpy(text, definition, sizeof text);
        for (size_t j = 0; j <= i % 3; j++)
            text[draw(sizeof text - 1)] = bytes[draw(sizeof bytes - 1)];
        if (sp_json_parse(&json, text, sizeof text - 1, "fuzz", 1, false) == 0) {
            accepted += use(json, i % 2);
            json_decref(json);
        }
    }
    /* else the damage is too great, or too small */
    assert_in_range(accepted, rounds() / 50, rounds() - rounds() / 50);
}

/* A few pieces of patterns in a row. */
static void test_patterns(void **state)
{
    static const char *const pieces[] = {
        "a", "\\d", "\\w", "\\p{L}", "\\P{N}", "\\s", "[", "]", "[^", "a-z", "&&", "(", ")", "(?:", "(?i:", "(?i)",
        "(?=",
        "(?<!", "(?>", "|", "*", "+", "?", "{1,3}", "{2}", "{,2}", "{", "}", "^", "$", ".", "\\b", "\\A", "\\R", "\\",
        "\\x{e9}", "\\u00e9", "[[:alpha:]]", "-", "\303\251", "(?#", "(?<n>", "\\p{^Lu}", "l", "o", " ",
    };
    json_t *json, *pattern;
    size_t accepted = 0;

    (void)state;
    assert_int_equal(sp_json_parse(&json, definition, strlen(definition), "fuzz", 1, false), 0);
    pattern = json_object_get(
        json_array_get(json_object_get(json_object_get(json, "pre_tokenizer"), "pretokenizers"), 0), "pattern");
    for (size_t i = 0; i < rounds(); i++) {
        char text[256] = "";
        size_t length = 0, count = 1 + draw(8);

        for (size_t j = 0; j < count; j++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s",
                                       pieces[draw(sizeof pieces / sizeof *pieces)]);
        json_object_set_new(pattern, "Regex", json_string(text));
        accepted += use(json, false);
    }
    assert_in_range(accepted, rounds() / 50, rounds() - rounds() / 50);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests_name("fuzz_text", tests, NULL, NULL);
}
