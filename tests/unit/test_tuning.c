/*
 * Tuned values: the reader of tuning files, which takes nothing but what it documents, the lookup on devices that are
 * made up, and what reaches a launch on the device at hand.
 */
#include "tests/unit/device_support.h"

#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/kernel/table.h"
#include "runtime/op/gemm.h"
#include "runtime/op/tuned.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DEPTH, ROWS, ROW_BLOCK, WEIGHT_DEPTH }; /* gemm_packed's */
enum { TK, TM, TN, WM, WN };     /* gemm_tiled's */

static const struct sp_device_info cpu = {
    .type = SP_DEVICE_CPU, .name = "cpu", .max_work_group = 4096, .local_memory = 65536
};
static const struct sp_device_info gpu = {
    .type = SP_DEVICE_GPU, .name = "gpu", .max_work_group = 256, .local_memory = 32768
};
static const struct sp_device_info other = {
    .type = SP_DEVICE_OTHER, .name = "other", .max_work_group = 64, .local_memory = 4096
};

static char path[] = "/tmp/speft-test-tuning.XXXXXX";

static int parse_bytes(struct sp_tuning *out, const char *text, size_t length)
{
    return sp_tuning_parse(out, &(struct sp_source){ .name = "f.tune", .text = text, .length = length }, sp_tuned_list);
}

static int parse(struct sp_tuning *out, const char *text)
{
    return parse_bytes(out, text, strlen(text));
}

/* A kernel's values from a text, on a device. */
static int find(int *values, const char *text, const struct sp_tuned *kernel, const struct sp_device_info *info)
{
    struct sp_tuning tuning;
    int rc = parse(&tuning, text);

    if (rc < 0)
        return rc;
    rc = sp_tuning_find(values, &tuning, kernel, info);
    sp_tuning_free(&tuning);
    return rc;
}

static void test_shipped(void **state)
{
    const char *source = getenv("srcdir");
    char *file = sp_fs_join(source ? source : ".", "configs/tuning/default.tune"), *text;
    int values[SP_TUNABLES], defaults[SP_TUNABLES];

    (void)state;
    assert_ok(sp_fs_read(&text, NULL, file, 65536));
    for (size_t k = 0; sp_tuned_list[k]; k++) {
        assert_ok(find(values, text, sp_tuned_list[k], &cpu));
        assert_ok(find(defaults, "", sp_tuned_list[k], &cpu));
        assert_ok(find(values, text, sp_tuned_list[k], &gpu));
        assert_ok(find(defaults, "", sp_tuned_list[k], &gpu));
    }
    free(text);
    free(file);
}

/* What a kernel declares is what its records may say. */
static void test_declared(void **state)
{
    (void)state;
    for (size_t k = 0; sp_tuned_list[k]; k++)
        for (const struct sp_tunable *t = sp_tuned_list[k]->tunables; t->name; t++) {
            bool found = false;

            for (size_t i = 0; t->allowed[i]; i++) {
                assert_true(i + 1 < sizeof t->allowed / sizeof *t->allowed);
                assert_true(t->allowed[i] > (i ? t->allowed[i - 1] : 0));
                found = found || t->allowed[i] == t->initial;
            }
            assert_true(found);
            for (size_t i = 0; t->narrow && t->allowed[i] != t->narrow; i++)
                assert_true(t->allowed[i]);
        }
}

static void test_lookup(void **state)
{
    static const char text[] = "# all\r\n\n"
                               "gemm_packed any DEPTH=128 ROWS=4 # small\n"
                               " \tgemm_packed\tcpu   ROW_BLOCK=48 \r\n"
                               "gemm_tiled gpu TM=128 TN=32 TK=8 WM=8 WN=2";
    int v[SP_TUNABLES];

    (void)state;
    assert_ok(find(v, text, &sp_tuned_gemm_packed, &cpu)); /* the exact type's, and for the rest the defaults */
    assert_true(v[DEPTH] == 256 && v[ROWS] == 12 && v[ROW_BLOCK] == 48);
    assert_ok(find(v, text, &sp_tuned_gemm_packed, &gpu));
    assert_true(v[DEPTH] == 128 && v[ROWS] == 4 && v[ROW_BLOCK] == 96);
    assert_ok(find(v, text, &sp_tuned_gemm_packed, &other));
    assert_true(v[DEPTH] == 128 && v[ROWS] == 4 && v[ROW_BLOCK] == 96);
    assert_ok(find(v, text, &sp_tuned_gemm_tiled, &gpu));
    assert_true(v[TK] == 8 && v[TM] == 128 && v[TN] == 32 && v[WM] == 8 && v[WN] == 2);
    assert_ok(find(v, text, &sp_tuned_gemm_tiled, &cpu));
    assert_true(v[TK] == 16 && v[TM] == 64 && v[TN] == 64 && v[WM] == 4 && v[WN] == 4);
}

