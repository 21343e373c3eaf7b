/*
 * safetensors files: what the reader takes and refuses, what the writer leaves. With arguments it
 * serves tests/unit/io_python.sh instead: `test_io write FILE` writes a sample, `test_io list FILE`
 * prints a file's tensors.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY(name, dtype, shape, begin, end)                                                      \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end \
    "]}"
#define A ENTRY("a", "F32", "[2,3]", 0, 24)
#define B ENTRY("b", "U8", "[4]", 24, 28)

static void opens(const char *header, size_t data)
{
    const char *path = io_write_tensors("t.safetensors", header, data);
    struct sp_safetensors *file;

    if (sp_safetensors_open(&file, path) != 0)
        fail_msg("%s: %s", header, sp_error_message());
    sp_safetensors_close(file);
}

/* The message must name the file and hold `part`. */
static void refused(int code, const char *header, size_t data, const char *part)
{
    const char *path = io_write_tensors("t.safetensors", header, data);
    struct sp_safetensors *file;

    io_assert_error(sp_safetensors_open(&file, path), code, path, part, NULL);
    assert_null(file);
}

static void test_reads(void **state)
{
    const char *path = io_write_tensors(
        "t.safetensors", "{" B ",\"__metadata__\":{\"format\":\"pt\"}," A "}   ", 28);
    const struct sp_tensor_info *tensor;
    struct sp_safetensors *file;
    char text[SP_SHAPE_TEXT];

    (void)state;
    assert_int_equal(sp_safetensors_open(&file, path), 0);
    assert_int_equal(sp_safetensors_count(file), 2);
    assert_string_equal(sp_safetensors_at(file, 0)->name, "a");
    assert_string_equal(sp_safetensors_metadata(file, "format"), "pt");
    assert_null(sp_safetensors_metadata(file, "other"));
    assert_null(sp_safetensors_find(file, "c"));
    assert_null(sp_safetensors_find(file, "__metadata__"));
    tensor = sp_safetensors_find(file, "b");
    assert_ptr_equal(tensor, sp_safetensors_at(file, 1));
    assert_int_equal(tensor->dtype, SP_U8);
    assert_int_equal(tensor->count, 4);
    assert_int_equal(((const unsigned char *)tensor->data)[3], 27);
    sp_safetensors_forget(file);
    assert_int_equal(((const unsigned char *)tensor->data)[3], 27);
    assert_string_equal(sp_tensor_describe(text, sp_safetensors_at(file, 0)), "F32 [2, 3]");
    sp_safetensors_close(file);
    sp_safetensors_close(NULL);
}

static void test_legal_oddities(void **state)
{
    (void)state;
    opens("{}", 0);
    opens("{\"__metadata__\":{}}", 0);
    opens("{\"__metadata__\":null," A "}", 24);
    opens("{" ENTRY("a", "U8", "[1]", 0, 1) ",\"__metadata__\":{\"NaN\":\"1e400\"}}", 1);
    opens("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":NaN,\"y\":99999999999999999999}}", 1);
    opens("{" ENTRY("scalar", "F64", "[]", 0, 8) "}", 8);
    opens("{" ENTRY("empty", "F32", "[0,7]", 0, 0) "}", 0);
    opens("{" ENTRY("z", "F32", "[0]", 24, 24) "," A "," B "}", 28);
    opens("{" ENTRY("m", "F32", "[1,1,1,1,1,1,1,1]", 0, 4) "}", 4);
    opens("{\n \"a\": {\"shape\": [1], \"data_offsets\": [0, 1], \"dtype\": \"U8\", \"x\": 1}}", 1);
}

