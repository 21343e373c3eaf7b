/*
 * How often a step waits for the device: at its end alone, when the gradient's norm and then the losses are read, however many
 * micro-batches it has and whatever is trained. On a GPU each wait is a stall. What blocks is counted at OpenCL's own functions, in runs
 * that differ in nothing but their steps.
 */
#include "tests/model/program.h"
#include "tests/unit/device_support.h"

#include "models/models.h"
#include "runtime/train/trainer.h"

#include <CL/cl.h>

enum { SHORT = 3, LONG = 8 };

static size_t reads, others; /* calls that return only when the device is done; uploads wait for what it has passed long ago */

#define WRITE_ARGUMENTS                                                                                                \
    cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size, const void *data, cl_uint count,                \
        const cl_event *list, cl_event *event
#define READ_ARGUMENTS                                                                                                 \
    cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size, void *data, cl_uint count,    \
        const cl_event *list, cl_event *event
#define MAP_ARGUMENTS                                                                                                  \
    cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags, size_t offset, size_t size, cl_uint count,              \
        const cl_event *list, cl_event *event, cl_int *status

cl_int __real_clEnqueueWriteBuffer(WRITE_ARGUMENTS);
cl_int __wrap_clEnqueueWriteBuffer(WRITE_ARGUMENTS);
cl_int __real_clEnqueueReadBuffer(READ_ARGUMENTS);
cl_int __wrap_clEnqueueReadBuffer(READ_ARGUMENTS);
void *__real_clEnqueueMapBuffer(MAP_ARGUMENTS);
void *__wrap_clEnqueueMapBuffer(MAP_ARGUMENTS);
cl_int __real_clFinish(cl_command_queue queue);
cl_int __wrap_clFinish(cl_command_queue queue);

cl_int __wrap_clEnqueueWriteBuffer(WRITE_ARGUMENTS)
{
    others += blocking;
    return __real_clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, data, count, list, event);
}

cl_int __wrap_clEnqueueReadBuffer(READ_ARGUMENTS)
{
    reads += blocking;
    return __real_clEnqueueReadBuffer(queue, buffer, blocking, offset, size, data, count, list, event);
}

void *__wrap_clEnqueueMapBuffer(MAP_ARGUMENTS)
{
    others += blocking;
    return __real_clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, count, list, event, status);
}

cl_int __wrap_clFinish(cl_command_queue queue)
{
    others++;
    return __real_clFinish(queue);
}

static void train(const char *options_text, int steps)
{
    const char *source = program_source("tests/data/reference/binary");
    json_t *options = json_loads(options_text, 0, NULL);
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run run;

    json_object_set_new(options, "model_name_or_path", json_string(source));
    json_object_set_new(options, "train_file", json_sprintf("%s/train.jsonl", source));
    json_object_set_new(options, "output_dir", json_string(program_path("run")));
    json_object_set_new(options, "max_seq_length", json_integer(40));
    json_object_set_new(options, "per_device_train_batch_size", json_integer(4));
    json_object_set_new(options, "max_steps", json_integer(steps));
    assert_ok(sp_config_load(&config, program_write("config.json", options), NULL, 0));
    run = (struct sp_run){ .config = &config, .families = sp_model_families, .family_count = sp_model_family_count };
    reads = others = 0;
    assert_ok(sp_train(&result, &run));
    assert_int_equal(result.steps, steps);
    sp_run_close(&run);
    sp_config_release(&config);
    json_decref(options);
}

static void test_waits(void **state)
{
    size_t first_reads, first_others;

    train(*state, SHORT); /* compiles */
    train(*state, SHORT);
    first_reads = reads;
    first_others = others;
    train(*state, LONG);
    assert_int_equal(reads - first_reads, 2 * (LONG - SHORT));
    assert_int_equal(others - first_others, 0);
}

int main(void)
{
    static char fixed[] = "{\"sparse\": {\"rank_equivalent\": 2, \"metric\": \"magnitude\"}}";
    static char groups[] = "{\"gradient_accumulation_steps\": 2, \"sparse\": {\"rank_equivalent\": 2, \"metric\": \"magnitude\"}}";
    static char full[] = "{\"sparse\": {\"method\": \"full\"}}", head[] = "{\"optimizer\": \"sm3\", \"sparse\": {\"method\": \"head\"}}";
    const struct CMUnitTest tests[] = {
        { .name = "static", .test_func = test_waits, .initial_state = fixed },
        { .name = "static, two micro-batches", .test_func = test_waits, .initial_state = groups },
        { .name = "full", .test_func = test_waits, .initial_state = full },
        { .name = "head, sm3", .test_func = test_waits, .initial_state = head },
    };

    return cmocka_run_group_tests_name("waits", tests, program_setup, program_teardown);
}
