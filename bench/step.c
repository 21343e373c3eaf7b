/*
 * The training step's speed, memory and where its time goes: speft-cl's own training on random token ids of full
 * length.
 *
 *     step --model DIR [--batch 32] [--length 128] [--rank-equivalent 8] [--steps 8] [--method static]
 *          [--set KEY=VALUE]... [--profile]
 *
 * Without --method the mask is random; --rank-equivalent 0 leaves the budget to --set. Prints one JSON line:
 * step_seconds of every step, tokens_per_second_best and _median over the steps after two, peak_mib of the process,
 * ready_seconds from the start of training to the first step, first_step_seconds to its end. --profile turns event
 * profiling on after two steps and prints the device time of a step by op to standard error, with the host's share as
 * what remains of the wall clock. bench/compare.py and bench/moving.py read the line.
 */
#include "models/models.h"
#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/kernel/worker.h"
#include "runtime/train/trainer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP 2
#define MAX_STEPS 1000
#define CLASSES 8

struct bench {
    struct sp_run run;
    const char *model, *method;
    int batch, length, rank, steps;
    bool profile;
    double seconds[MAX_STEPS + 1], last, profiled;
    int profiled_steps;
};

/* Called after each step: its time, and the profile from the end of the warm-up on. */
static void observe(void *user, const char *phase, size_t step, size_t total, double loss, double rate, bool logged)
{
    struct bench *b = user;
    double now = sp_clock_now();

    (void)total, (void)loss, (void)rate, (void)logged;
    if (strcmp(phase, "train") != 0)
        return;
    b->seconds[step] = now - b->last;
    if (step > WARM_UP && b->profile) {
        b->profiled += b->seconds[step];
        b->profiled_steps++;
    }
    if (step == WARM_UP && b->profile && sp_device_set_profiling(b->run.device, true) < 0)
        fprintf(stderr, "step: no profile: %s\n", sp_error_message());
    b->last = sp_clock_now();
}

/* Rows of random ids, all of full length, for `steps` batches; ids below 1000 are special or unused in BERT
 * vocabularies. */
