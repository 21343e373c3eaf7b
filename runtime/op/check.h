/*
 * The conformance harness of ops (layer 3): inputs with NaN-poisoned padding, outputs between canaries, two runs
 * compared bit by bit, results against double precision. The tests, the self-test before training and later the tuner
 * all use it.
 *
 * An op's file ends in a `const struct sp_op` whose `check` runs one case:
 *
 *     static int check_x(struct sp_check *t, const struct sp_op_case *c)
 *     {
 *         double *x = sp_check_input(t, &xb, T * C, -1, 1);           // device buffer and its values in double
 *         sp_check_output(t, &yb, T * C);                             // guarded, filled with NaN
 *         ... double reference into `expected` (sp_check_double) ...
 *         SP_TRY(sp_check_run(t, launch_x, &args));                   // runs twice: bits must be equal
 *         return sp_check_compare(t, "y", yb, expected, T * C, c->tolerance);
 *     }
 *
 * A launcher names, in its launch, the case that runs the very same kernel (source and defines) on few rows of data of
 * its own:
 *
 *     launch.check = SP_CHECK(x, args->residual ? RESIDUAL : 0, SP_GEOMETRY_ROWS, args->C);
 *
 * That case is run before the kernel's first use in a plan (runtime/kernel/launch.h). It launches nothing that the plan
 * would not need, has more rows than one work-item or group takes, and compares nothing that another kernel computes,
 * which would get the blame.
 *
 * Memory that the harness hands out lives until the case ends.
 */
#ifndef SP_OP_CHECK_H
#define SP_OP_CHECK_H

#include "runtime/device/device.h"
#include "runtime/kernel/launch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_check; /* one running case */

struct sp_op_case {
    const char *name;
    int size[10];      /* meaning is the op's own */
    unsigned flags;   /* likewise */
    bool tall;        /* large, but of a small case's programs: it runs in every geometry */
    /* largest |got - expected| as a share of the output's scale: its largest |expected| below 1e6 (or its own) */
    double tolerance;
};

struct sp_op {
    const char *name;
    const struct sp_op_case *cases;
    size_t case_count;
    int (*check)(struct sp_check *check, const struct sp_op_case *c);
    bool laneless; /* its launches are the same whatever sp_device_lanes says */
};

#define SP_OP(name) extern const struct sp_op sp_op_##name;
#include "runtime/op/op.def"
#undef SP_OP

/* Every op, in the order of op.def; sp_op_count of them. */
extern const struct sp_op *const sp_ops[];
extern const size_t sp_op_count;

/* Runs one case on the device: 0, or an error whose message says op, case, element, got and expected. A case in which,
 * in one of the outputs that it compares, results that are 5 % too large would pass is SP_EINVAL. In recording mode
 * (device.h) its kernels are noted, and nothing is compared. */
int sp_check_case(struct sp_device *device, const struct sp_op *op, const struct sp_op_case *c);

/* What a launch notes: the case of sp_op_<op> with these flags and sizes. */
#define SP_CHECK(op, flags, ...) SP_CHECK_OF(&sp_op_##op, flags, __VA_ARGS__)
#define SP_CHECK_OF(op, flags, ...)                                                                                    \
    ((struct sp_launch_check){ sp_check_launch, (op), (op)->name, (flags), { __VA_ARGS__ } })

/* Runs such a case. Its tolerance is wide: sums may run in any order, functions be as coarse as OpenCL allows. */
#define SP_CHECK_WIDE 1e-4
int sp_check_launch(struct sp_device *device, const struct sp_launch_check *check);

struct sp_device *sp_check_device(const struct sp_check *check);

/* `count` floats uniform in [low, high) from a fixed seed, in a device buffer whose surplus is NaN; returns the same
 * values as doubles, NULL when out of memory (the message is set). */
double *sp_check_input(struct sp_check *check, struct sp_buffer **out, size_t count, double low, double high);

/* As sp_check_input from given values; floats are rounded from `values`. */
int sp_check_input_values(struct sp_check *check, struct sp_buffer **out, const double *values, size_t count);
int sp_check_input_words(struct sp_check *check, struct sp_buffer **out, const uint32_t *values, size_t count);

/* A buffer of exactly `count` floats inside a larger one whose surplus on both sides holds canaries; filled with NaN
 * before each run. */
int sp_check_output(struct sp_check *check, struct sp_buffer **out, size_t count);

/* An output that the op reads and writes (accumulation, in-place update): starts each run as the values given. */
int sp_check_inout(struct sp_check *check, struct sp_buffer **out, const double *values, size_t count);

/* Zeroed doubles for references; freed with the case. */
double *sp_check_double(struct sp_check *check, size_t count);

/* Calls run(user) twice, the outputs restored before each, and compares all outputs bit by bit and all canaries. */
int sp_check_run(struct sp_check *check, int (*run)(void *user), void *user);

/* Compares an output with the reference; NaN where a number is expected fails. */
int sp_check_compare(struct sp_check *check, const char *name, struct sp_buffer *buffer, const double *expected,
                     size_t count, double tolerance);

/* The same for outputs of mixed sizes, of which a small element counts as much as a large one: each element has its own
 * scale, `sizes`, the largest term that it is made of. */
int sp_check_compare_each(struct sp_check *check, const char *name, struct sp_buffer *buffer, const double *expected,
                          const double *sizes, size_t count, double tolerance);

#endif
