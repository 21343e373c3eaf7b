/*
 * A driver that computes wrong numbers is noticed before the first step. tests/support/fake_cl.c stands between the
 * program and the driver at hand and skips, cuts short, scales or poisons one kernel; each kernel that training
 * launches is its victim in turn, in each way, for all methods, metrics, optimizers, products and both geometries, and
 * each command on buffers, which is skipped. The run must end before its first step with an error that names the
 * kernel. Undisturbed, every kernel of a run is checked before its first step, and no step waits for a check.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/base/child.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/check.h"
#include "runtime/kernel/launch.h"
#include "runtime/kernel/sources.h"
#include "runtime/kernel/worker.h"
#include "runtime/op/geometry.h"
#include "runtime/train/generate.h"
#include "runtime/train/trained.h"
#include "runtime/train/trainer.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAMES = 64, LANES = 64 };

/* Kernels by name. */
struct names {
    size_t count;
    char name[NAMES][64];
};

static struct names seen[2]; /* by geometry: launched by a run, and then made wrong in every way */
static int lanes;            /* of the geometry of now */
static bool stepping;        /* the run is at its first step, or past it */
/* where not NULL: kernels that a run's recording has, and that were then made wrong in every way */
static struct names *probed;

static const char *const modes[] = { "skip", "cut", "scale", "poison" };
enum { MODES = sizeof modes / sizeof *modes };

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

static bool add_name(struct names *names, const char *name)
{
    if (has_name(names, name))
        return false;
    assert_true(names->count < NAMES && strlen(name) < sizeof names->name[0]);
    snprintf(names->name[names->count++], sizeof names->name[0], "%s", name);
    return true;
}

/* ---- watching a run ---------------------------------------------------------------------------------------------- */

int __real_sp_trained_before_step(struct sp_trained *t, struct sp_run *run, size_t done);
int __wrap_sp_trained_before_step(struct sp_trained *t, struct sp_run *run, size_t done);

int __wrap_sp_trained_before_step(struct sp_trained *t, struct sp_run *run, size_t done)
{
    stepping = true;
    return __real_sp_trained_before_step(t, run, done);
}

int __real_sp_check_before_use(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry);
int __wrap_sp_check_before_use(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry);

int __wrap_sp_check_before_use(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry)
{
    if (stepping && !entry->checked)
        fail_msg("%s (%s) was not checked before the first step", entry->kernel,
                 table->programs[entry->program].defines);
    return __real_sp_check_before_use(device, table, entry);
}

int __real_sp_kernel_build_recorded(struct sp_device *device);
int __wrap_sp_kernel_build_recorded(struct sp_device *device);

/* A driver that does `victim` wrong in the way `mode` from now on; NULL, NULL: all right again. */
static void spoil(const char *victim, const char *mode)
{
    setenv("FAKE_CL_KERNEL", victim ? victim : "", 1);
    setenv("FAKE_CL_MODE", mode ? mode : "", 1);
}

/* The message at hand names the kernel. */
static void check_message(const char *kernel)
{
    char expected[160];

    snprintf(expected, sizeof expected, "computes wrong numbers: kernel %s (", kernel);
    assert_contains(sp_error_message(), expected);
}

/* Each kernel that the plan noted is wrong in turn; one that has been caught is checked again, one that passed is
 * not. */
int __wrap_sp_kernel_build_recorded(struct sp_device *device)
{
    for (struct sp_function_entry *e = probed ? sp_table_of(device)->first : NULL; e; e = e->next) {
        if (!e->wanted || e->checked || strcmp(e->kernel, "CLBlastSgemm") == 0 ||
            has_name(&seen[lanes > 1], e->kernel) || strncmp(e->kernel, "clEnqueue", 9) == 0 ||
            !add_name(probed, e->kernel))
            continue;
        for (size_t m = 0; m < MODES; m++) {
            spoil(e->kernel, modes[m]);
            if (__real_sp_kernel_build_recorded(device) != SP_ENUMERIC)
                fail_msg("%s, %s: not noticed", e->kernel, modes[m]);
            check_message(e->kernel);
        }
    }
    if (probed)
        spoil(NULL, NULL);
    return __real_sp_kernel_build_recorded(device);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

int __real_sp_device_open(struct sp_device **out, const char *spec);
int __wrap_sp_device_open(struct sp_device **out, const char *spec);

int __wrap_sp_device_open(struct sp_device **out, const char *spec)
{
    int rc = __real_sp_device_open(out, spec);

    if (rc == 0)
        sp_device_set_lanes(*out, lanes);
    return rc;
}

/* Verdicts of earlier runs would spare a kernel. */
static void forget_verdicts(void)
{
    char *folder = sp_fs_cache_dir("programs");
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strstr(entry->d_name, ".checked"))
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    if (dir)
        closedir(dir);
    free(folder);
}

