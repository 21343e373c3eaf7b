#include "frontends/cli/doctor.h"

#include "frontends/cli/ask.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/device/limit.h"
#include "runtime/op/add.h"
#include "runtime/op/check.h"
#include "runtime/op/gemm.h"
#include "runtime/tensor/dtype.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIELDS = 3, SMALL = 20000 }; /* SMALL: the product of a small case's sizes */

#define ENOUGH 0.05 /* seconds that a measured run should take */

static FILE *report; /* to the command */

/* One line; what would end a field or the line becomes a blank. */
static void say(const char *word, const char *a, const char *b, const char *c)
{
    const char *fields[FIELDS] = { a, b, c };

    fputs(word, report);
    for (int i = 0; i < FIELDS && fields[i]; i++) {
        fputc('\t', report);
        for (const char *p = fields[i]; *p; p++)
            fputc(*p == '\t' || *p == '\n' ? ' ' : *p, report);
    }
    fputc('\n', report);
    fflush(report);
}

static void say_number(const char *word, double number, const char *words)
{
    char text[32];

    snprintf(text, sizeof text, "%.4g", number);
    say(word, text, words, NULL);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct sp_op_case *c, bool all)
{
    double product = 1;

    for (size_t i = 0; i < sizeof c->size / sizeof *c->size; i++)
        product *= c->size[i] ? c->size[i] : 1;
    return all || product <= SMALL;
}

static size_t count_cases(bool all)
{
    size_t count = 0;

    for (size_t i = 0; i < sp_op_count; i++)
        for (size_t k = 0; k < sp_ops[i]->case_count; k++)
            count += is_wanted(&sp_ops[i]->cases[k], all);
    return count;
}

/* Whether the device has a use for the op: a family of products may be none for it. */
static int is_for(struct sp_device *device, const struct sp_op *op)
{
    const struct sp_gemm_family *family;

    for (size_t i = 0; i < sp_gemm_family_count; i++)
        if (strncmp(op->name, "gemm_", 5) == 0 && strcmp(op->name + 5, sp_gemm_families[i]->name) == 0)
            SP_TRY(sp_gemm_choose(&family, device, sp_gemm_families[i]->name));
    if (sp_device_info(device)->lanes && strncmp(op->name, "gemm_pack", 9) == 0)
        return sp_error(SP_EDEVICE, "made for CPUs");
    return 0;
}

/* Notes the kernels of an op's cases and compiles them side by side. What does not compile is found again by its
 * case. */
static void build(struct sp_device *device, const struct sp_op *op, bool all)
{
    say("build", op->name, NULL, NULL);
    sp_device_set_recording(device, true);
    for (size_t k = 0; is_for(device, op) == 0 && k < op->case_count; k++)
        if (is_wanted(&op->cases[k], all))
            sp_check_case(device, op, &op->cases[k]);
    sp_device_set_recording(device, false);
    sp_kernel_build_recorded(device);
}

static void run_case(struct sp_device *device, const struct sp_op *op, const struct sp_op_case *c, size_t number)
{
    char kernels[512], name[160], position[24];

    snprintf(position, sizeof position, "%zu", number);
    snprintf(name, sizeof name, "%s, %s", op->name, c->name);
    say("case", position, name, NULL);
    if (is_for(device, op) < 0) {
        say("other", position, sp_error_message(), NULL);
        return;
    }
    sp_kernel_take_launched(device, kernels, sizeof kernels);
    if (sp_check_case(device, op, c) == 0) {
        sp_kernel_take_launched(device, kernels, sizeof kernels);
        say("good", position, kernels, NULL);
        return;
    }
    sp_kernel_take_launched(device, kernels, sizeof kernels);
    say("wrong", position, kernels, sp_error_message());
}

/* ---- speed ------------------------------------------------------------------------------------------------------- */

/* Seconds of the fastest of three runs. */
static int time_of(double *seconds, struct sp_device *device, int (*run)(void *user), void *user)
{
    *seconds = INFINITY;
    SP_TRY(run(user)); /* compiles */
    for (int i = 0; i < 3; i++) {
        double began;

        SP_TRY(sp_device_finish(device));
        began = sp_clock_now();
        SP_TRY(run(user));
        SP_TRY(sp_device_finish(device));
        *seconds = fmin(*seconds, sp_clock_now() - began);
    }
    return 0;
}

struct product {
    struct sp_gemm_weight weight;
    struct sp_buffer *x, *y;
    int tokens;
};

static int run_product(void *user)
{
    struct product *p = user;

    return sp_gemm_forward(sp_buffer_device(p->x), &p->weight, p->y, p->x, p->tokens, NULL, SP_ACTIVATION_NONE, NULL);
}

