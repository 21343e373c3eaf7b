/* Adapter folders and mask files: round trips, every way a folder can be wrong, saving that fails
 * or replaces. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const float weight[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static uint32_t positions[4] = { 0, 3, 4, 11 };
static float deltas[4] = { 0.5f, -1, 3e-40f, 2 };
static float head[4] = { 1, 2, 3, 4 };

static struct sp_adapter_sparse sparse[2];
static struct sp_adapter_dense dense[2];
static char checksum[65];

/* A base model of two weights, w and v, both 3 x 4. */
static struct sp_checkpoint *open_base(const char *name, const float *data)
{
    struct sp_tensor_info tensors[2] = {
        { .name = "w", .dtype = SP_F32, .rank = 2, .shape = { 3, 4 }, .data = weight },
        { .name = "v", .dtype = SP_F32, .rank = 2, .shape = { 3, 4 }, .data = data },
    };
    struct sp_checkpoint *base;
    const char *sum;
    char file[64];

    snprintf(file, sizeof file, "%s/config.json", name);
    io_write_text(file, "{}");
    snprintf(file, sizeof file, "%s/model.safetensors", name);
    assert_int_equal(sp_safetensors_write(io_path(file), tensors, 2), 0);
    assert_int_equal(sp_checkpoint_open(&base, io_path(name)), 0);
    assert_int_equal(sp_checkpoint_checksum(&sum, base), 0);
    snprintf(checksum, sizeof checksum, "%s", sum);
    return base;
}

/* w has four deltas, v none; a head. The JSON values are the caller's to release. */
static struct sp_adapter sample(void)
{
    snprintf(checksum, sizeof checksum, "%064d", 0);
    sparse[0] = (struct sp_adapter_sparse){ "w", 3, 4, 4, positions, deltas };
    sparse[1] = (struct sp_adapter_sparse){ "v", 3, 4, 0, NULL, NULL };
    dense[0] = (struct sp_adapter_dense){ "classifier.weight", 2, { 2, 2 }, head };
    dense[1] = (struct sp_adapter_dense){ "classifier.bias", 1, { 2 }, head };
    return (struct sp_adapter){
        .sparse = sparse, .sparse_count = 2, .dense = dense, .dense_count = 2,
        .base_name = "tiny", .base_checksum = checksum, .method = "static",
        .task = "classification", .labels = json_pack("[s, s]", "no", "yes"),
        .config = json_pack("{s:f}", "learning_rate", 1e-3),
    };
}

static void drop_json(const struct sp_adapter *adapter)
{
    json_decref((json_t *)(size_t)adapter->labels);
    json_decref((json_t *)(size_t)adapter->config);
}

static void save_sample(const char *name)
{
    struct sp_adapter adapter = sample();

    if (sp_adapter_save(io_path(name), &adapter) != 0)
        fail_msg("%s", sp_error_message());
    drop_json(&adapter);
}

static void test_round_trip(void **state)
{
    const struct sp_adapter_dense *bias;
    struct sp_adapter got;

    (void)state;
    save_sample("run/adapter");
    assert_int_equal(io_entries(io_path("run")), 1);
    assert_int_equal(io_entries(io_path("run/adapter")), 2);
    assert_int_equal(sp_adapter_load(&got, io_path("run/adapter")), 0);
    assert_string_equal(got.base_name, "tiny");
    assert_string_equal(got.base_checksum, checksum);
    assert_string_equal(got.method, "static");
    assert_string_equal(got.task, "classification");
    assert_int_equal(json_array_size(got.labels), 2);
    assert_string_equal(json_string_value(json_array_get(got.labels, 1)), "yes");
    assert_true(json_real_value(json_object_get(got.config, "learning_rate")) == 1e-3);
    assert_int_equal(got.sparse_count, 2);
    assert_string_equal(got.sparse[0].name, "w");
    assert_int_equal(got.sparse[0].rows, 3);
    assert_int_equal(got.sparse[0].cols, 4);
    assert_int_equal(got.sparse[0].count, 4);
    assert_memory_equal(got.sparse[0].indices, positions, sizeof positions);
    assert_memory_equal(got.sparse[0].values, deltas, sizeof deltas);
    assert_int_equal(sp_adapter_find_sparse(&got, "v")->count, 0);
    assert_null(sp_adapter_find_sparse(&got, "classifier.bias"));
    bias = sp_adapter_find_dense(&got, "classifier.bias");
    assert_int_equal(bias->rank, 1);
    assert_int_equal(bias->shape[0], 2);
    assert_memory_equal(bias->data, head, 8);
    assert_null(sp_adapter_find_dense(&got, "w"));
    sp_adapter_release(&got);
    sp_adapter_release(&got);
}