static void test_wrong_header(void **state)
{
    struct sp_safetensors *file;
    uint64_t length = 2;
    unsigned char bytes[16] = { 0 };

    (void)state;
    io_assert_error(sp_safetensors_open(&file, io_path("none")), SP_ENOTFOUND, "none", NULL);
    io_assert_error(sp_safetensors_open(&file, io_path("")), SP_EIO, "is a folder; a regular file is expected", NULL);
    io_assert_error(sp_safetensors_open(&file, io_write("t", "", 0)), SP_EFORMAT, "0 bytes", NULL);
    io_assert_error(sp_safetensors_open(&file, io_write("t", bytes, 8)), SP_EFORMAT,
                    "not a JSON object", NULL);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, "[]", 2);
    io_assert_error(sp_safetensors_open(&file, io_write("t", bytes, 10)), SP_EFORMAT,
                    "not a JSON object", NULL);
    for (int shift = 2; shift < 64; shift++) { /* lengths that lie, up to 2^63 */
        length = (uint64_t)1 << shift;
        memcpy(bytes, &length, 8);
        memcpy(bytes + 8, "{}      ", 8);
        if (shift > 3)
            io_assert_error(sp_safetensors_open(&file, io_write("t", bytes, 16)), SP_EFORMAT,
                            "truncated", NULL);
    }
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[99999999999999999999]", 0, 1) "}", 1,
            "tensor a: \"shape\" holds something that is not a");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[NaN]", 0, 1) "}", 1,
            "tensor a: \"shape\" holds something that is not a");
    refused(SP_EFORMAT, "{\"a\":}", 0, ":1:");
    refused(SP_EFORMAT, "{} x", 0, "JSON");
    refused(SP_EFORMAT, " {}", 0, "not a JSON object");
    refused(SP_EFORMAT, "{" A "," A "}", 24, "duplicate");
    refused(SP_EFORMAT, "{\"\\u0000a\":{}}", 0, "JSON");
    refused(SP_EFORMAT, "{\"\xff\":{}}", 0, "JSON");
    refused(SP_EFORMAT, "{" ENTRY("a\\u001b[2J", "U8", "[1]", 0, 1) "}", 1, "control");
    refused(SP_EFORMAT, "{" ENTRY("", "U8", "[1]", 0, 1) "}", 1, "empty");
    refused(SP_EFORMAT, "{\"__metadata__\":[]}", 0, "__metadata__");
    refused(SP_EFORMAT, "{\"__metadata__\":NaN}", 0, "\"__metadata__\" is not an object");
    refused(SP_EFORMAT, "{\"__metadata__\":{\"format\":1}}", 0, "__metadata__");
}

/* What is there in place of a safetensors file is called what it is. */
static void test_other_files(void **state)
{
    static const char *const files[][2] = {
        { "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 438000000\n", "is a Git LFS pointer, 74 "
                                                                                           "bytes" },
        { "version https://hawser.github.com/spec/v1\noid sha256:4d7a\nsize 438000000\n", "is a Git LFS pointer, 73 "
                                                                                          "bytes" },
        { "Entry not found", "holds \"Entry not found\", a site's answer in place of a file" },
        { "404: Not Found\n", "holds \"404: Not Found\", a site's answer" },
        { "Access to model m/m is restricted. You must be authenticated to access it.", "a site's answer" },
        { "{\"error\":\"Repository not found\"}", "not a safetensors file but a text, which begins "
                                                  "\"{\"error\":\"Repository" },
        { "upstream connect error\n\n", "but a text, which begins \"upstream connect error\"" },
        { "gone", "but a text, which begins \"gone\"" },
        { "P\n", "it has only 2 bytes" },
        { "", "it has only 0 bytes" },
        { "PK\003\004xxxxxxxxxxxxxxxxxxxx", "is not a safetensors file but a zip archive, as PyTorch" },
        { "\200\002xxxxxxxxxxxxxxxxxxxxxx", "a pickle file, as PyTorch" },
        { "GGUF\003xxxxxxxxxxxxxxxxxxx", "a GGUF file" },
        { "\n<!doctype HTML><title>Sign in</title>", "is a page in HTML or XML" },
        { "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is a page in HTML or XML" },
    };
    struct sp_safetensors *file;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        io_assert_error(sp_safetensors_open(&file, io_write_text("t.safetensors", files[i][0])), SP_EFORMAT,
                        "t.safetensors", files[i][1], NULL);
}