static int write_data(const struct bench *b, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return sp_error(SP_EIO, "cannot write %s", path);
    for (int row = 0; row < b->batch * b->steps; row++) {
        fprintf(file, "{\"label\": %d, \"input_ids\": [", row % CLASSES);
        for (int t = 0; t < b->length; t++)
            fprintf(file, "%s%u", t ? ", " : "",
                    1000 + sp_rng_u32(7, SP_RNG_SHUFFLE, (uint32_t)row, (uint64_t)t) % 20000);
        fprintf(file, "]}\n");
    }
    return fclose(file) == 0 ? 0 : sp_error(SP_EIO, "cannot write %s", path);
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_profile(const struct bench *b)
{
    struct sp_profile_entry *entries;
    size_t count;
    double total = 0, step = b->profiled / b->profiled_steps * 1e3;

    if (sp_device_take_profile(b->run.device, &entries, &count) < 0) {
        fprintf(stderr, "step: no profile: %s\n", sp_error_message());
        return;
    }
    fprintf(stderr, "%-28s %8s %9s %7s\n", "op", "launches", "ms", "share");
    for (size_t i = 0; i < count; i++) {
        double ms = (double)entries[i].nanoseconds * 1e-6 / b->profiled_steps;

        total += ms;
        fprintf(stderr, "%-28s %8.1f %9.3f %6.1f %%\n", entries[i].label, (double)entries[i].count / b->profiled_steps,
                ms, 100 * ms / step);
    }
    fprintf(stderr, "%-28s %8s %9.3f %6.1f %%\n", "host and waiting", "", step - total, 100 * (step - total) / step);
    fprintf(stderr, "%-28s %8s %9.3f\n", "step", "", step);
    free(entries);
}

static void print_result(struct bench *b, const struct sp_train_result *r)
{
    int count = b->steps - WARM_UP;
    double tokens = (double)b->batch * b->length;

    printf("{\"step_seconds\": [");
    for (int step = 1; step <= b->steps; step++)
        printf("%s%.4f", step > 1 ? ", " : "", b->seconds[step]);
    qsort(b->seconds + WARM_UP + 1, (size_t)count, sizeof *b->seconds, by_time);
    printf("], \"tokens_per_second_best\": %.1f, \"tokens_per_second_median\": %.1f, \"peak_mib\": %.1f, "
           "\"ready_seconds\": %.3f, \"first_step_seconds\": %.3f, \"device_peak_mib\": %.1f}\n",
           tokens / b->seconds[WARM_UP + 1], tokens / b->seconds[WARM_UP + 1 + count / 2],
           (double)r->host_peak / 1048576, r->ready_seconds, r->first_step_seconds, (double)r->device_peak / 1048576);
}

/* Trains in the folder `dir` with the bench's options, then those of the command line. */
static int train(struct bench *b, const char *dir, char **overrides, size_t count)
{
    char *data = sp_asprintf("%s/train.jsonl", dir);
    const char *list[64];
    struct sp_train_result result;
    struct sp_config config;
    size_t n = 0;
    int rc = data ? write_data(b, data) : SP_ENOMEM;

    if (rc < 0)
        return rc;
    list[n++] = sp_asprintf("model_name_or_path=%s", b->model);
    list[n++] = sp_asprintf("train_file=%s", data);
    list[n++] = sp_asprintf("output_dir=%s/out", dir);
    list[n++] = sp_asprintf("per_device_train_batch_size=%d", b->batch);
    list[n++] = sp_asprintf("max_seq_length=%d", b->length);
    if (b->rank > 0)
        list[n++] = sp_asprintf("sparse.rank_equivalent=%d", b->rank);
    list[n++] = "num_train_epochs=1";
    if (b->method)
        list[n++] = sp_asprintf("sparse.method=%s", b->method);
    else
        list[n++] = "sparse.metric=random";
    for (size_t i = 0; i < count && n < 64; i++)
        list[n++] = overrides[i];
    SP_TRY(sp_config_load(&config, NULL, list, n));
    b->run.config = &config;
    b->last = sp_clock_now();
    rc = sp_train(&result, &b->run);
    if (rc == 0 && b->profile)
        print_profile(b);
    if (rc == 0)
        print_result(b, &result);
    sp_run_close(&b->run);
    sp_config_release(&config);
    free(data);
    return rc;
}

static int usage(void)
{
    fprintf(stderr, "usage: step --model DIR [--batch N] [--length N] [--rank-equivalent N] [--steps N] [--method "
                    "NAME] [--set KEY=VALUE]... [--profile]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "model", required_argument, NULL, 'm' }, { "batch", required_argument, NULL, 'b' },
        { "length", required_argument, NULL, 'l' }, { "rank-equivalent", required_argument, NULL, 'r' },
        { "steps", required_argument, NULL, 's' }, { "set", required_argument, NULL, 'o' },
        { "profile", no_argument, NULL, 'p' },     { "method", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 },
    };
    static struct bench b = { .batch = 32, .length = 128, .rank = 8, .steps = 8 };
    char dir[] = "/tmp/speft-step-XXXXXX", *overrides[32], command[64];
    size_t count = 0;
    int option, rc;

    sp_child_begin();
    if (sp_kernel_worker(argc, argv, &rc)) /* this process was started to compile kernels */
        return rc;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int *numbers[] = { ['b'] = &b.batch, ['l'] = &b.length, ['r'] = &b.rank, ['s'] = &b.steps };

        if (option == '?')
            return usage();
        if (option == 'm')
            b.model = optarg;
        else if (option == 't')
            b.method = optarg;
        else if (option == 'p')
            b.profile = true;
        else if (option == 'o' && count < 32)
            overrides[count++] = optarg;
        else if (option != 'o')
            *numbers[option] = (int)strtol(optarg, NULL, 10);
    }
    if (!b.model || b.batch < 1 || b.length < 1 || b.steps <= WARM_UP || b.steps > MAX_STEPS || !mkdtemp(dir))
        return usage();
    b.run = (struct sp_run){ .families = sp_model_families, .family_count = sp_model_family_count,
                             .observer = { .progress = observe, .user = &b } };
    rc = train(&b, dir, overrides, count);
    if (rc < 0)
        fprintf(stderr, "step: %s\n", sp_error_message());
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 && rc == 0 ? 0 : 1;
}