/* Regression without labels; method full, which has dense tensors only. */
static void test_full(void **state)
{
    struct sp_adapter adapter = sample(), got;

    (void)state;
    drop_json(&adapter);
    adapter.labels = NULL;
    adapter.config = json_object();
    adapter.sparse_count = 0;
    adapter.method = "full";
    adapter.task = "regression";
    assert_int_equal(sp_adapter_save(io_path("a/"), &adapter), 0);
    json_decref((json_t *)(size_t)adapter.config);
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    assert_null(got.labels);
    assert_int_equal(got.sparse_count, 0);
    assert_int_equal(got.dense_count, 2);
    sp_adapter_release(&got);
}

static void test_base(void **state)
{
    struct sp_adapter adapter = sample(), got;
    struct sp_checkpoint *base = open_base("base", weight), *other;
    char own[65];

    (void)state;
    assert_int_equal(sp_adapter_save(io_path("a"), &adapter), 0); /* base_checksum is `checksum` */
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    assert_int_equal(sp_adapter_check_base(&got, base), 0);
    memcpy(own, checksum, sizeof own);
    other = open_base("other", weight + 0);
    assert_int_equal(sp_adapter_check_base(&got, other), 0); /* a copy is the same model */
    sp_checkpoint_close(other);
    other = open_base("changed", (const float[12]){ 0 });
    io_assert_error(sp_adapter_check_base(&got, other), SP_EINVAL, io_path("a"), "tiny", own,
                    io_path("changed"), checksum, NULL);
    memcpy(checksum, own, sizeof own);
    sp_checkpoint_close(other);
    sp_adapter_release(&got);

    sparse[0].rows = 4; /* right checksum, but positions might lie outside the weight */
    assert_int_equal(sp_adapter_save(io_path("a"), &adapter), 0);
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    io_assert_error(sp_adapter_check_base(&got, base), SP_EFORMAT, "[4, 4]", "F32 [3, 4]", NULL);
    sp_adapter_release(&got);
    sparse[0].name = "u";
    assert_int_equal(sp_adapter_save(io_path("a"), &adapter), 0);
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    io_assert_error(sp_adapter_check_base(&got, base), SP_EFORMAT, "changes u", io_path("base"),
                    NULL);
    sp_adapter_release(&got);
    drop_json(&adapter);
    sp_checkpoint_close(base);
}

/* ---- folders that are wrong ---- */

#define DOCUMENT(version, base, labels, config, sparse, dense)                                     \
    "{\"format_version\":" version ",\"base_model\":" base                                         \
    ",\"method\":\"static\",\"task\":\"classification\",\"labels\":" labels ",\"config\":" config  \
    ",\"sparse\":" sparse ",\"dense\":" dense "}"
#define BASE "{\"name\":\"b\",\"sha256\":\"0\"}"
#define LABELS "[\"no\",\"1\"]"
#define SPARSE "{\"w\":{\"shape\":[3,4]}}"
#define DENSE "[\"h\"]"
#define GOOD DOCUMENT("1", BASE, LABELS, "{}", SPARSE, DENSE)

static const struct sp_tensor_info good_tensors[3] = {
    { .name = "w.indices", .dtype = SP_U32, .rank = 1, .shape = { 4 }, .data = positions },
    { .name = "w.values", .dtype = SP_F32, .rank = 1, .shape = { 4 }, .data = deltas },
    { .name = "h", .dtype = SP_F32, .rank = 2, .shape = { 2, 2 }, .data = head },
};

static int load(const char *document, const struct sp_tensor_info *tensors, size_t count)
{
    struct sp_adapter adapter;
    int rc;

    io_write_text("a/adapter.json", document);
    assert_int_equal(sp_safetensors_write(io_path("a/adapter.safetensors"), tensors, count), 0);
    rc = sp_adapter_load(&adapter, io_path("a"));
    sp_adapter_release(&adapter); /* fine after a failure too */
    return rc;
}