/* A product as a transformer has it, of as many tokens as take a while. */
static int measure_product(struct sp_device *device)
{
    enum { WIDTH = 768, FIRST = 64, LAST = 16384 };
    const struct sp_gemm_family *family;
    struct product p = { .tokens = FIRST };
    char words[80];
    double seconds = 0;
    int rc;

    SP_TRY(sp_gemm_choose(&family, device, "auto"));
    SP_GO(sp_gemm_weight_create(&p.weight, device, family, WIDTH, WIDTH, false));
    SP_GO(sp_buffer_fill(p.weight.forward, 0, 0, sp_buffer_size(p.weight.forward)));
    SP_GO(sp_buffer_create_zeros(&p.x, device, sp_f32_bytes((size_t)LAST * WIDTH)));
    SP_GO(sp_buffer_create(&p.y, device, sp_f32_bytes((size_t)LAST * WIDTH)));
    for (;; p.tokens *= 2) {
        SP_GO(time_of(&seconds, device, run_product, &p));
        if (seconds >= ENOUGH || p.tokens == LAST)
            break;
    }
    snprintf(words, sizeof words, "%s, %d x %d x %d", family->name, p.tokens, WIDTH, WIDTH);
    say_number("speed", 2.0 * p.tokens * WIDTH * WIDTH / seconds * 1e-9, words);
out:
    sp_device_finish(device);
    sp_buffer_free(p.x);
    sp_buffer_free(p.y);
    sp_gemm_weight_free(&p.weight);
    return rc;
}

static int run_sum(void *user)
{
    struct sp_add *args = user;

    return sp_add_buffers(sp_buffer_device(args->out), args);
}

/* out = a + b over more memory than caches hold, or what takes a while. */
static int measure_stream(struct sp_device *device)
{
    const size_t last = (size_t)1 << 25;
    struct sp_add args = { .count = (size_t)1 << 16 };
    char words[80];
    double seconds = 0;
    int rc;

    SP_GO(sp_buffer_create_zeros(&args.a, device, sp_f32_bytes(last)));
    SP_GO(sp_buffer_create_zeros(&args.b, device, sp_f32_bytes(last)));
    SP_GO(sp_buffer_create_zeros(&args.out, device, sp_f32_bytes(last)));
    for (;; args.count *= 2) {
        SP_GO(time_of(&seconds, device, run_sum, &args));
        if (seconds >= 2 * ENOUGH || args.count == last)
            break;
    }
    snprintf(words, sizeof words, "reading and writing %.3g MB", 3e-6 * (double)sp_f32_bytes(args.count));
    say_number("stream", 3 * (double)sp_f32_bytes(args.count) / seconds * 1e-9, words);
out:
    sp_device_finish(device);
    sp_buffer_free(args.a);
    sp_buffer_free(args.b);
    sp_buffer_free(args.out);
    return rc;
}

/* ---- the worker -------------------------------------------------------------------------------------------------- */

struct task {
    size_t first; /* case */
    bool all, ahead; /* all cases; kernels are compiled before their cases */
};

static int examine(struct sp_device *device, const struct task *task)
{
    size_t number = 0;

    say_number("count", (double)count_cases(task->all), NULL);
    for (size_t i = 0; i < sp_op_count; i++) {
        if (task->ahead)
            build(device, sp_ops[i], task->all);
        for (size_t k = 0; k < sp_ops[i]->case_count; k++)
            if (is_wanted(&sp_ops[i]->cases[k], task->all) && number++ >= task->first)
                run_case(device, sp_ops[i], &sp_ops[i]->cases[k], number - 1);
    }
    say("build", "the measurements", NULL, NULL);
    SP_TRY(measure_product(device));
    return measure_stream(device);
}

/* The very device that the command means: the order of the list is the loader's, and it may change. */
static int open_same(struct sp_device **out, const char *index, const char *name)
{
    SP_TRY(sp_device_open(out, index));
    return strcmp(sp_device_info(*out)->name, name) == 0 ? 0 : sp_error(SP_ENOTFOUND, "the devices changed meanwhile");
}

static void work(char **argv)
{
    struct sp_device *device = NULL;
    struct task task = { (size_t)strtoull(argv[4], NULL, 10), argv[5][0] == '1', argv[6][0] == '1' };
    int rc = open_same(&device, argv[2], argv[3]);

    if (rc == 0)
        rc = examine(device, &task);
    if (rc < 0)
        say("failed", sp_error_message(), NULL, NULL);
    say("end", NULL, NULL, NULL);
    sp_device_close(device);
}

bool sp_doctor_worker(int argc, char **argv, int *status)
{
    if ((argc != 2 && argc != 7) || strcmp(argv[1], SP_DOCTOR_WORKER) != 0)
        return false;
    report = sp_ask_report();
    *status = EXIT_FAILURE;
    if (!report)
        return true;
    setenv(SP_DRIVER_VARIABLE, "0", 1); /* the command takes the time */
    if (argc == 2)
        sp_doctor_report_list(report);
    else
        work(argv);
    *status = EXIT_SUCCESS;
    return true;
}