/* Goes on with a text instead of training, past its first pass, which are the steps here. */
static int generate(struct sp_run *run)
{
    static const uint32_t prompt[] = { 5, 6, 7 };
    const struct sp_generate_limits limits = { .texts = 1, .longest = 40, .pass = 3 };
    uint32_t tokens[4];
    struct sp_generation text = { .prompt = prompt, .prompt_length = 3, .max_new_tokens = 4, .tokens = tokens };
    int rc = sp_run_open(run);

    if (rc == 0)
        rc = sp_generate_open(run, &limits);
    stepping = rc == 0;
    return rc < 0 ? rc : sp_generate(run, &limits, &text, 1, &(struct sp_generate_options){ .sample = { .top_p = 1 } });
}

static bool generates; /* the setting of now */

/* Trains by the configuration, or generates; `names`, where not NULL, receives the kernels that were launched. */
static int train(const char *path, struct names *names)
{
    struct sp_config config;
    struct sp_train_result result;
    struct sp_run run = { .config = &config, .families = sp_model_families, .family_count = sp_model_family_count };
    int rc;

    stepping = false;
    assert_ok(sp_config_load(&config, path, NULL, 0));
    rc = generates ? generate(&run) : sp_train(&result, &run);
    if (rc == 0 && names)
        for (struct sp_function_entry *e = sp_table_of(run.device)->first; e; e = e->next)
            if (e->wanted) {
                assert_true(e->checked);
                add_name(names, e->kernel);
            }
    sp_run_close(&run);
    sp_config_release(&config);
    return rc;
}

/* A run in which the driver does `victim` wrong in the way `mode` ends before its first step and names `kernel`. */
static void disturb(const char *path, const char *victim, const char *kernel, const char *mode)
{
    int rc;

    forget_verdicts();
    spoil(victim, mode);
    rc = train(path, NULL);
    spoil(NULL, NULL);
    if (rc == 0 || stepping)
        fail_msg("%s, %s: %s", victim, mode, rc == 0 ? "not noticed" : "noticed after the first step began");
    assert_int_equal(rc, SP_ENUMERIC);
    check_message(kernel);
    assert_false(sp_fs_exists(program_path("run/adapter")));
}

/* The driver's kernels that CLBlast launched. */
static void disturb_clblast(const char *path, const char *log)
{
    char line[128];
    FILE *file = fopen(log, "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t m = 0; line[0] >= 'A' && line[0] <= 'Z' && m < MODES; m++)
            disturb(path, line, "CLBlastSgemm", modes[m]);
    }
    fclose(file);
}

static size_t said; /* how often the user was told that kernels are checked */

static void listen(enum sp_log_level level, const char *text, void *user)
{
    (void)level, (void)user;
    said += strstr(text, " against double precision") != NULL;
}

/* A kernel that was found good is not checked again: not even one that has become wrong since. */
static void check_verdicts(const char *path)
{
    said = 0;
    sp_log_set_sink(listen, NULL);
    spoil("norm_finish", "scale");
    assert_ok(train(path, NULL));
    assert_int_equal(said, 0);
    spoil(NULL, NULL);
    forget_verdicts();
    assert_ok(train(path, NULL));
    assert_true(said > 0);
    sp_log_set_sink(NULL, NULL);
}

struct setting {
    const char *name, *data; /* of tests/data/reference */
    int lanes;
    const char *options; /* JSON */
};

