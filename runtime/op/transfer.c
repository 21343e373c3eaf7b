#include "runtime/op/transfer.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/op/check.h"

#include <stdlib.h>
#include <string.h>

enum { WRITE, FILL, COPY, MAP, COMMANDS };

#define SOURCE "a command of the driver's"

static const struct sp_kernel commands[] = {
    [WRITE] = { "clEnqueueWriteBuffer or clEnqueueReadBuffer", SOURCE }, /* one cannot be told from the other */
    [FILL] = { "clEnqueueFillBuffer", SOURCE },
    [COPY] = { "clEnqueueCopyBuffer", SOURCE },
    [MAP] = { "clEnqueueMapBuffer", SOURCE }, /* to read: nothing is written through a mapping */
};

static int note(struct sp_device *device, unsigned command)
{
    struct sp_launch launch = { .kernel = &commands[command], .check = SP_CHECK(transfer, command, 1001) };

    return sp_launch_foreign(device, &launch, NULL);
}

int sp_transfer_check(struct sp_device *device)
{
    for (unsigned command = 0; command < COMMANDS; command++)
        SP_TRY(note(device, command));
    return 0;
}

/* size: count, of which about the middle third is changed. flags: the command */
static const struct sp_op_case cases[] = {
    { .name = "write 3", .size = { 3 }, .flags = WRITE },
    { .name = "write 5003", .size = { 5003 }, .flags = WRITE },
    { .name = "fill 3", .size = { 3 }, .flags = FILL },
    { .name = "fill 5003", .size = { 5003 }, .flags = FILL },
    { .name = "copy 3", .size = { 3 }, .flags = COPY },
    { .name = "copy 5003", .size = { 5003 }, .flags = COPY },
    { .name = "map 3", .size = { 3 }, .flags = MAP },
    { .name = "map 5003", .size = { 5003 }, .flags = MAP },
    { .name = "fill 300000", .size = { 300000 }, .flags = FILL },
    { .name = "copy 300000", .size = { 300000 }, .flags = COPY },
    { .name = "map 300000", .size = { 300000 }, .flags = MAP },
};

struct transfer {
    unsigned command;
    struct sp_buffer *out, *in;
    const float *values; /* of the third, on the host */
    size_t first, count; /* elements */
};

/* What the mapping shows, back by a write. */
static int write_mapped(const struct transfer *t, size_t offset, size_t bytes)
{
    void *mapped;
    int rc;

    SP_TRY(sp_buffer_map(&mapped, t->in, false));
    rc = sp_buffer_write(t->out, offset, mapped, bytes);
    SP_TRY(sp_buffer_unmap(t->in, mapped));
    return rc;
}

static int launch_transfer(void *user)
{
    const struct transfer *t = user;
    size_t offset = t->first * sizeof(float), bytes = t->count * sizeof(float);
    uint32_t word;

    SP_TRY(note(sp_buffer_device(t->out), t->command));
    memcpy(&word, t->values, sizeof word);
    if (t->command == WRITE)
        return sp_buffer_write(t->out, offset, t->values, bytes);
    if (t->command == MAP)
        return write_mapped(t, offset, bytes);
    if (t->command == FILL)
        return sp_buffer_fill(t->out, offset, word, bytes);
    return sp_buffer_copy(t->out, offset, t->in, 0, bytes);
}

static int check_transfer(struct sp_check *t, const struct sp_op_case *c)
{
    static unsigned turn; /* other numbers each time: memory that was freed may still hold the last ones */
    size_t count = (size_t)c->size[0];
    struct transfer transfer = { .command = c->flags, .first = count / 3, .count = count - count / 3 * 2 };
    double *in = sp_check_input(t, &transfer.in, count, -1, 1), *out = sp_check_double(t, count);
    float *values = sp_calloc(transfer.count, sizeof *values);
    int rc = in && out && values ? 0 : SP_ENOMEM;

    turn++;
    for (size_t i = 0; rc == 0 && i < count; i++)
        out[i] = (double)(i % 5) + 1;
    if (rc == 0)
        rc = sp_check_inout(t, &transfer.out, out, count);
    for (size_t i = 0; rc == 0 && i < transfer.count; i++) {
        values[i] = (float)(turn % 1000 + 7 + (c->flags == WRITE ? i % 11 : 0));
        out[transfer.first + i] = c->flags == COPY || c->flags == MAP ? in[i] : (double)values[i];
    }
    transfer.values = values;
    if (rc == 0)
        rc = sp_check_run(t, launch_transfer, &transfer);
    free(values);
    return rc < 0 ? rc : sp_check_compare(t, "out", transfer.out, out, count, c->tolerance);
}

const struct sp_op sp_op_transfer = {
    .name = "transfer", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_transfer,
    .laneless = true,
};
