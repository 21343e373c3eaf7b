/* GGUF files: what is read of a good one, and one sentence for everything that can be wrong with another. */
#include "tests/unit/gguf_files.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/io/gguf.h"

#include <stdlib.h>
#include <string.h>

static const char *const words[] = { "a", "", "word" };
static const int32_t whole[] = { 3, -1 };
static const float floats[] = { 0.5f, -2 };

/* A file with some of everything. */
static void sample(struct gguf_file *file)
{
    uint64_t wide = (uint64_t)1 << 40;
    int64_t negative = -5;
    double fraction = 0.1;

    gguf_begin(file, "llama");
    gguf_int(file, "llama.block_count", 2);
    gguf_float(file, "eps", 1e-5f);
    gguf_bool(file, "yes", true);
    gguf_raw(file, "wide", 10, &wide, 8);
    gguf_raw(file, "negative", 11, &negative, 8);
    gguf_raw(file, "fraction", 12, &fraction, 8);
    gguf_raw(file, "byte", 1, "\xff", 1);
    gguf_raw(file, "short", 2, "\x01\xff", 2);
    gguf_texts(file, "words", words, 3);
    gguf_ints(file, "whole", whole, 2);
    gguf_floats(file, "floats", floats, 2);
    gguf_ramp(file, "w", 2, 3, 1);
    gguf_ramp(file, "b", 5, 0, 0.5f);
}

static void test_good(void **state)
{
    struct sp_gguf_text text = { NULL, 0 };
    struct sp_gguf_array array;
    struct gguf_file made;
    struct sp_gguf *file;
    long long integer = 7;
    double number = 0;
    float values[6];
    bool yes = false;
    char shape[SP_SHAPE_TEXT];

    (void)state;
    sample(&made);
    made.version = 2;
    assert_int_equal(sp_gguf_open(&file, gguf_end(&made, "m.gguf")), 0);
    assert_true(sp_gguf_is(io_path("m.gguf")));
    assert_int_equal(sp_gguf_keys(file), 12);
    assert_memory_equal(sp_gguf_key(file, 1).data, "llama.block_count", sp_gguf_key(file, 1).length);
    assert_true(sp_gguf_has(file, "eps") && !sp_gguf_has(file, "ep") && !sp_gguf_has(file, "epsi"));
    assert_int_equal(sp_gguf_get_int(&integer, file, "none"), 0);
    assert_int_equal(integer, 7);
    assert_int_equal(sp_gguf_get_int(&integer, file, "llama.block_count"), 0);
    assert_int_equal(integer, 2);
    assert_int_equal(sp_gguf_get_int(&integer, file, "wide"), 0);
    assert_true(integer == 1LL << 40);
    assert_int_equal(sp_gguf_get_int(&integer, file, "negative"), 0);
    assert_int_equal(integer, -5);
    assert_int_equal(sp_gguf_get_int(&integer, file, "byte"), 0);
    assert_int_equal(integer, -1);
    assert_int_equal(sp_gguf_get_int(&integer, file, "short"), 0);
    assert_int_equal(integer, 0xff01);
    assert_int_equal(sp_gguf_get_double(&number, file, "eps"), 0);
    assert_true(number == 1e-5); /* and not 9.9999997e-06 */
    assert_int_equal(sp_gguf_get_double(&number, file, "fraction"), 0);
    assert_true(number == 0.1);
    assert_int_equal(sp_gguf_get_double(&number, file, "short"), 0);
    assert_true(number == 65281);
    assert_int_equal(sp_gguf_get_bool(&yes, file, "yes"), 0);
    assert_true(yes);
    assert_int_equal(sp_gguf_get_text(&text, file, "general.architecture"), 0);
    assert_true(text.length == 5 && memcmp(text.data, "llama", 5) == 0);
    assert_int_equal(sp_gguf_get_texts(&array, file, "words"), 0);
    assert_int_equal(array.count, 3);
    for (size_t i = 0; i < 3; i++) {
        text = sp_gguf_next_text(&array);
        assert_true(text.length == strlen(words[i]) && memcmp(text.data, words[i], text.length) == 0);
    }
    assert_int_equal(array.count, 0);
    assert_int_equal(sp_gguf_get_ints(&array, file, "whole"), 0);
    assert_true(sp_gguf_next_int(&array) == 3 && sp_gguf_next_int(&array) == -1 && array.count == 0);
    assert_int_equal(sp_gguf_get_floats(&array, file, "floats"), 0);
    assert_true(sp_gguf_next_float(&array) == 0.5f && sp_gguf_next_float(&array) == -2);
    assert_int_equal(sp_gguf_count(file), 2);
    assert_string_equal(sp_gguf_at(file, 0)->name, "b");
    assert_ptr_equal(sp_gguf_find(file, "b"), sp_gguf_at(file, 0));
    assert_null(sp_gguf_find(file, "c"));
    assert_string_equal(sp_tensor_describe(shape, sp_gguf_find(file, "w")), "F32 [2, 3]");
    sp_gguf_forget(file);
    assert_int_equal(sp_tensor_read_f32(values, sp_gguf_find(file, "w"), 0, 6), 0);
    assert_true(values[0] == 0 && values[5] == 5);
    assert_int_equal(sp_gguf_check_unchanged(file), 0);
    sp_gguf_close(file);
    sp_gguf_close(NULL);
}