static void test_setting(void **state)
{
    const struct setting *setting = *state;
    const char *source = program_source("tests/data/reference/%s", setting->data), *path;
    const char *log = program_path("%s.log", setting->name);
    json_t *options = json_loads(setting->options, 0, NULL);
    struct names names = { 0 }, noted = { 0 }, *known = &seen[setting->lanes > 1];

    assert_non_null(options);
    json_object_set_new(options, "model_name_or_path", json_string(source));
    json_object_set_new(options, "train_file", json_sprintf("%s/train.jsonl", source));
    json_object_set_new(options, "validation_file", json_sprintf("%s/eval.jsonl", source));
    json_object_set_new(options, "output_dir", json_string(program_path("run")));
    json_object_set_new(options, "max_seq_length", json_integer(40));
    if (!json_object_get(options, "max_steps"))
        json_object_set_new(options, "max_steps", json_integer(2));
    path = program_write("config.json", options);
    json_decref(options);

    lanes = setting->lanes;
    generates = strncmp(setting->name, "generation", 10) == 0;
    forget_verdicts();
    setenv("FAKE_CL_LOG", log, 1);
    probed = &noted;
    assert_ok(train(path, &names));
    probed = NULL;
    unsetenv("FAKE_CL_LOG");
    assert_true(stepping);
    if (strcmp(setting->name, "static") == 0 || strcmp(setting->name, "CLBlast") == 0)
        check_verdicts(path);
    remove(program_path("run/adapter/adapter.safetensors"));
    remove(program_path("run/adapter/adapter.json"));
    remove(program_path("run/adapter"));
    for (size_t i = 0; i < names.count; i++) {
        if (!add_name(known, names.name[i]))
            continue;
        if (strcmp(names.name[i], "CLBlastSgemm") == 0) {
            disturb_clblast(path, log);
            continue;
        }
        if (strstr(names.name[i], " or ")) {
            disturb(path, "clEnqueueWriteBuffer", names.name[i], "skip");
            disturb(path, "clEnqueueReadBuffer", names.name[i], "skip");
            continue;
        }
        if (strncmp(names.name[i], "clEnqueue", 9) == 0) {
            disturb(path, names.name[i], names.name[i], "skip");
            continue;
        }
        /* every way, if it has not been so yet */
        for (size_t m = has_name(&noted, names.name[i]) ? MODES - 1 : 0; m < MODES; m++)
            disturb(path, names.name[i], names.name[i], modes[(i + m) % MODES]);
    }
}

/* Every kernel that there is was launched by one of the runs, but those that no plan has a use for. */
static void test_coverage(void **state)
{
    static const char *const unused[] = { "activation_forward" };
    static const char *const commands[] = { "clEnqueueWriteBuffer or clEnqueueReadBuffer", "clEnqueueFillBuffer",
                                            "clEnqueueCopyBuffer", "clEnqueueMapBuffer" };
    size_t found = 0;

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        assert_true(has_name(&seen[0], commands[i]));
    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++)
        assert_true(add_name(&seen[0], unused[i]));
    for (size_t i = 0; i < sp_cl_source_count; i++)
        for (const char *at = sp_cl_sources[i].text; (at = strstr(at, "void ")); at += 5) {
            const char *line = at, *name = at + 5;
            char kernel[64] = "";

            while (line > sp_cl_sources[i].text && line[-1] != ';' && line[-1] != '}' && line[-1] != '/')
                line--;
            if (!memmem(line, (size_t)(at - line), "__kernel", 8) && !memmem(line, (size_t)(at - line), "KERNEL", 6))
                continue;
            snprintf(kernel, sizeof kernel, "%.*s", (int)strcspn(name, "("), name);
            if (add_name(&seen[0], kernel) && add_name(&seen[1], kernel))
                fail_msg("no run launches kernel %s of %s", kernel, sp_cl_sources[i].path);
            found++;
        }
    assert_true(found > 30);
}

#define METRIC(name) { "metric " name, "binary", 1, "{\"sparse\": {\"count\": 90, \"metric\": \"" name "\"}}" }
#define SPIEL                                                                                                          \
    "\"sparse\": {\"method\": \"spiel\", \"count\": 90, \"reselection_steps\": 3, "                                    \
    "\"selection_accumulation_steps\": 2, \"growth\": "