/* A header that is legal in length but would take gigabytes to hold. */
static void test_header_limits(void **state)
{
    size_t values = 1000001, length = values * 2;
    char *header = malloc(length + 1);
    struct sp_safetensors *file;
    const char *path;
    uint64_t lie = 100000001;
    FILE *sparse;

    (void)state;
    assert_non_null(header);
    memset(header, '[', length);
    header[0] = '{';
    header[length] = '\0';
    refused(SP_ELIMIT, header, 0, "values");
    free(header);
    path = io_write("t", &lie, sizeof lie);
    sparse = fopen(path, "r+b");
    assert_non_null(sparse);
    assert_int_equal(fseek(sparse, 100000008, SEEK_SET), 0);
    assert_int_equal(fputc(' ', sparse), ' ');
    assert_int_equal(fclose(sparse), 0);
    io_assert_error(sp_safetensors_open(&file, path), SP_ELIMIT, "100000001", path, NULL);
}

static void test_wrong_tensor(void **state)
{
    (void)state;
    refused(SP_EFORMAT, "{\"a\":1}", 0, "tensor a");
    refused(SP_EFORMAT, "{\"a\":{}}", 0, "dtype");
    refused(SP_EFORMAT, "{" ENTRY("a", "F8_E4M3", "[1]", 0, 1) "}", 1, "F8_E4M3");
    refused(SP_EFORMAT, "{" ENTRY("a", "f32", "[1]", 0, 4) "}", 4, "f32");
    refused(SP_EFORMAT, "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype");
    refused(SP_EFORMAT, "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "{}", 0, 1) "}", 1, "shape");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[-1]", 0, 1) "}", 1, "shape");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[1.0]", 0, 1) "}", 1, "shape");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[\"1\"]", 0, 1) "}", 1, "shape");
    refused(SP_ELIMIT, "{" ENTRY("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, "dimensions");
    refused(SP_EFORMAT, "{" ENTRY("a", "F64", "[4611686018427387904]", 0, 8) "}", 8, "too large");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[9223372036854775807,9]", 0, 1) "}", 1, "too large");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[4294967296,4294967296]", 0, 0) "}", 0, "too large");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[99999999999999999999]", 0, 1) "}", 1, "tensor a: \"shape\"");
    refused(SP_EFORMAT, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets");
    refused(SP_EFORMAT, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1,
            "data_offsets");
    refused(SP_EFORMAT, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1,
            "data_offsets");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[1]", -1, 0) "}", 1, "data_offsets");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[1]", 1, 0) "}", 1, "data_offsets");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[1]", 0, 1.0) "}", 1, "data_offsets");
}

static void test_wrong_places(void **state)
{
    (void)state;
    refused(SP_EFORMAT, "{" ENTRY("a", "F32", "[6]", 0, 25) "}", 25, "24 bytes");
    refused(SP_EFORMAT, "{" ENTRY("a", "F32", "[6]", 0, 23) "}", 23, "F32 [6]");
    refused(SP_EFORMAT, "{" A "}", 23, "truncated");
    refused(SP_EFORMAT, "{" A "}", 25, "25 bytes of data");
    refused(SP_EFORMAT, "{}", 1, "1 bytes of data");
    refused(SP_EFORMAT, "{" A "," ENTRY("b", "U8", "[4]", 25, 29) "}", 29, "holes");
    refused(SP_EFORMAT, "{" A "," ENTRY("b", "U8", "[4]", 23, 27) "}", 27, "overlap");
    refused(SP_EFORMAT, "{" A "," ENTRY("b", "F32", "[6]", 0, 24) "}", 24, "overlap");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[4]", 1, 5) "}", 5, "begins at data byte 1");
    refused(SP_EFORMAT, "{" A "," ENTRY("z", "F32", "[0]", 8, 8) "}", 24, "overlap");
    refused(SP_EFORMAT, "{" ENTRY("a", "U8", "[4]", 9223372036854775803, 9223372036854775807) "}",
            4, "truncated");
}