static void assert_refused(struct gguf_file *made, int code, const char *part, const char *more)
{
    struct sp_gguf *file;
    const char *path = gguf_end(made, "m.gguf");

    io_assert_error(sp_gguf_open(&file, path), code, path, part, more, NULL);
    assert_null(file);
}

static void test_kinds(void **state)
{
    struct sp_gguf_text text;
    struct sp_gguf_array array;
    struct gguf_file made;
    struct sp_gguf *file;
    uint64_t huge = UINT64_MAX;
    long long integer;
    double number;
    bool yes;

    (void)state;
    sample(&made);
    gguf_raw(&made, "huge", 10, &huge, 8);
    assert_int_equal(sp_gguf_open(&file, gguf_end(&made, "m.gguf")), 0);
    io_assert_error(sp_gguf_get_int(&integer, file, "eps"), SP_EFORMAT, "m.gguf: at byte ",
                    "the value of \"eps\" is a 32-bit float; expected is an integer", NULL);
    io_assert_error(sp_gguf_get_int(&integer, file, "huge"), SP_EFORMAT, "an integer below 2^63", NULL);
    io_assert_error(sp_gguf_get_double(&number, file, "yes"), SP_EFORMAT, "true or false; expected is a number", NULL);
    io_assert_error(sp_gguf_get_bool(&yes, file, "eps"), SP_EFORMAT, "a 32-bit float; expected is true or false", NULL);
    io_assert_error(sp_gguf_get_text(&text, file, "whole"), SP_EFORMAT,
                    "an array whose elements are each a 32-bit integer; expected is a string", NULL);
    io_assert_error(sp_gguf_get_texts(&array, file, "whole"), SP_EFORMAT, "expected is an array of strings", NULL);
    io_assert_error(sp_gguf_get_ints(&array, file, "floats"), SP_EFORMAT, "an array of 32-bit integers", NULL);
    io_assert_error(sp_gguf_get_floats(&array, file, "words"), SP_EFORMAT, "an array of 32-bit floats", NULL);
    sp_gguf_close(file);
}

static void test_header(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *part;
    } files[] = {
        { "", 0, "at byte 0, the header: 4 bytes are expected, but the file has only 0 more" },
        { "GG", 2, "the file has only 2 more: it is truncated" },
        { "PK\003\004xxxxxxxxxxxxxxxxxxxxxxxxxxxx", 28, "is not a GGUF file: it does not begin \"GGUF\"" },
        { "<!DOCTYPE html><html></html>    ", 28, "a page in HTML" },
        { "tjggxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 28, "from before GGUF" },
        { "GGUF\003\0\0", 7, "at byte 4, the header: 4 bytes are expected" },
        { "GGUF\001\0\0\0xxxxxxxxxxxxxxxxxxxxxxxx", 28, "at byte 4, it is of GGUF's version 1; versions 2 and 3" },
        { "GGUF\004\0\0\0xxxxxxxxxxxxxxxxxxxxxxxx", 28, "GGUF's version 4" },
        { "GGUF\0\0\0\003\0\0\0\0\0\0\0\001xxxxxxxxxxxxxxxx", 28, "written in big-endian order" },
    };
    struct sp_gguf *file;

    (void)state;
    io_assert_error(sp_gguf_open(&file, io_path("none.gguf")), SP_ENOTFOUND, "none.gguf", NULL);
    assert_false(sp_gguf_is(io_path("none.gguf")));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = io_write("m.gguf", files[i].bytes, files[i].length);

        io_assert_error(sp_gguf_open(&file, path), SP_EFORMAT, path, files[i].part, NULL);
    }
    assert_true(sp_gguf_is(io_path("m.gguf"))); /* by its name; then by its first bytes */
    assert_true(sp_gguf_is(io_write("blob", files[7].bytes, 28)));
    assert_false(sp_gguf_is(io_write("blob", files[2].bytes, 28)));
    assert_false(sp_gguf_is(io_path("")));
}