/* Where registers hold fewer than 16 floats, a tile that fits into them; a record still decides. */
static void test_narrow(void **state)
{
    struct sp_device_info device = cpu;
    int v[SP_TUNABLES];

    (void)state;
    for (device.vector_floats = 0; device.vector_floats <= 32; device.vector_floats += 8) {
        bool narrow = device.vector_floats == 8;

        assert_ok(find(v, "", &sp_tuned_gemm_packed, &device));
        assert_true(v[DEPTH] == 256 && v[ROWS] == (narrow ? 2 : 12) && v[WEIGHT_DEPTH] == (narrow ? 32 : 256));
        assert_ok(find(v, "gemm_packed cpu DEPTH=128", &sp_tuned_gemm_packed, &device));
        assert_true(v[DEPTH] == 128 && v[ROWS] == (narrow ? 2 : 12));
        assert_ok(find(v, "gemm_packed cpu ROWS=12", &sp_tuned_gemm_packed, &device));
        assert_true(v[ROWS] == 12);
    }
}

static void test_malformed(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "#\ngemm_paked cpu ROWS=8\n", "f.tune:2:1: 'gemm_paked' is not a kernel with tunables; those are "
                                        "attention, gemm_packed, gemm_tiled\n" },
        { "gemm_packed cpu ROWS=8\ngemm_packed tpu ROWS=8\n", "f.tune:2:13: found tpu where a device type should be: "
                                                              "cpu, gpu or any" },
        { "gemm_packed # cpu ROWS=8", "f.tune:1:13: found the end of the line where a device type should be" },
        { "gemm_packed cpu", "f.tune:1:16: found the end of the line where NAME=VALUE should be" },
        { "gemm_packed cpu ROWS", "f.tune:1:17: found ROWS where NAME=VALUE should be" },
        { "gemm_packed cpu ROWS =8", "found ROWS where" },
        { "gemm_packed cpu =8", "f.tune:1:17: gemm_packed has no tunable ''" },
        { "gemm_packed cpu MR=8", "f.tune:1:17: gemm_packed has no tunable 'MR'; it has DEPTH, ROWS, ROW_BLOCK, "
                                  "WEIGHT_DEPTH\n" },
        { "gemm_packed cpu rows=8", "no tunable 'rows'" },
        { "gemm_packed cpu ROWS=7", "f.tune:1:22: ROWS cannot be '7'; it is one of 2, 3, 4, 6, 8, 10, 12, 14\n" },
        { "gemm_packed cpu ROWS=", "ROWS cannot be ''" },
        { "gemm_packed cpu ROWS=+8", "ROWS cannot be '+8'" },
        { "gemm_packed cpu ROWS=08", "ROWS cannot be '08'" },
        { "gemm_packed cpu ROWS=0", "ROWS cannot be '0'" },
        { "gemm_packed cpu ROWS=-8", "ROWS cannot be '-8'" },
        { "gemm_packed cpu ROWS=8#", "ROWS cannot be '8#'" },
        { "gemm_packed cpu ROWS=99999999999999999999999999", "ROWS cannot be '999" },
        { "gemm_packed cpu ROWS=8 DEPTH=64 ROWS=8", "f.tune:1:33: ROWS is given twice" },
        { "gemm_packed cpu ROWS=8\n\ngemm_packed any ROWS=8\ngemm_packed cpu ROWS=8\n",
          "f.tune:4:1: gemm_packed has a record for cpu on line 1 already" },
        { "\xEF\xBB\xBFgemm_packed cpu ROWS=8", "is not a kernel" },
    };
    int v[SP_TUNABLES];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_error(find(v, cases[i].text, &sp_tuned_gemm_packed, &cpu), SP_EFORMAT, cases[i].message);
}