/* A file cut short anywhere is refused, and so is one that is one byte too long. */
static void test_truncated_everywhere(void **state)
{
    unsigned char bytes[512];
    struct sp_safetensors *file;
    const char *path = io_write_tensors("t.safetensors", "{" A "," B "}", 28);
    FILE *whole = fopen(path, "rb");
    size_t size;

    (void)state;
    assert_non_null(whole);
    size = fread(bytes, 1, sizeof bytes - 1, whole);
    fclose(whole);
    bytes[size] = 0;
    for (size_t length = 0; length <= size + 1; length++) {
        path = io_write("cut", bytes, length);
        if (length == size) {
            assert_int_equal(sp_safetensors_open(&file, path), 0);
            sp_safetensors_close(file);
        } else {
            io_assert_error(sp_safetensors_open(&file, path), SP_EFORMAT, path, NULL);
        }
    }
}

static void test_conversion(void **state)
{
    static const struct {
        const char *dtype;
        size_t size;
        unsigned char bytes[8];
        float value;
    } cases[] = {
        { "F32", 4, { 0, 0, 0xc0, 0xbf }, -1.5f },
        { "F64", 8, { 0, 0, 0, 0, 0, 0, 0xf8, 0xbf }, -1.5f },
        { "F64", 8, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x3f }, 1.0f },
        { "BF16", 2, { 0xc0, 0xbf }, -1.5f },
        { "BF16", 2, { 0x80, 0x7f }, INFINITY },
        { "F16", 2, { 0, 0xbe }, -1.5f },
        { "F16", 2, { 0xff, 0x7b }, 65504.0f },
        { "F16", 2, { 0, 0x7c }, INFINITY },
        { "F16", 2, { 0, 0xfc }, -INFINITY },
        { "F16", 2, { 0, 0x04 }, 0x1p-14f },
        { "F16", 2, { 0xff, 0x03 }, 0x1.ff8p-15f },
        { "F16", 2, { 0x01, 0x80 }, -0x1p-24f },
        { "F16", 2, { 0, 0x80 }, -0.0f },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[9] = { 0 }; /* one byte on: data may be unaligned */
        struct sp_tensor_info tensor = { .name = "x", .file = "f", .rank = 1, .shape = { 1 },
                                         .data = bytes + 1, .count = 1 };
        float got = 7;

        assert_true(sp_dtype_find(&tensor.dtype, cases[i].dtype));
        memcpy(bytes + 1, cases[i].bytes, cases[i].size);
        assert_int_equal(sp_tensor_read_f32(&got, &tensor, 0, 1), 0);
        if (memcmp(&got, &cases[i].value, sizeof got) != 0)
            fail_msg("case %zu: got %a, expected %a", i, (double)got, (double)cases[i].value);
    }
}

/* Every half-precision number against the C library's arithmetic. */
static void test_all_halves(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 65536; half++) {
        unsigned exponent = half >> 10 & 31, mantissa = half & 1023;
        uint16_t word = (uint16_t)half;
        float got;
        double expected = exponent == 0    ? ldexp(mantissa, -24)
                          : exponent == 31 ? (mantissa ? (double)NAN : (double)INFINITY)
                                           : ldexp(mantissa + 1024, (int)exponent - 25);

        sp_dtype_to_f32(&got, SP_F16, &word, 1);
        if (isnan(expected) ? !isnan(got) : (double)got != (half >> 15 ? -expected : expected))
            fail_msg("half %04x: got %a, expected %a", half, (double)got, expected);
        assert_int_equal(signbit(got) != 0, half >> 15);
    }
}

static uint16_t rounded(enum sp_dtype dtype, float value)
{
    unsigned char bytes[3]; /* data may be unaligned */
    uint16_t word;

    sp_dtype_from_f32(bytes + 1, dtype, &value, 1);
    memcpy(&word, bytes + 1, sizeof word);
    return word;
}

