/*
 * Conformance of every op on the device at hand: every case of every op in op.def against its double-precision
 * reference, in the device's own geometry and in the other one. One TAP line each. Under Oclgrind, which interprets
 * kernels, and on rusticl's llvmpipe, which compiles them very slowly, only the small cases run.
 *
 *     conformance [--quick | --other] [OP ...]    only these ops; --quick: small cases, own geometry, up to
 *                                                 the first failure;
 *                                                 --other: the same in the other geometry
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/device/device.h"
#include "runtime/op/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 20000 /* the product of a small case's sizes */

static bool quick, other, large = true;
static int failures, tests;

static bool wanted(const struct sp_op *op, char **names)
{
    bool found = !*names;

    for (; *names; names++)
        found = found || strcmp(*names, op->name) == 0;
    return found;
}

static bool small(const struct sp_op_case *c)
{
    double product = 1;

    for (size_t i = 0; i < sizeof c->size / sizeof *c->size; i++)
        product *= c->size[i] ? c->size[i] : 1;
    return product <= SMALL;
}

/* A message of several lines, such as a driver's build log, as TAP diagnostics. */
static void diagnose(const char *message)
{
    while (*message) {
        int length = (int)strcspn(message, "\n");

        printf("# %.*s\n", length, message);
        message += length + (message[length] != '\0');
    }
}

static void run_case(struct sp_device *device, const struct sp_op *op, const struct sp_op_case *c, int lanes)
{
    int rc;

    sp_device_set_lanes(device, lanes);
    rc = sp_check_case(device, op, c);
    sp_device_set_lanes(device, 0);
    printf("%sok %d - %s, %s, %d lane%s\n", rc < 0 ? "not " : "", ++tests, op->name, c->name, lanes,
           lanes > 1 ? "s" : "");
    if (rc < 0) {
        failures++;
        diagnose(sp_error_message());
    }
    fflush(stdout);
}

/* What a driver is spared: CLBlast's own kernels under Oclgrind 21.10, which corrupts its heap in releasing them, and
 * on rusticl's llvmpipe the kernels with large register tiles, which it compiles for up to two minutes each and does
 * not use. */
static bool spared(const char *op, int lanes)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");
    bool clblast = strcmp(op, "gemm_clblast") == 0;

    if (driver && strcmp(driver, "oclgrind") == 0)
        return clblast;
    return driver && strcmp(driver, "rusticl") == 0 &&
           (clblast || strcmp(op, "gemm_packed") == 0 || (strncmp(op, "attention", 9) == 0 && lanes == 1));
}

/* Large cases only in the device's own geometry, unless they are tall: they add sizes, and drivers take long to build
 * the other. */
static void run_geometries(struct sp_device *device, const struct sp_op *op, const struct sp_op_case *c)
{
    int own_lanes = sp_device_lanes(device);

    for (int lanes = 1; lanes <= (op->laneless ? 1 : 64); lanes *= 64) {
        bool own = lanes == own_lanes || op->laneless,
             runs = small(c) ? !quick || own != other : large && (own || c->tall);

        if (runs && !spared(op->name, lanes))
            run_case(device, op, c, lanes);
    }
}

int main(int argc, char **argv)
{
    const char *driver = getenv("SPEFT_TEST_DRIVER");
    struct sp_device *device;

    other = argc > 1 && strcmp(argv[1], "--other") == 0;
    quick = other || (argc > 1 && strcmp(argv[1], "--quick") == 0);
    large = !quick && !(driver && (strcmp(driver, "oclgrind") == 0 || strcmp(driver, "rusticl") == 0));
    argv += 1 + quick;
    if (sp_device_open(&device, NULL) < 0) {
        printf("1..1\nnot ok 1 - open the device\n");
        diagnose(sp_error_message());
        return 1;
    }
    printf("# %s, %s\n", sp_device_info(device)->name, sp_device_info(device)->platform);
    for (size_t i = 0; i < sp_op_count; i++)
        for (size_t k = 0; wanted(sp_ops[i], argv) && k < sp_ops[i]->case_count && !(quick && failures); k++)
            run_geometries(device, sp_ops[i], &sp_ops[i]->cases[k]);
    printf("1..%d\n", tests);
    sp_device_close(device);
    return failures > 0 || tests == 0;
}
