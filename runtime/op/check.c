#include "runtime/op/check.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 4096 /* bytes on each side; a multiple of any device's alignment */
#define GUARD_WORDS (GUARD / 4)
#define QUIET_NAN 0x7FC00000u
#define FAR 1e6 /* numbers from here on do not set an output's scale */
#define SMALLEST 1e-36 /* what is smaller may be 0 on a device without denormal numbers */
/* A signaling NaN: read by mistake it spoils the result, and what is added to it changes its bits. */
#define CANARY 0xFF80DEADu

/* A device buffer in the middle of a larger one, with what it holds before each run and what it held after the last. */
struct block {
    struct sp_buffer *root, *view;
    size_t count;             /* words in the view */
    uint32_t *before, *after; /* the root's words: guard, view, guard */
    bool written, ran;
};

struct sp_check {
    struct sp_device *device;
    struct block *blocks;
    size_t block_count, block_capacity;
    double **doubles;
    size_t double_count, double_capacity;
    uint64_t drawn; /* random numbers so far */
    bool sees;         /* an output was compared in which a result 5 % off would be noticed */
    const char *blind; /* one in which none would, though there are numbers that could be */
};

struct sp_device *sp_check_device(const struct sp_check *check)
{
    return check->device;
}

static size_t root_words(const struct block *block)
{
    return block->count + 2 * GUARD_WORDS;
}

/* A block whose view holds `words`, or NaN when NULL. */
static int add_block(struct sp_check *check, struct sp_buffer **out, const uint32_t *words, size_t count, bool written)
{
    struct block *block;
    size_t bytes = (count ? count : 1) * 4;

    SP_TRY(sp_grow(&check->blocks, check->block_count, &check->block_capacity, sizeof *block, 64, "buffers of a case"));
    block = &check->blocks[check->block_count++];
    *block = (struct block){ .count = bytes / 4, .written = written };
    block->before = sp_calloc(root_words(block), 4);
    block->after = sp_calloc(root_words(block), 4);
    if (!block->before || !block->after)
        return SP_ENOMEM;
    for (size_t i = 0; i < root_words(block); i++)
        block->before[i] = CANARY;
    for (size_t i = 0; i < block->count; i++)
        block->before[GUARD_WORDS + i] = words && i < count ? words[i] : QUIET_NAN;
    SP_TRY(sp_buffer_create(&block->root, check->device, root_words(block) * 4));
    SP_TRY(sp_buffer_view(&block->view, block->root, GUARD, bytes));
    SP_TRY(sp_buffer_write(block->root, 0, block->before, root_words(block) * 4));
    *out = block->view;
    return 0;
}

static int add_floats(struct sp_check *check, struct sp_buffer **out, const double *values, size_t count, bool written)
{
    float *floats = sp_calloc(count, sizeof *floats);
    int rc;

    if (!floats)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)values[i];
    rc = add_block(check, out, (const uint32_t *)(const void *)floats, count, written);
    free(floats);
    return rc;
}

double *sp_check_double(struct sp_check *check, size_t count)
{
    double *values;

    if (sp_grow(&check->doubles, check->double_count, &check->double_capacity, sizeof *check->doubles, 256,
                "references of a case") < 0)
        return NULL;
    values = sp_calloc(count, sizeof *values);
    if (values)
        check->doubles[check->double_count++] = values;
    return values;
}

double *sp_check_input(struct sp_check *check, struct sp_buffer **out, size_t count, double low, double high)
{
    double *values = sp_check_double(check, count);

    if (!values)
        return NULL;
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(low + (high - low) * sp_rng_uniform(1, SP_RNG_INIT, 0, check->drawn++));
    return add_floats(check, out, values, count, false) < 0 ? NULL : values;
}

int sp_check_input_values(struct sp_check *check, struct sp_buffer **out, const double *values, size_t count)
{
    return add_floats(check, out, values, count, false);
}

int sp_check_input_words(struct sp_check *check, struct sp_buffer **out, const uint32_t *values, size_t count)
{
    return add_block(check, out, values, count, false);
}

int sp_check_output(struct sp_check *check, struct sp_buffer **out, size_t count)
{
    return add_block(check, out, NULL, count, true);
}

int sp_check_inout(struct sp_check *check, struct sp_buffer **out, const double *values, size_t count)
{
    return add_floats(check, out, values, count, true);
}

/* What may not change: guards always, the view of an input; and on the second run nothing against the first. */
static int check_block(const struct block *block, const uint32_t *after, size_t number)
{
    for (size_t i = 0; i < root_words(block); i++) {
        bool inside = i >= GUARD_WORDS && i < GUARD_WORDS + block->count;
        long element = (long)i - GUARD_WORDS;

        if (!inside && after[i] != block->before[i])
            return sp_error(SP_ENUMERIC, "buffer %zu of %zu elements was written at element %ld", number, block->count,
                            element);
        if (inside && !block->written && after[i] != block->before[i])
            return sp_error(SP_ENUMERIC, "input %zu was changed at element %ld", number, element);
        if (block->ran && after[i] != block->after[i])
            return sp_error(SP_ENUMERIC, "buffer %zu: element %ld has other bits on the second run", number, element);
    }
    return 0;
}