static float widened(enum sp_dtype dtype, uint16_t word)
{
    float value;

    sp_dtype_to_f32(&value, dtype, &word, 1);
    return value;
}

/* Every number of 16 bits stays what it is; between two neighbours the nearer one is taken, in the middle the even one,
 * and beyond the last one half a step on infinity. */
static void test_rounding(void **state)
{
    static const struct {
        enum sp_dtype dtype;
        uint16_t infinity;
    } types[] = { { SP_F16, 0x7C00 }, { SP_BF16, 0x7F80 } };
    const float tenth = 0.1f;
    double wide;

    (void)state;
    for (size_t t = 0; t < 2; t++) {
        enum sp_dtype dtype = types[t].dtype;
        uint16_t infinity = types[t].infinity;

        for (uint16_t word = 0; word < infinity; word++)
            for (uint16_t sign = 0; sign < 2; sign++) {
                uint16_t low = (uint16_t)(word | sign << 15), high = (uint16_t)(low + 1), even = word & 1 ? high : low;
                float a = widened(dtype, low);
                float step = word + 1 < infinity ? widened(dtype, high) - a : a - widened(dtype, (uint16_t)(low - 1));
                float middle = a + step / 2, beyond = nextafterf(middle, sign ? -INFINITY : INFINITY);

                assert_int_equal(rounded(dtype, a), low);
                assert_int_equal(rounded(dtype, middle), even);
                assert_int_equal(rounded(dtype, nextafterf(middle, a)), low);
                assert_int_equal(rounded(dtype, beyond), high);
            }
        assert_int_equal(rounded(dtype, -INFINITY), 0x8000 | infinity);
        assert_true(isnan(widened(dtype, rounded(dtype, NAN))));
        assert_int_equal(rounded(dtype, 1e-45f), 0);
    }
    sp_dtype_from_f32(&wide, SP_F64, &tenth, 1);
    assert_true(wide == (double)tenth);
}

static void test_read_ranges(void **state)
{
    const char *path = io_write_tensors("t.safetensors", "{" A "," B "}", 28);
    struct sp_safetensors *file;
    const struct sp_tensor_info *a;
    float values[6], last = 0;

    (void)state;
    assert_int_equal(sp_safetensors_open(&file, path), 0);
    a = sp_safetensors_find(file, "a");
    assert_int_equal(sp_tensor_read_f32(values, a, 0, 6), 0);
    assert_int_equal(sp_tensor_read_f32(&last, a, 5, 1), 0);
    assert_memory_equal(&last, &values[5], sizeof last);
    assert_int_equal(sp_tensor_read_f32(NULL, a, 6, 0), 0);
    io_assert_error(sp_tensor_read_f32(values, a, 5, 2), SP_EINVAL, "tensor a", NULL);
    io_assert_error(sp_tensor_read_f32(values, a, SIZE_MAX, 2), SP_EINVAL, "tensor a", NULL);
    io_assert_error(sp_tensor_read_f32(values, sp_safetensors_find(file, "b"), 0, 1), SP_EFORMAT,
                    "tensor b is U8", path, NULL);
    sp_safetensors_close(file);
}

/* ---- writing ---- */

static const double doubles[1] = { 0.1 };
static const float floats[6] = { 0, -1.5f, 2, 3e-40f, 5, 1e30f };
static const uint32_t words[3] = { 0, 7, 4294967295u };
static const uint16_t halves[2] = { 0x3c00, 0xbf80 };
static const unsigned char bytes[5] = { 1, 0, 1, 1, 0 };