static void bad_document(const char *document, const char *part)
{
    io_assert_error(load(document, good_tensors, 3), SP_EFORMAT, io_path("a/adapter.json"), part,
                    NULL);
}

static void test_wrong_document(void **state)
{
    (void)state;
    assert_int_equal(load(GOOD, good_tensors, 3), 0);
    bad_document("", "JSON");
    bad_document("[]", "not a JSON object");
    bad_document("{", ":1:");
    bad_document("{}", "format_version");
    bad_document(DOCUMENT("2", BASE, LABELS, "{}", SPARSE, DENSE), "newer");
    bad_document(DOCUMENT("\"1\"", BASE, LABELS, "{}", SPARSE, DENSE), "integer");
    bad_document(DOCUMENT("1", "\"b\"", LABELS, "{}", SPARSE, DENSE), "base_model");
    bad_document(DOCUMENT("1", "{\"name\":\"b\"}", LABELS, "{}", SPARSE, DENSE), "sha256");
    bad_document(DOCUMENT("1", "{\"name\":1}", LABELS, "{}", SPARSE, DENSE), "name");
    bad_document(DOCUMENT("1", BASE, "[\"one\"]", "{}", SPARSE, DENSE), "labels");
    bad_document(DOCUMENT("1", BASE, "[\"a\",\"b\",\"a\"]", "{}", SPARSE, DENSE),
                 "\"labels\"[2] is \"a\", as one before it is");
    bad_document(DOCUMENT("1", BASE, "{}", "{}", SPARSE, DENSE), "labels");
    bad_document(DOCUMENT("1", BASE, "[]", "{}", SPARSE, DENSE), "labels");
    bad_document(DOCUMENT("1", BASE, "[\"a\",1]", "{}", SPARSE, DENSE), "\"labels\"[1] is not a string");
    bad_document(DOCUMENT("1", BASE, LABELS, "null", SPARSE, DENSE), "config");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", "[]", DENSE), "\"sparse\"");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", SPARSE, "{}"), "\"dense\"");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", SPARSE, "[1]"), "entry 0");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", SPARSE, "[\"h\",\"h\"]"), "named twice");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", SPARSE, "[\"w.values\",\"h\"]"), "named twice");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", SPARSE, "[\"w\",\"h\"]"), "sparse and dense");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", "{\"w\":1}", DENSE), "shape");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", "{\"w\":{\"shape\":[12]}}", DENSE), "shape");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", "{\"w\":{\"shape\":[0,4]}}", DENSE), "shape");
    bad_document(DOCUMENT("1", BASE, LABELS, "{}", "{\"w\":{\"shape\":[-3,-4]}}", DENSE), "shape");
    bad_document("{\"format_version\":1,\"base_model\":" BASE ",\"task\":\"x\"}", "method");
}

static void bad_tensors(int code, const struct sp_tensor_info *tensors, size_t count,
                        const char *part)
{
    io_assert_error(load(GOOD, tensors, count), code, io_path("a/adapter.safetensors"), part, NULL);
}

static void test_wrong_tensors(void **state)
{
    struct sp_tensor_info t[4];

    (void)state;
#define FRESH() memcpy(t, good_tensors, sizeof good_tensors)
    FRESH();
    bad_tensors(SP_EFORMAT, t, 0, "w.indices is missing");
    bad_tensors(SP_EFORMAT, t, 1, "w.values is missing");
    bad_tensors(SP_EFORMAT, t, 2, "tensor h is missing");
    t[3] = t[2];
    t[3].name = "stranger";
    bad_tensors(SP_EFORMAT, t, 4, "stranger is not named");
    t[0].shape[0] = 3;
    bad_tensors(SP_EFORMAT, t, 3, "same length");
    FRESH();
    t[0].rank = t[1].rank = 2;
    t[0].shape[1] = t[1].shape[1] = 1;
    bad_tensors(SP_EFORMAT, t, 3, "U32 [4, 1]");
    FRESH();
    t[0].rank = t[1].rank = 0;
    bad_tensors(SP_EFORMAT, t, 3, "U32 []");
    FRESH();
    t[0].dtype = SP_I32;
    bad_tensors(SP_EFORMAT, t, 3, "w.indices is I32; expected U32");
    FRESH();
    t[1].dtype = SP_I32;
    bad_tensors(SP_EFORMAT, t, 3, "w.values is I32; expected F32");
    FRESH();
    t[2].dtype = SP_BF16;
    bad_tensors(SP_EFORMAT, t, 3, "h is BF16; expected F32");
    FRESH();
    t[0].data = (const uint32_t[4]){ 0, 3, 4, 12 };
    bad_tensors(SP_EFORMAT, t, 3, "entry 3 is 12, outside a weight of 3 x 4");
    t[0].data = (const uint32_t[4]){ 0, 3, 4, UINT32_MAX };
    bad_tensors(SP_EFORMAT, t, 3, "outside");
    t[0].data = (const uint32_t[4]){ 0, 4, 3, 11 };
    bad_tensors(SP_EFORMAT, t, 3, "entry 2 is 3 after 4");
    t[0].data = (const uint32_t[4]){ 0, 4, 4, 11 };
    bad_tensors(SP_EFORMAT, t, 3, "unique");
    FRESH();
    t[1].data = (const float[4]){ 0, 1, NAN, 2 };
    bad_tensors(SP_ENUMERIC, t, 3, "w.values: element 2 is");
    t[1].data = (const float[4]){ 0, 1, 2, -INFINITY };
    bad_tensors(SP_ENUMERIC, t, 3, "w.values: element 3 is");
    FRESH();
    t[2].data = (const float[4]){ INFINITY };
    bad_tensors(SP_ENUMERIC, t, 3, "h: element 0 is");
}