static int run_once(struct sp_check *check, int (*run)(void *user), void *user)
{
    if (sp_device_recording(check->device)) /* kernels are only noted */
        return run(user);
    for (size_t i = 0; i < check->block_count; i++)
        if (check->blocks[i].written)
            SP_TRY(
                sp_buffer_write(check->blocks[i].root, 0, check->blocks[i].before, root_words(&check->blocks[i]) * 4));
    SP_TRY(run(user));
    SP_TRY(sp_device_finish(check->device));
    for (size_t i = 0; i < check->block_count; i++) {
        struct block *block = &check->blocks[i];
        uint32_t *after = sp_calloc(root_words(block), 4);
        int rc;

        if (!after)
            return SP_ENOMEM;
        rc = sp_buffer_read(after, block->root, 0, root_words(block) * 4);
        if (rc == 0)
            rc = check_block(block, after, i);
        free(block->after);
        block->after = after;
        block->ran = true;
        SP_TRY(rc);
    }
    return 0;
}

int sp_check_run(struct sp_check *check, int (*run)(void *user), void *user)
{
    for (size_t i = 0; i < check->block_count; i++)
        check->blocks[i].ran = false;
    SP_TRY(run_once(check, run, user));
    return run_once(check, run, user);
}

/* NaN agrees with NaN and an infinity with itself. */
static bool agrees(double got, double expected, double room)
{
    if (isnan(expected) || isnan(got))
        return isnan(expected) && isnan(got);
    return got == expected || fabs(got - expected) <= room;
}

/* The output's own scale: the largest number that is expected in it. Far ones, which test a kernel's limits, are left
 * out. */
static double scale_of(const double *expected, size_t count)
{
    double largest = 0;

    for (size_t i = 0; i < count; i++)
        if (fabs(expected[i]) < FAR)
            largest = fmax(largest, fabs(expected[i]));
    return largest;
}

/* What the outputs of a case are compared with. `sizes`, where not NULL: each element has a scale of its own. */
struct comparison {
    const double *expected, *sizes;
    size_t count;
    double scale, tolerance;
};

/* How far from what is expected a result may be. */
static double room(const struct comparison *c, size_t i)
{
    double expected = c->expected[i];

    if (c->sizes)
        return c->tolerance * fabs(c->sizes[i]) + SMALLEST;
    return c->tolerance * (isfinite(expected) ? fmax(fabs(expected), c->scale) : c->scale);
}

/* Notes whether a result that is 5 % too large would be noticed. Zeros, NaN and infinities have no size to be wrong
 * in. */
static void look(struct sp_check *check, const char *name, const struct comparison *c)
{
    bool sized = false, finite = false;

    for (size_t i = 0; i < c->count; i++) {
        if (!agrees(1.05 * c->expected[i], c->expected[i], room(c, i))) {
            check->sees = true;
            return;
        }
        finite = finite || isfinite(c->expected[i]);
        sized = sized || (isfinite(c->expected[i]) && c->expected[i] != 0);
    }
    check->sees = check->sees || !finite;
    if (sized)
        check->blind = name;
}

static int compare(struct sp_check *check, const char *name, struct sp_buffer *buffer, const struct comparison *c)
{
    const struct block *block = check->blocks;

    if (sp_device_recording(check->device))
        return 0;
    while (block < check->blocks + check->block_count && block->view != buffer)
        block++;
    if (block == check->blocks + check->block_count || !block->ran || block->count < c->count)
        return sp_error(SP_EINVAL, "%s: not %zu elements of a buffer of a case that ran", name, c->count);
    look(check, name, c);
    for (size_t i = 0; i < c->count; i++) {
        float got;

        memcpy(&got, &block->after[GUARD_WORDS + i], sizeof got);
        if (!agrees(got, c->expected[i], room(c, i)))
            return sp_error(SP_ENUMERIC, "%s[%zu] is %.9g, expected %.9g (within %.1e; %zu elements of at most %.3g)",
                            name, i, (double)got, c->expected[i], room(c, i), c->count, c->scale);
    }
    return 0;
}

int sp_check_compare(struct sp_check *check, const char *name, struct sp_buffer *buffer, const double *expected,
                     size_t count, double tolerance)
{
    return compare(check, name, buffer,
                   &(struct comparison){ expected, NULL, count, scale_of(expected, count), tolerance });
}

int sp_check_compare_each(struct sp_check *check, const char *name, struct sp_buffer *buffer, const double *expected,
                          const double *sizes, size_t count, double tolerance)
{
    return compare(check, name, buffer,
                   &(struct comparison){ expected, sizes, count, scale_of(expected, count), tolerance });
}

static int run_case(struct sp_device *device, const struct sp_op *op, const struct sp_op_case *c, bool must_see)
{
    struct sp_check check = { .device = device };
    int rc = op->check(&check, c);

    if (rc == 0 && must_see && (check.blind || !check.sees) && !sp_device_recording(device))
        rc = sp_error(SP_EINVAL, "the case cannot fail: results 5 %% off would pass%s%s", check.blind ? " in " : "",
                      check.blind ? check.blind : "");
    if (rc < 0)
        sp_error_context(rc, "%s, case %s", op->name, c->name);
    for (size_t i = 0; i < check.block_count; i++) {
        sp_buffer_free(check.blocks[i].view);
        sp_buffer_free(check.blocks[i].root);
        free(check.blocks[i].before);
        free(check.blocks[i].after);
    }
    free(check.blocks);
    for (size_t i = 0; i < check.double_count; i++)
        free(check.doubles[i]);
    free(check.doubles);
    return rc;
}

int sp_check_case(struct sp_device *device, const struct sp_op *op, const struct sp_op_case *c)
{
    return run_case(device, op, c, true);
}

int sp_check_launch(struct sp_device *device, const struct sp_launch_check *check)
{
    const struct sp_op *op = check->op;
    struct sp_op_case c = { .name = "self-test", .flags = check->flags, .tolerance = SP_CHECK_WIDE };

    memcpy(c.size, check->size, sizeof c.size);
    return run_case(device, op, &c, false); /* with one class there is no loss to see */
}