static const struct sp_tensor_info sample[] = {
    { .name = "flags", .dtype = SP_BOOL, .rank = 1, .shape = { 5 }, .data = bytes },
    { .name = "z.weight", .dtype = SP_F32, .rank = 2, .shape = { 2, 3 }, .data = floats },
    { .name = "half", .dtype = SP_F16, .rank = 1, .shape = { 2 }, .data = halves },
    { .name = "a.indices", .dtype = SP_U32, .rank = 1, .shape = { 3 }, .data = words },
    { .name = "bhalf", .dtype = SP_BF16, .rank = 1, .shape = { 2 }, .data = halves },
    { .name = "scalar", .dtype = SP_F64, .rank = 0, .data = doubles },
    { .name = "empty", .dtype = SP_F32, .rank = 2, .shape = { 0, 4 } },
    { .name = "\"q\\\xc3\xa9", .dtype = SP_U8, .rank = 1, .shape = { 5 }, .data = bytes },
};
#define SAMPLES (sizeof sample / sizeof *sample)

static void test_round_trip(void **state)
{
    static const char *const order[SAMPLES] = { "scalar", "a.indices", "empty", "z.weight",
                                                "bhalf",  "half", "\"q\\\xc3\xa9", "flags" };
    const char *path = io_path("out.safetensors");
    struct sp_safetensors *file;

    (void)state;
    assert_int_equal(sp_safetensors_write(path, sample, SAMPLES), 0);
    assert_int_equal(io_entries(io_path("")), 1);
    assert_int_equal(sp_safetensors_open(&file, path), 0);
    assert_int_equal(sp_safetensors_count(file), SAMPLES);
    assert_string_equal(sp_safetensors_metadata(file, "format"), "pt");
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sp_tensor_info *got = sp_safetensors_find(file, sample[i].name);

        assert_non_null(got);
        assert_string_equal(sp_safetensors_at(file, i)->name, order[i]);
        assert_int_equal(got->dtype, sample[i].dtype);
        assert_true(sp_tensor_has_shape(got, sample[i].rank, sample[i].shape));
        assert_int_equal((uintptr_t)got->data % sp_dtype_size(got->dtype), 0);
        if (got->bytes > 0)
            assert_memory_equal(got->data, sample[i].data, got->bytes);
    }
    sp_safetensors_close(file);
    assert_int_equal(sp_safetensors_write(path, NULL, 0), 0); /* replaces, and none is legal */
    assert_int_equal(sp_safetensors_open(&file, path), 0);
    assert_int_equal(sp_safetensors_count(file), 0);
    sp_safetensors_close(file);
}

/* In pieces: neither too much nor too little, and nothing is left of what is given up. */
static void test_pieces(void **state)
{
    const struct sp_tensor_info list[] = { sample[1], sample[7] };
    const char *path = io_path("out.safetensors");
    struct sp_safetensors_writer writer;
    struct sp_safetensors *file;

    (void)state;
    assert_int_equal(sp_safetensors_writer_open(&writer, path, list, 2), 0);
    assert_int_equal(sp_safetensors_put(&writer, floats, sizeof floats), 0);
    io_assert_error(sp_safetensors_writer_commit(&writer), SP_EINVAL, "5 bytes", path, NULL);
    io_assert_error(sp_safetensors_put(&writer, floats, 6), SP_EINVAL, "more data", path, NULL);
    sp_safetensors_writer_abandon(&writer);
    assert_int_equal(io_entries(io_path("")), 0);

    assert_int_equal(sp_safetensors_writer_open(&writer, path, list, 2), 0);
    assert_int_equal(sp_safetensors_put(&writer, floats, sizeof floats), 0);
    assert_int_equal(sp_safetensors_put(&writer, bytes, sizeof bytes), 0);
    assert_int_equal(sp_safetensors_writer_commit(&writer), 0);
    sp_safetensors_writer_abandon(&writer);
    assert_int_equal(sp_safetensors_open(&file, path), 0);
    assert_memory_equal(sp_safetensors_at(file, 0)->data, floats, sizeof floats);
    assert_memory_equal(sp_safetensors_at(file, 1)->data, bytes, sizeof bytes);
    sp_safetensors_close(file);
    assert_int_equal(remove(path), 0);
}

