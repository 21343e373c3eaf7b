/*
 * How often a step waits for the device. On a GPU a wait for what was enqueued last is a stall, and a step has none:
 * its norm and its losses are looked at when the next step is on its way whole. Those waits, and an upload's for what
 * it has passed long ago, are no stalls, and are counted apart. Steps in which a mask moves or SpIEL's window chooses
 * its candidates do wait; the others of these methods must not. All is counted at OpenCL's own functions, in pairs of
 * runs that differ in nothing but steps that must not wait.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/train/trained.h"
#include "runtime/train/trainer.h"

#include <CL/cl.h>

#include <string.h>

enum { EVENTS = 4096 };

struct event {
    cl_event event;
    size_t launches; /* before its command, and then behind it */
    bool reads;
};

/* Of a run. */
struct counts {
    size_t launches, blocking;      /* calls of each; blocking ones return only when the device is done */
    struct event enqueued[EVENTS];  /* of commands that do not block */
    struct event waited_for[EVENTS];
    size_t enqueued_count, waited_count;
};
static struct counts runs[2], *now = runs;

#define WRITE_ARGUMENTS                                                                                                \
    cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size, const void *data,             \
        cl_uint count, const cl_event *list, cl_event *event
#define READ_ARGUMENTS                                                                                                 \
    cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size, void *data, cl_uint count,    \
        const cl_event *list, cl_event *event
#define MAP_ARGUMENTS                                                                                                  \
    cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags, size_t offset, size_t size,           \
        cl_uint count, const cl_event *list, cl_event *event, cl_int *status
#define LAUNCH_ARGUMENTS                                                                                               \
    cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset, const size_t *global,          \
        const size_t *local, cl_uint count, const cl_event *list, cl_event *event

cl_int __real_clEnqueueWriteBuffer(WRITE_ARGUMENTS);
cl_int __wrap_clEnqueueWriteBuffer(WRITE_ARGUMENTS);
cl_int __real_clEnqueueReadBuffer(READ_ARGUMENTS);
cl_int __wrap_clEnqueueReadBuffer(READ_ARGUMENTS);
void *__real_clEnqueueMapBuffer(MAP_ARGUMENTS);
void *__wrap_clEnqueueMapBuffer(MAP_ARGUMENTS);
cl_int __real_clEnqueueNDRangeKernel(LAUNCH_ARGUMENTS);
cl_int __wrap_clEnqueueNDRangeKernel(LAUNCH_ARGUMENTS);
cl_int __real_clFinish(cl_command_queue queue);
cl_int __wrap_clFinish(cl_command_queue queue);
cl_int __real_clWaitForEvents(cl_uint count, const cl_event *list);
cl_int __wrap_clWaitForEvents(cl_uint count, const cl_event *list);

/* A driver may give an event the handle of one that is gone: the last of that handle counts. */
static void note(const cl_event *event, bool reads)
{
    assert_true(event && now->enqueued_count < EVENTS);
    now->enqueued[now->enqueued_count++] = (struct event){ *event, now->launches, reads };
}

cl_int __wrap_clEnqueueWriteBuffer(WRITE_ARGUMENTS)
{
    cl_int status = __real_clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, data, count, list, event);

    now->blocking += blocking;
    if (!blocking)
        note(event, false);
    return status;
}

cl_int __wrap_clEnqueueReadBuffer(READ_ARGUMENTS)
{
    cl_int status = __real_clEnqueueReadBuffer(queue, buffer, blocking, offset, size, data, count, list, event);

    now->blocking += blocking;
    if (!blocking)
        note(event, true);
    return status;
}

void *__wrap_clEnqueueMapBuffer(MAP_ARGUMENTS)
{
    now->blocking += blocking;
    return __real_clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, count, list, event, status);
}

cl_int __wrap_clEnqueueNDRangeKernel(LAUNCH_ARGUMENTS)
{
    now->launches++;
    return __real_clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, count, list, event);
}

cl_int __wrap_clFinish(cl_command_queue queue)
{
    now->blocking++;
    return __real_clFinish(queue);
}

cl_int __wrap_clWaitForEvents(cl_uint count, const cl_event *list)
{
    const struct event *e = now->enqueued + now->enqueued_count;

    assert_int_equal(count, 1);
    do
        assert_true(e-- > now->enqueued);
    while (e->event != list[0]);
    assert_true(now->waited_count < EVENTS);
    now->waited_for[now->waited_count++] = (struct event){ e->event, now->launches - e->launches, e->reads };
    return __real_clWaitForEvents(count, list);
}

static bool denies; /* the method says that no step waits */
bool __real_sp_trained_waits(const struct sp_trained *trained, const struct sp_run *run, size_t done);
bool __wrap_sp_trained_waits(const struct sp_trained *trained, const struct sp_run *run, size_t done);

bool __wrap_sp_trained_waits(const struct sp_trained *trained, const struct sp_run *run, size_t done)
{
    return !denies && __real_sp_trained_waits(trained, run, done);
}