static void test_limits(void **state)
{
    static const char nul[] = "#\ngemm_packed\0cpu ROWS=8\n";
    struct sp_tuning tuning;
    char line[600];

    (void)state;
    memset(line, '#', sizeof line);
    assert_error(parse_bytes(&tuning, line, 501), SP_EFORMAT, "f.tune:1:1: a line of 501 bytes; at most 500 are read");
    assert_ok(parse_bytes(&tuning, line, 500));
    sp_tuning_free(&tuning);
    assert_error(parse_bytes(&tuning, nul, sizeof nul - 1), SP_EFORMAT, "f.tune:2:12: a NUL byte");
}

static void test_valid(void **state)
{
    int v[SP_TUNABLES];

    (void)state;
    assert_error(find(v, "\ngemm_packed any ROWS=10", &sp_tuned_gemm_packed, &cpu), SP_EFORMAT,
                 "f.tune:2: gemm_packed: ROW_BLOCK=96 is not a multiple of ROWS=10");
    assert_error(find(v, "gemm_tiled cpu WM=6", &sp_tuned_gemm_tiled, &cpu), SP_EFORMAT,
                 "f.tune:1: gemm_tiled: a tile of TM=64 x TN=64 cannot be parted into WM=6 x WN=4");
    assert_error(find(v, "gemm_tiled any WM=2", &sp_tuned_gemm_tiled, &gpu), SP_EFORMAT,
                 "gemm_tiled: TM=64 TN=64 WM=2 WN=4 need work-groups of 512 items, and gpu runs at most 256");
    assert_error(find(v, "gemm_tiled gpu TK=64", &sp_tuned_gemm_tiled, &gpu), SP_EFORMAT,
                 "gemm_tiled: TM=64 TN=64 TK=64 need 33280 bytes of local memory, and gpu has 32768");
    assert_ok(find(v, "gemm_tiled gpu TK=64", &sp_tuned_gemm_tiled, &cpu)); /* a record that is not for it */
    assert_error(find(v, "", &sp_tuned_gemm_tiled, &other), SP_EDEVICE, "gemm_tiled: TM=64 TN=64 WM=4 WN=4 need");
    assert_error(find(v, "gemm_tiled any TM=32 TN=32", &sp_tuned_gemm_tiled, &other), SP_EFORMAT, "need 4224 bytes");
    assert_ok(find(v, "gemm_tiled any TM=32 TN=32 TK=8", &sp_tuned_gemm_tiled, &other));
}

static size_t draw(size_t below)
{
    static uint64_t draws;

    return (size_t)(sp_rng_u64(11, SP_RNG_SHUFFLE, 0, draws++) % below);
}

/* Whatever the bytes are: a message, or values that the kernels allow. */
static void test_mutations(void **state)
{
    static const char seed[] = "# a file\ngemm_packed cpu DEPTH=256 ROWS=12 ROW_BLOCK=96 # here\n\n"
                               "gemm_tiled any TK=16 TM=64 TN=64 WM=4 WN=4\ngemm_packed gpu ROWS=8\n";
    static const char *const pieces[] = { "\n", " ", "#", "=", "\t", "\r", "gemm_packed", "any", "cpu ", "ROWS=",
        "96", "64", "" };
    size_t accepted = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[1024];
        size_t length = sizeof seed - 1;
        struct sp_tuning tuning;
        int v[SP_TUNABLES];

        memcpy(text, seed, length);
        for (size_t n = 1 + draw(4); n > 0; n--) {
            const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
            size_t at = draw(length + 1), gone = draw(12), added = strlen(piece);

            gone = gone > length - at ? length - at : gone;
            memmove(text + at + added, text + at + gone, length - at - gone);
            memcpy(text + at, piece, added);
            length += added - gone;
            if (draw(2))
                text[draw(length + 1)] = (char)draw(256);
        }
        if (parse_bytes(&tuning, text, length) < 0) {
            assert_contains(sp_error_message(), "f.tune:");
            assert_true(!tuning.name && !tuning.records);
            continue;
        }
        for (size_t k = 0; sp_tuned_list[k]; k++)
            for (size_t t = 0; t < 2; t++) {
                int rc = sp_tuning_find(v, &tuning, sp_tuned_list[k], t ? &gpu : &cpu);

                assert_true(rc == 0 || rc == SP_EFORMAT);
                for (size_t i = 0, a = 0; sp_tuned_list[k]->tunables[i].name; i++, a = 0) {
                    while (sp_tuned_list[k]->tunables[i].allowed[a] != v[i])
                        assert_true(sp_tuned_list[k]->tunables[i].allowed[a++] != 0);
                }
            }
        sp_tuning_free(&tuning);
        accepted++;
    }
    assert_true(accepted > 100);
}