static void test_write_refuses(void **state)
{
    struct sp_tensor_info pair[2] = { sample[1], sample[1] };
    const char *path = io_path("out.safetensors");

    (void)state;
    io_assert_error(sp_safetensors_write(path, pair, 2), SP_EINVAL, "twice", path, NULL);
    pair[0].name = "__metadata__";
    io_assert_error(sp_safetensors_write(path, pair, 1), SP_EINVAL, "__metadata__", NULL);
    pair[0].name = "";
    io_assert_error(sp_safetensors_write(path, pair, 1), SP_EINVAL, "not allowed", NULL);
    pair[0].name = "\xff";
    io_assert_error(sp_safetensors_write(path, pair, 1), SP_EINVAL, "UTF-8", NULL);
    pair[0].name = "huge";
    pair[0].shape[0] = SIZE_MAX / 2;
    io_assert_error(sp_safetensors_write(path, pair, 1), SP_EINVAL, "too large", NULL);
    pair[0].rank = SP_TENSOR_RANK + 1;
    io_assert_error(sp_safetensors_write(path, pair, 1), SP_EINVAL, "too large", NULL);
    assert_int_equal(io_entries(io_path("")), 0);
}

/* A disk that fills up, or a place that cannot be written: an error, the old file as it was,
 * nothing left. */
static void test_write_fails_clean(void **state)
{
    size_t count = 1 << 18;
    float *data = calloc(count, sizeof *data);
    struct sp_tensor_info tensor = { .name = "w", .dtype = SP_F32, .rank = 1, .shape = { count },
                                     .data = data };
    const char *path = io_write_text("out.safetensors", "old");
    char *text;

    (void)state;
    assert_non_null(data);
    for (size_t limit = 1; limit < count * 4; limit = limit * 16 + 3) {
        io_limit_files(limit);
        io_assert_error(sp_safetensors_write(path, &tensor, 1), SP_EIO, path, "File too large",
                        NULL);
        io_limit_files(0);
        assert_int_equal(io_entries(io_path("")), 1);
    }
    assert_int_equal(sp_fs_read(&text, NULL, path, 100), 0);
    assert_string_equal(text, "old");
    free(text);
    free(data);
    assert_true(sp_safetensors_write(io_path("out.safetensors/x"), sample, SAMPLES) < 0);
    assert_true(sp_safetensors_write("/proc/speft/x", sample, SAMPLES) < 0);
    assert_true(sp_safetensors_write(io_path("no/such/x"), sample, SAMPLES) < 0);
    assert_int_equal(io_entries(io_path("")), 1);
}

/* ---- for io_python.sh ---- */

static int serve(const char *verb, const char *path)
{
    struct sp_safetensors *file = NULL;
    char text[SP_SHAPE_TEXT];
    int rc = strcmp(verb, "write") == 0 ? sp_safetensors_write(path, sample, SAMPLES)
                                        : sp_safetensors_open(&file, path);

    for (size_t i = 0; file && i < sp_safetensors_count(file); i++) {
        const struct sp_tensor_info *tensor = sp_safetensors_at(file, i);
        float value = 0;

        printf("%s %s", tensor->name, sp_tensor_describe(text, tensor));
        for (size_t k = 0; k < tensor->count && sp_dtype_is_float(tensor->dtype); k++)
            if (sp_tensor_read_f32(&value, tensor, k, 1) == 0)
                printf(" %.9g", (double)value);
        printf("\n");
    }
    sp_safetensors_close(file);
    if (rc < 0)
        fprintf(stderr, "%s\n", sp_error_message());
    return rc < 0;
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reads),
        TEST(test_legal_oddities),
        TEST(test_wrong_header),
        TEST(test_other_files),
        TEST(test_header_limits),
        TEST(test_wrong_tensor),
        TEST(test_wrong_places),
        TEST(test_truncated_everywhere),
        TEST(test_conversion),
        TEST(test_all_halves),
        TEST(test_rounding),
        TEST(test_read_ranges),
        TEST(test_round_trip),
        TEST(test_pieces),
        TEST(test_write_refuses),
        TEST(test_write_fails_clean),
    };

    if (argc == 3)
        return serve(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