/* Trains with the options, to which `sparse` is added. */
static void train(struct counts *counts, const char *options_text, const char *sparse, int steps)
{
    const char *source = program_source("tests/data/reference/binary");
    json_t *options = json_loads(options_text, 0, NULL), *more = json_loads(sparse, 0, NULL);
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;

    assert_true(options && more);
    json_object_update(json_object_get(options, "sparse"), more);
    json_decref(more);
    json_object_set_new(options, "model_name_or_path", json_string(source));
    json_object_set_new(options, "train_file", json_sprintf("%s/train.jsonl", source));
    json_object_set_new(options, "output_dir", json_string(program_path("run")));
    json_object_set_new(options, "max_seq_length", json_integer(40));
    json_object_set_new(options, "per_device_train_batch_size", json_integer(4));
    json_object_set_new(options, "max_steps", json_integer(steps));
    assert_ok(sp_config_load(&config, program_write("config.json", options), NULL, 0));
    run = (struct sp_run){ .config = &config, .families = sp_model_families, .family_count = sp_model_family_count };
    now = counts;
    memset(now, 0, sizeof *now);
    if (denies) {
        assert_error(sp_train(&result, &run), SP_EINVAL, "internal error: method dynamic moved the mask after step 3 ");
    } else {
        assert_ok(sp_train(&result, &run));
        assert_int_equal(result.steps, steps);
    }
    sp_run_close(&run);
    sp_config_release(&config);
    json_decref(options);
}

/* Of its two runs the second has as many steps more as it has more that must not wait. */
struct waits_case {
    const char *name, *options, *sparse[2];
    int steps[2];
    size_t micro_batches;
};

#define STATIC "\"sparse\": {\"rank_equivalent\": 2, \"metric\": \"magnitude\"}"
#define DYNAMIC                                                                                                        \
    "{\"sparse\": {\"method\": \"dynamic\", \"rank_equivalent\": 2, \"metric\": \"magnitude\", \"interval\": 3}}"
#define SPIEL "{\"sparse\": {\"method\": \"spiel\", \"rank_equivalent\": 2, \"reselection_steps\": 20}}"
#define WINDOW(steps) "{\"selection_accumulation_steps\": " #steps "}"
#define WINDOW_MA "{\"growth\": \"ma\", \"selection_accumulation_steps\": 2}"

static const struct waits_case cases[] = {
    { "static", "{" STATIC "}", { "{}", "{}" }, { 3, 8 }, 1 },
    { "static, two micro-batches", "{\"gradient_accumulation_steps\": 2, " STATIC "}", { "{}", "{}" },
      { 2, 5 }, 2 }, /* an epoch's sixth has one */
    { "full", "{\"sparse\": {\"method\": \"full\"}}", { "{}", "{}" }, { 3, 8 }, 1 },
    { "head, sm3", "{\"optimizer\": \"sm3\", \"sparse\": {\"method\": \"head\"}}", { "{}", "{}" }, { 3, 8 }, 1 },
    { "dynamic, between moves", DYNAMIC, { "{}", "{}" }, { 4, 6 }, 1 }, /* each moves after step 3 alone */
    { "spiel, between windows", SPIEL, { WINDOW(2), WINDOW(2) }, { 5, 10 }, 1 },
    { "spiel, in a window", SPIEL, { WINDOW(3), WINDOW(8) }, { 10, 15 }, 1 },
    { "spiel by accumulators", SPIEL, { WINDOW_MA, WINDOW_MA }, { 5, 10 }, 1 },
};

/* Waits for the device's last work: calls that block, and waits for an event behind which there is less than a step. */
static size_t stalls_of(const struct counts *c, size_t step)
{
    size_t stalls = c->blocking;

    for (size_t i = 0; i < c->waited_count; i++)
        stalls += c->waited_for[i].reads && c->waited_for[i].launches < step;
    return stalls;
}

static void test_waits(void **state)
{
    const struct waits_case *c = *state;
    size_t more = (size_t)(c->steps[1] - c->steps[0]), step;

    train(&runs[0], c->options, c->sparse[0], c->steps[0]); /* compiles */
    for (int k = 0; k < 2; k++)
        train(&runs[k], c->options, c->sparse[k], c->steps[k]);
    step = (runs[1].launches - runs[0].launches) / more;
    assert_true(step > 20);
    assert_int_equal(stalls_of(&runs[1], step) - stalls_of(&runs[0], step), 0);
    /* a report, and an upload of each micro-batch */
    assert_int_equal(runs[1].waited_count - runs[0].waited_count, more * (1 + c->micro_batches));
    for (size_t i = 0; i < runs[1].waited_count; i++) /* an upload waits for that of the batch before the last */
        assert_true(runs[1].waited_for[i].reads || runs[1].waited_for[i].launches > 0);
}

/* A move in a step that nobody waits for would stay without its line, and be of weights that may be no numbers. */
static void test_denied(void **state)
{
    (void)state;
    denies = true;
    train(&runs[0], DYNAMIC, "{}", 4);
    denies = false;
}

int main(void)
{
    enum { COUNT = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[COUNT + 1];

    for (int i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){ cases[i].name, test_waits, NULL, NULL, (void *)(uintptr_t)&cases[i] };
    tests[COUNT] = (struct CMUnitTest)cmocka_unit_test(test_denied);
    return cmocka_run_group_tests_name("waits", tests, program_setup, program_teardown);
}