static void write_file(const char *text)
{
    assert_ok(sp_fs_write(path, text, strlen(text)));
}

/* The defines of the device's first program after a product was recorded. */
static int record(const char **defines, struct sp_device *device, const char *family_name)
{
    const struct sp_gemm_family *family;
    struct sp_gemm_weight weight = { 0 };
    struct sp_buffer *x;
    int rc = sp_gemm_choose(&family, device, family_name);

    if (rc < 0)
        return rc;
    sp_device_set_recording(device, true);
    assert_ok(sp_gemm_weight_create(&weight, device, family, 16, 16, false));
    assert_ok(sp_buffer_create(&x, device, 100 * 16 * sizeof(float)));
    rc = sp_gemm_forward(device, &weight, x, x, 100, NULL, SP_ACTIVATION_NONE, NULL);
    sp_buffer_free(x);
    sp_gemm_weight_free(&weight);
    *defines = rc < 0 ? "" : sp_table_of(device)->programs[0].defines;
    return rc;
}

static void test_launch(void **state)
{
    const char *defines;

    write_file("gemm_packed any ROWS=8 DEPTH=64 ROW_BLOCK=24\n");
    assert_ok(record(&defines, *state, "packed"));
    assert_contains(defines, "-DMR=8 ");
    assert_contains(defines, "-DKC=64 ");
    assert_contains(defines, "-DMB=24 ");
    write_file("read once\n");
    assert_ok(record(&defines, *state, "packed"));
}

static void test_launch_tiled(void **state)
{
    const char *defines;

    write_file("gemm_tiled any TM=32 TN=16 TK=8 WM=2 WN=1\n");
    assert_ok(record(&defines, *state, "tiled"));
    assert_contains(defines, "-DTM=32 -DTN=16 -DTK=8 -DWM=2 -DWN=1 ");
}

static void test_unreadable(void **state)
{
    char *large = sp_calloc(70000, 1);
    const struct sp_device_info *info = sp_device_info(*state);
    const char *defines, *defaults = info->vector_floats && info->vector_floats < 16 ? "-DMR=2 " : "-DMR=12 ";

    setenv("SPEFT_TUNING_FILE", "/nonexistent/x.tune", 1);
    assert_error(record(&defines, *state, "packed"), SP_ENOTFOUND,
                 "$SPEFT_TUNING_FILE: cannot open /nonexistent/x.tune");
    setenv("SPEFT_TUNING_FILE", path, 1);
    memset(large, '\n', 69999);
    write_file(large);
    free(large);
    assert_error(record(&defines, *state, "packed"), SP_ELIMIT, "larger than the limit");
    write_file("gemm_tiled any TM=128 TK=5\n"); /* a wrong record stops every kernel */
    assert_error(record(&defines, *state, "packed"), SP_EFORMAT, "TK cannot be '5'; it is one of 4, 8, 16, 32, 64");
    assert_contains(sp_error_message(), path);
    write_file("");
    assert_ok(record(&defines, *state, "packed"));
    assert_contains(defines, defaults);
}

static int setup(void **state)
{
    int file = mkstemp(path);

    (void)state;
    if (file >= 0)
        close(file);
    setenv("SPEFT_TUNING_FILE", path, 1);
    return file < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_declared),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test_setup_teardown(test_launch, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_launch_tiled, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_unreadable, open_device, close_device),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