static const struct setting settings[] = {
    { "static", "binary", 1, "{\"gradient_accumulation_steps\": 2, \"sparse\": {\"count\": 90}}" },
    { "static, sm3", "binary", 1, "{\"optimizer\": \"sm3\", \"sparse\": {\"count\": 90}}" },
    { "regression", "regression", 1, "{\"sparse\": {\"count\": 90}}" },
    { "classes, smoothed", "multiclass", 1,
      "{\"label_smoothing_factor\": 0.1, \"max_grad_norm\": 0, \"sparse\": {\"count\": 90}}" },
    { "spiel, ag", "binary", 1, "{\"max_steps\": 7, " SPIEL "\"ag\"}}" },
    { "spiel, ag, sm3", "binary", 1, "{\"max_steps\": 7, \"optimizer\": \"sm3\", " SPIEL "\"ag\"}}" },
    { "spiel, ma", "binary", 1, "{\"max_steps\": 7, \"optimizer\": \"sm3\", " SPIEL "\"ma\"}}" },
    { "dynamic, merge", "binary", 1,
      "{\"max_steps\": 5, \"sparse\": {\"method\": \"dynamic\", \"count\": 90, \"interval\": 2, \"on_drop\": "
      "\"merge\"}}" },
    { "dynamic, revert", "binary", 1,
      "{\"max_steps\": 5, \"sparse\": {\"method\": \"dynamic\", \"count\": 90, \"interval\": 2, \"on_drop\": "
      "\"revert\"}}" },
    { "full", "binary", 1, "{\"gradient_accumulation_steps\": 2, \"sparse\": {\"method\": \"full\"}}" },
    { "full, sm3", "binary", 1, "{\"optimizer\": \"sm3\", \"sparse\": {\"method\": \"full\"}}" },
    { "head", "binary", 1, "{\"sparse\": {\"method\": \"head\"}}" },
    { "causal", "decoders/gemma2", 1, "{\"sparse\": {\"count\": 90}}" },
    { "generation", "decoders/gemma2", 1, "{}" },
    { "generation by GPU's kernels", "decoders/gemma2", LANES, "{\"gemm\": \"tiled\"}" },
    METRIC("random"),
    METRIC("magnitude"),
    METRIC("magnitude_bottom"),
    METRIC("lift"),
    METRIC("synflow"),
    METRIC("gradient"),
    METRIC("snip"),
    METRIC("force"),
    METRIC("taylor_fo"),
    METRIC("grad_weight_ratio"),
    METRIC("wanda"),
    METRIC("fisher"),
    METRIC("grasp"),
    { "GPU's kernels", "binary", LANES,
      "{\"gemm\": \"tiled\", \"gradient_accumulation_steps\": 2, \"sparse\": {\"count\": 90}}" },
    { "GPU's kernels, full, sm3", "binary", LANES,
      "{\"gemm\": \"tiled\", \"optimizer\": \"sm3\", \"sparse\": {\"method\": \"full\"}}" },
    { "GPU's kernels, spiel", "regression", LANES, "{\"gemm\": \"tiled\", \"max_steps\": 7, " SPIEL "\"ag\"}}" },
    { "GPU's kernels, synflow", "binary", LANES,
      "{\"gemm\": \"tiled\", \"sparse\": {\"count\": 90, \"metric\": \"synflow\"}}" },
    { "GPU's kernels, causal", "decoders/gemma2", LANES,
      "{\"gemm\": \"tiled\", \"sparse\": {\"count\": 90}}" },
    { "CLBlast", "binary", 1, "{\"gemm\": \"clblast\", \"sparse\": {\"count\": 90}}" },
};

enum { SETTINGS = sizeof settings / sizeof *settings };

/* A cache of this test's own, as verdicts are taken out of it, with the programs that other tests have compiled. */
static void use_cache(void)
{
    char *from = sp_fs_cache_dir("programs"), *base = sp_asprintf("%s/self-test", getenv("SPEFT_CACHE_DIR")), *to;
    DIR *dir = opendir(from);
    int target;

    setenv("SPEFT_CACHE_DIR", base, 1);
    to = sp_fs_cache_dir("programs");
    assert_ok(sp_fs_mkdirs(to));
    target = open(to, O_RDONLY | O_DIRECTORY);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strstr(entry->d_name, ".program") && linkat(dirfd(dir), entry->d_name, target, entry->d_name, 0) != 0)
            continue; /* it is there already, or gone */
    if (dir)
        closedir(dir);
    close(target);
    free(to);
    free(base);
    free(from);
}

/* Puts the fake in the place of the one driver that tests/support/driver.sh gives the test. */
static int install(void **state)
{
    const char *folder = getenv("OCL_ICD_VENDORS");
    char *path = sp_asprintf("%s/driver.icd", folder ? folder : ""), *text = NULL, fake[PATH_MAX];

    if (program_setup(state) < 0 || !path || sp_fs_read(&text, NULL, path, 4096) < 0 ||
        !realpath("tests/support/fake_cl.so", fake))
        return -1;
    text[strcspn(text, "\n")] = '\0';
    setenv("FAKE_CL_LIBRARY", text, 1);
    free(text);
    free(path);
    use_cache();
    if (sp_fs_mkdirs(program_path("icd")) < 0 || sp_fs_write(program_path("icd/driver.icd"), fake, strlen(fake)) < 0)
        return -1;
    setenv("OCL_ICD_VENDORS", program_path("icd"), 1);
    return 0;
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[SETTINGS + 1];
    int status;

    sp_child_begin();
    if (sp_kernel_worker(argc, argv, &status))
        return status;
    for (int i = 0; i < SETTINGS; i++)
        tests[i] = (struct CMUnitTest){ .name = settings[i].name, .test_func = test_setting,
                                        .initial_state = (void *)(uintptr_t)&settings[i] };
    tests[SETTINGS] = (struct CMUnitTest)cmocka_unit_test(test_coverage);
    return _cmocka_run_group_tests("self-test", tests, SETTINGS + 1, install, program_teardown);
}