static void test_metadata(void **state)
{
    static const unsigned char nested[] = { 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    static const unsigned char many[] = { 4, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 63 };
    static const unsigned char strings[] = { 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    static const unsigned char long_text[] = { 255, 255, 255, 255, 255, 255, 255, 127 };
    struct gguf_file file;
    char key[200];

    (void)state;
    sample(&file);
    file.key_count = 1u << 20;
    assert_refused(&file, SP_ELIMIT, "at byte 16, the header says that 1048576 keys follow", "at most 65536");
    sample(&file);
    file.key_count = 1000;
    assert_refused(&file, SP_EFORMAT, "the header says that 1000 keys follow", "truncated or damaged");
    sample(&file);
    file.key_count++; /* the first tensor's entry is read as a key */
    assert_refused(&file, SP_EFORMAT, "the name of tensor 0: ", "or this length is wrong");
    sample(&file);
    gguf_int(&file, "yes", 1);
    assert_refused(&file, SP_EFORMAT, "the key \"yes\" is there twice, with values at byte ", NULL);
    sample(&file);
    gguf_int(&file, "a\xff\xfe", 1);
    assert_refused(&file, SP_EFORMAT, "key 12 of the metadata is not UTF-8", NULL);
    sample(&file);
    gguf_int(&file, "a\033[1m", 1);
    assert_refused(&file, SP_EFORMAT, "key 12 of the metadata holds a control character", NULL);
    sample(&file);
    gguf_int(&file, "", 1);
    assert_refused(&file, SP_EFORMAT, "key 12 of the metadata has 0 bytes; expected is a name of 1 to 65535", NULL);
    sample(&file);
    gguf_raw(&file, "x", 13, "abcd", 4);
    assert_refused(&file, SP_EFORMAT, "the value of \"x\" is of kind 13; GGUF has kinds 0 to 12", NULL);
    sample(&file);
    gguf_raw(&file, "x", 7, "\002", 1);
    assert_refused(&file, SP_EFORMAT, "the value of \"x\" is 2; expected is 0, false, or 1, true", NULL);
    sample(&file);
    gguf_raw(&file, "x", 9, nested, sizeof nested);
    assert_refused(&file, SP_EFORMAT, "the value of \"x\" is an array of arrays", NULL);
    sample(&file);
    gguf_raw(&file, "x", 9, many, sizeof many);
    assert_refused(&file, SP_EFORMAT, "an array of 4611686018427387903 elements", "have no room");
    sample(&file);
    gguf_raw(&file, "x", 9, strings, sizeof strings); /* its second string is what follows */
    assert_refused(&file, SP_EFORMAT, "m.gguf", NULL);
    sample(&file);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    gguf_raw(&file, key, 8, long_text, sizeof long_text);
    assert_refused(&file, SP_EFORMAT, "kkk\": 9223372036854775807 bytes are expected", NULL);
    sample(&file);
    gguf_int(&file, "split.count", 3);
    gguf_int(&file, "split.no", 1);
    assert_refused(&file, SP_EFORMAT, "is part 2 of 3 of a model", "llama-gguf-split --merge");
}

/* The last tensor's entry with another number in it: `back` bytes before its end. */
static void patch(struct gguf_file *file, size_t back, uint64_t value, size_t bytes)
{
    memcpy(file->entries.data + file->entries.length - back, &value, bytes);
}

static void test_tensors(void **state)
{
    static const char name[] = "a name that is far longer than that of any tensor which a model has, let alone one "
                               "which llama.cpp would accept in a file of its own";
    struct gguf_file file;

    (void)state;
    sample(&file);
    file.tensor_count = 0;
    assert_refused(&file, SP_EFORMAT, "holds no tensors", "a vocabulary alone");
    sample(&file);
    file.tensor_count = (uint64_t)1 << 60;
    assert_refused(&file, SP_ELIMIT, "at byte 8, the header says that it holds 1152921504606846976 tensors", NULL);
    sample(&file);
    file.tensor_count = 90;
    assert_refused(&file, SP_EFORMAT, "it holds 90 tensors", "have room for");
    sample(&file);
    file.tensor_count = 1;
    assert_refused(&file, SP_EFORMAT, "its count of tensors is wrong", NULL);
    sample(&file);
    gguf_ramp(&file, "w", 1, 1, 1);
    assert_refused(&file, SP_EFORMAT, "tensor w is there twice", NULL);
    sample(&file);
    gguf_ramp(&file, name, 1, 1, 1);
    assert_refused(&file, SP_EFORMAT, "the name of tensor 2 has ", "expected is a name of 1 to 127");
    sample(&file);
    gguf_ramp(&file, "x\xc3", 1, 1, 1);
    assert_refused(&file, SP_EFORMAT, "the name of tensor 2 is not UTF-8", NULL);
    sample(&file);
    patch(&file, 24, 5, 4);
    assert_refused(&file, SP_EFORMAT, "tensor b has 5 dimensions; GGUF has at most 4", NULL);
    sample(&file);
    patch(&file, 20, 0, 8);
    assert_refused(&file, SP_EFORMAT, "tensor b: dimension 0 is 0, and must not be", NULL);
    sample(&file);
    patch(&file, 20, UINT64_MAX / 2, 8);
    assert_refused(&file, SP_EFORMAT, "tensor b is too large for any file", NULL);
    sample(&file);
    gguf_tensor(&file, "h", GGUF_F32, UINT64_MAX, UINT64_MAX, floats, 8);
    assert_refused(&file, SP_EFORMAT, "tensor h: dimension 1 is 18446744073709551615, with which it is too large",
                   NULL);
    sample(&file);
    patch(&file, 20, 6, 8);
    assert_refused(&file, SP_EFORMAT, "tensor b has 24 bytes from data byte 32 on, but the file has only 52", NULL);
    sample(&file);
    patch(&file, 12, 39, 4);
    assert_refused(&file, SP_EFORMAT,
                   "tensor b is of type 39 (MXFP4), which is not read; of these types are: F32, F16,",
                   "Take a file of the model in one of them");
    sample(&file);
    patch(&file, 12, 77, 4);
    assert_refused(&file, SP_EFORMAT, "tensor b is of type 77, which is not read", NULL);
    sample(&file);
    patch(&file, 12, GGUF_Q8_0, 4);
    assert_refused(&file, SP_EFORMAT, "tensor b is of type Q8_0, in blocks of 32, but its rows have 5 elements", NULL);
}

static void test_places(void **state)
{
    struct gguf_file file;
    struct sp_gguf *opened;
    struct sp_buf bytes;

    (void)state;
    sample(&file);
    patch(&file, 8, 33, 8);
    assert_refused(&file, SP_EFORMAT, "tensor b begins at data byte 33, which is no multiple", "alignment, 32");
    sample(&file);
    patch(&file, 8, 0, 8);
    assert_refused(&file, SP_EFORMAT, "tensor w begins at data byte 0, but b ends at 20, and 32 is the next",
                   "overlap");
    sample(&file);
    patch(&file, 8, 1024, 8);
    assert_refused(&file, SP_EFORMAT, "tensor b has 20 bytes from data byte 1024 on", NULL);
    sample(&file);
    gguf_ramp(&file, "x", 8, 0, 1);
    gguf_ramp(&file, "y", 8, 0, 1);
    patch(&file, 8, 64, 8); /* where x lies, and nothing where y does */
    assert_refused(&file, SP_EFORMAT, "tensor y begins at data byte 64, but x ends at 96", NULL);
    for (int i = 0; i < 3; i++) {
        static const uint32_t alignments[] = { 0, 24, UINT32_MAX };

        sample(&file);
        gguf_int(&file, "general.alignment", alignments[i]);
        assert_refused(&file, SP_EFORMAT, "\"general.alignment\" is ", "expected is a power of two");
    }
    sample(&file);
    gguf_int(&file, "general.alignment", 64); /* b begins at 32 */
    assert_refused(&file, SP_EFORMAT, "no multiple of the file's alignment, 64", NULL);
    gguf_begin(&file, "llama");
    file.alignment = 8;
    gguf_int(&file, "general.alignment", 8);
    gguf_ramp(&file, "w", 3, 3, 1);
    gguf_ramp(&file, "b", 3, 0, 1);
    assert_int_equal(sp_gguf_open(&opened, gguf_end(&file, "m.gguf")), 0);
    sp_gguf_close(opened);
    sample(&file);
    gguf_bytes(&bytes, &file);
    for (size_t length = 0; length < bytes.length; length++) { /* cut anywhere */
        const char *path = io_write("m.gguf", bytes.data, length);

        io_assert_error(sp_gguf_open(&opened, path), SP_EFORMAT, path, NULL);
    }
    sp_buf_free(&bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_good),     TEST(test_kinds),   TEST(test_header),
        TEST(test_metadata), TEST(test_tensors), TEST(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