static void test_wrong_folder(void **state)
{
    struct sp_adapter adapter;
    struct sp_tensor_info wide = { .name = "w.indices", .dtype = SP_U32, .rank = 1,
                                   .shape = { 4 }, .data = positions };

    (void)state;
    io_assert_error(sp_adapter_load(&adapter, io_path("none")), SP_ENOTFOUND, io_path("none"),
                    NULL);
    io_write_text("a/adapter.json", GOOD);
    io_assert_error(sp_adapter_load(&adapter, io_path("a")), SP_ENOTFOUND, "adapter.safetensors",
                    NULL);
    io_write_text("a/adapter.safetensors", "short");
    io_assert_error(sp_adapter_load(&adapter, io_path("a")), SP_EFORMAT, "adapter.safetensors",
                    NULL);
    io_write_tensors("a/adapter.safetensors",
                     "{\"h\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                     "\"w.indices\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 5);
    io_assert_error(sp_adapter_load(&adapter, io_path("a")), SP_EFORMAT, "aligned", NULL);
    io_assert_error(load(DOCUMENT("1", BASE, LABELS, "{}", "{\"w\":{\"shape\":[65536,65537]}}",
                                  DENSE), good_tensors, 3),
                    SP_EFORMAT, "65536 x 65537", "32-bit", NULL);
    io_assert_error(load(DOCUMENT("1", BASE, LABELS, "{}",
                                  "{\"w\":{\"shape\":[9223372036854775807,9]}}", DENSE),
                         good_tensors, 3),
                    SP_EFORMAT, "32-bit", NULL);
    assert_int_equal(load(DOCUMENT("1", BASE, LABELS, "{}", "{\"w\":{\"shape\":[65536,65536]}}",
                                   DENSE), good_tensors, 3), 0);
    io_assert_error(load(GOOD, &wide, 1), SP_EFORMAT, "w.values is missing", NULL);
}

/* ---- saving ---- */

static void test_save_refuses(void **state)
{
    struct sp_adapter adapter = sample();
    uint32_t unsorted[4] = { 3, 0, 4, 11 };
    float broken[4] = { 0, NAN, 0, 0 };

    (void)state;
    sparse[0].indices = unsorted;
    io_assert_error(sp_adapter_save(io_path("a"), &adapter), SP_EFORMAT, "sorted", NULL);
    sparse[0].indices = positions;
    sparse[0].values = broken;
    io_assert_error(sp_adapter_save(io_path("a"), &adapter), SP_ENUMERIC, "w: element 1", NULL);
    sparse[0].values = deltas;
    dense[1].data = broken;
    io_assert_error(sp_adapter_save(io_path("a"), &adapter), SP_ENUMERIC, "classifier.bias", NULL);
    dense[1].data = head;
    adapter.base_name = "\xff";
    io_assert_error(sp_adapter_save(io_path("a"), &adapter), SP_EINVAL, "UTF-8", NULL);
    adapter.base_name = "tiny";
    dense[1].name = "w.values";
    io_assert_error(sp_adapter_save(io_path("a"), &adapter), SP_EINVAL, "twice", NULL);
    assert_int_equal(io_entries(io_path("")), 0);
    drop_json(&adapter);
}

static void test_save_replaces(void **state)
{
    struct sp_adapter adapter, got;
    char *text;

    (void)state;
    save_sample("a");
    io_write_text("a/README.md", "mine");
    io_write_text("a/notes/x", "also mine");
    adapter = sample();
    adapter.method = "second";
    assert_int_equal(sp_adapter_save(io_path("a"), &adapter), 0);
    drop_json(&adapter);
    assert_int_equal(io_entries(io_path("")), 1);
    assert_int_equal(io_entries(io_path("a")), 4);
    assert_int_equal(sp_fs_read(&text, NULL, io_path("a/README.md"), 100), 0);
    assert_string_equal(text, "mine");
    free(text);
    assert_true(sp_fs_exists(io_path("a/notes/x")));
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    assert_string_equal(got.method, "second");
    sp_adapter_release(&got);

    assert_int_equal(symlink("a", io_path("link")), 0); /* a link stays one */
    save_sample("link");
    assert_int_equal(io_entries(io_path("")), 2);
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    assert_string_equal(got.method, "static");
    sp_adapter_release(&got);
}

/* Whatever goes wrong, the old adapter is whole and nothing else is left. */
static void test_save_fails_clean(void **state)
{
    struct sp_adapter adapter, got;
    size_t first, second, largest;
    char *text;

    (void)state;
    save_sample("a");
    assert_int_equal(sp_fs_read(&text, &first, io_path("a/adapter.safetensors"), 1 << 20), 0);
    free(text);
    assert_int_equal(sp_fs_read(&text, &second, io_path("a/adapter.json"), 1 << 20), 0);
    free(text);
    largest = first > second ? first : second;
    adapter = sample();
    adapter.base_name = "some"; /* other contents of the same size */
    for (size_t limit = 1; limit < largest; limit += 30) {
        io_limit_files(limit);
        if (sp_adapter_save(io_path("a"), &adapter) == 0)
            fail_msg("saved under a limit of %zu", limit);
        io_limit_files(0);
        assert_non_null(strstr(sp_error_message(), "while saving the adapter"));
        assert_int_equal(io_entries(io_path("")), 1);
        assert_int_equal(io_entries(io_path("a")), 2);
    }
    assert_int_equal(sp_adapter_load(&got, io_path("a")), 0);
    assert_string_equal(got.base_name, "tiny");
    sp_adapter_release(&got);
    io_write_text("file", "");
    io_assert_error(sp_adapter_save(io_path("file"), &adapter), SP_EIO, "in the way", NULL);
    io_assert_error(sp_adapter_save(io_path("file/a"), &adapter), SP_EIO, "file", NULL);
    assert_true(sp_adapter_save("/proc/speft/a", &adapter) < 0);
    assert_int_equal(io_entries(io_path("")), 2);
    drop_json(&adapter);
}

static void test_mask(void **state)
{
    struct sp_adapter adapter = sample();
    const struct sp_tensor_info *tensor;
    struct sp_safetensors *file;

    (void)state;
    drop_json(&adapter);
    assert_int_equal(sp_adapter_save_mask(io_path("mask"), "00ff", sparse, 2), 0);
    assert_int_equal(sp_safetensors_open(&file, io_path("mask")), 0);
    assert_int_equal(sp_safetensors_count(file), 2);
    assert_int_equal(sp_safetensors_find(file, "v.indices")->count, 0);
    tensor = sp_safetensors_find(file, "w.indices");
    assert_int_equal(tensor->dtype, SP_U32);
    assert_int_equal(tensor->rank, 1);
    assert_int_equal(tensor->count, 4);
    assert_memory_equal(tensor->data, positions, sizeof positions);
    sp_safetensors_close(file);
    sparse[0].rows = 2;
    io_assert_error(sp_adapter_save_mask(io_path("mask"), "00ff", sparse, 2), SP_EFORMAT, "outside", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_full),
        TEST(test_base),
        TEST(test_wrong_document),
        TEST(test_wrong_tensors),
        TEST(test_wrong_folder),
        TEST(test_save_refuses),
        TEST(test_save_replaces),
        TEST(test_save_fails_clean),
        TEST(test_mask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
