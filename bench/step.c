/*
 * The training step's speed, memory and where its time goes: speft-cl's own training on random token ids of full
 * length.
 *
 *     step --model DIR|FILE.gguf [--batch 32] [--length 128] [--rank-equivalent 8] [--steps 8] [--method static]
 *          [--causal] [--set KEY=VALUE]... [--profile]
 *
 * --causal trains a language model in place of a classifier of 8 classes. Without --method the mask is random;
 * --rank-equivalent 0 leaves the budget to --set. Prints one JSON line: step_seconds of every step,
 * tokens_per_second_best and _median over the steps after two, peak_mib of the process, ready_seconds from the start of
 * training to the first step, first_step_seconds to its end, and a step's median processor_seconds, for machines that
 * others use, too. --profile turns event profiling on after two steps and prints the device time of a step by op to
 * standard error, with the host's share as what remains of the wall clock; the line's times are of no use then.
 * bench/compare.py and bench/moving.py read the line.
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
#include <time.h>
#include <unistd.h>

#define WARM_UP 2
#define MAX_STEPS 1000
#define CLASSES 8

struct bench {
    struct sp_run run;
    const char *model, *method;
    int batch, length, rank, steps;
    bool profile, causal;
    double seconds[MAX_STEPS + 1], processor_seconds[MAX_STEPS + 1], last, last_processor, profiled;
};

/* Of the process, of all its threads. */
static double processor_time(void)
{
    struct timespec t;

    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 0;
}

/* `step` seconds each of `steps`. */
static void print_profile(const struct bench *b, double step, double steps)
{
    struct sp_profile_entry *entries;
    size_t count;
    double total = 0;

    step *= 1e3;
    if (sp_device_take_profile(b->run.device, &entries, &count) < 0) {
        fprintf(stderr, "step: no profile: %s\n", sp_error_message());
        return;
    }
    fprintf(stderr, "%-28s %8s %9s %7s\n", "op", "launches", "ms", "share");
    for (size_t i = 0; i < count; i++) {
        double ms = (double)entries[i].nanoseconds * 1e-6 / steps;

        total += ms;
        fprintf(stderr, "%-28s %8.1f %9.3f %6.1f %%\n", entries[i].label, (double)entries[i].count / steps,
                ms, 100 * ms / step);
    }
    fprintf(stderr, "%-28s %8s %9.3f %6.1f %%\n", "host and waiting", "", step - total, 100 * (step - total) / step);
    fprintf(stderr, "%-28s %8s %9.3f\n", "step", "", step);
    free(entries);
}

/* Called when a step's numbers are there: its time. The next one is on its way then, so that the profile, which waits
 * for it first, is of the steps from the second after the warm-up on. */
static void observe(void *user, const char *phase, size_t step, size_t total, double loss, double rate, bool logged)
{
    struct bench *b = user;
    double now = sp_clock_now(), processor = processor_time();

    (void)loss, (void)rate, (void)logged;
    if (strcmp(phase, "train") != 0)
        return;
    b->seconds[step] = now - b->last;
    b->processor_seconds[step] = processor - b->last_processor;
    if (step == WARM_UP && b->profile && sp_device_set_profiling(b->run.device, true) < 0)
        fprintf(stderr, "step: no profile: %s\n", sp_error_message());
    if (step == WARM_UP)
        b->profiled = sp_clock_now();
    if (step == total && b->profile)
        print_profile(b, (sp_clock_now() - b->profiled) / (double)(total - WARM_UP - 1), (double)(total - WARM_UP - 1));
    b->last = sp_clock_now();
    b->last_processor = processor_time();
}

/* Rows of random ids, all of full length, for `steps` batches; ids below 1000 are special or unused in BERT
 * vocabularies. */
static int write_data(const struct bench *b, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return sp_error(SP_EIO, "cannot write %s", path);
    for (int row = 0; row < b->batch * b->steps; row++) {
        fputc('{', file);
        if (!b->causal)
            fprintf(file, "\"label\": %d, ", row % CLASSES);
        fprintf(file, "\"input_ids\": [");
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

static void print_result(struct bench *b, const struct sp_train_result *r)
{
    int count = b->steps - WARM_UP;
    double tokens = (double)b->batch * b->length;

    printf("{\"step_seconds\": [");
    for (int step = 1; step <= b->steps; step++)
        printf("%s%.4f", step > 1 ? ", " : "", b->seconds[step]);
    qsort(b->seconds + WARM_UP + 1, (size_t)count, sizeof *b->seconds, by_time);
    qsort(b->processor_seconds + WARM_UP + 1, (size_t)count, sizeof *b->processor_seconds, by_time);
    printf("], \"tokens_per_second_best\": %.1f, \"tokens_per_second_median\": %.1f, \"peak_mib\": %.1f, "
           "\"ready_seconds\": %.3f, \"first_step_seconds\": %.3f, \"device_peak_mib\": %.1f, "
           "\"processor_seconds_median\": %.3f}\n",
           tokens / b->seconds[WARM_UP + 1], tokens / b->seconds[WARM_UP + 1 + count / 2],
           (double)r->host_peak / 1048576, r->ready_seconds, r->first_step_seconds, (double)r->device_peak / 1048576,
           b->processor_seconds[WARM_UP + 1 + count / 2]);
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
    if (b->causal)
        list[n++] = "task=causal_lm";
    if (b->method)
        list[n++] = sp_asprintf("sparse.method=%s", b->method);
    else
        list[n++] = "sparse.metric=random";
    for (size_t i = 0; i < count && n < 64; i++)
        list[n++] = overrides[i];
    SP_TRY(sp_config_load(&config, NULL, list, n));
    b->run.config = &config;
    b->last = sp_clock_now();
    b->last_processor = processor_time();
    rc = sp_train(&result, &b->run);
    if (rc == 0)
        print_result(b, &result);
    sp_run_close(&b->run);
    sp_config_release(&config);
    free(data);
    return rc;
}

static int usage(void)
{
    fprintf(stderr, "usage: step --model DIR|FILE.gguf [--batch N] [--length N] [--rank-equivalent N] [--steps N] "
                    "[--method NAME] [--causal] [--set KEY=VALUE]... [--profile]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "model", required_argument, NULL, 'm' }, { "batch", required_argument, NULL, 'b' },
        { "length", required_argument, NULL, 'l' }, { "rank-equivalent", required_argument, NULL, 'r' },
        { "steps", required_argument, NULL, 's' }, { "set", required_argument, NULL, 'o' },
        { "profile", no_argument, NULL, 'p' },     { "method", required_argument, NULL, 't' },
        { "causal", no_argument, NULL, 'c' },
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
        else if (option == 'c')
            b.causal = true;
        else if (option == 'o' && count < 32)
            overrides[count++] = optarg;
        else if (option != 'o')
            *numbers[option] = (int)strtol(optarg, NULL, 10);
    }
    if (!b.model || b.batch < 1 || b.length < 1 || b.steps <= WARM_UP + b.profile || b.steps > MAX_STEPS ||
        !mkdtemp(dir))
        return usage();
    b.run = (struct sp_run){ .families = sp_model_families, .family_count = sp_model_family_count,
                             .observer = { .progress = observe, .user = &b } };
    rc = train(&b, dir, overrides, count);
    if (rc < 0)
        fprintf(stderr, "step: %s\n", sp_error_message());
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 && rc == 0 ? 0 : 1;
}
