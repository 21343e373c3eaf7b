/* cl/lib/lanes.h with work-items in lanes, on the driver at hand: what kernels are built from, apart from any of
 * them. */
#include "tests/unit/device_support.h"

#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 5, C = 3, GUARD = 64, LANES = 64 }; /* GUARD: on either side of the rows, as many as there are lanes */

static char folder[] = "/tmp/speft-test-lanes.XXXXXX";

/* A barrier, then a walk of a few lanes to the row's end: what PoCL runs in all lanes when the row is a condition
 * (quirk.def). What the walk computes is of no matter, but it must be worth a vector. */
static const char walk_source[] = "#include \"lib/lanes.h\"\n"
                                  "KERNEL void walk(__global float *out, __global const float *a, __global const float "
                                  "*b,\n"
                                  "                 __global const float *factors, int T)\n"
                                  "{\n"
                                  "    FOR_ROWS(t, T)\n"
                                  "    {\n"
                                  "        int base = GUARD + t * C;\n"
                                  "        float r = factors[GUARD + t];\n"
                                  "\n"
                                  "        barrier(CLK_LOCAL_MEM_FENCE);\n"
                                  "        for (int c = LANE; c < C; c += LANES)\n"
                                  "            out[base + c] += r * (a[base + c] - r - b[base + c] * r);\n"
                                  "    }\n"
                                  "}\n";

static int setup(void **state)
{
    char *path;
    int rc;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    setenv("SPEFT_KERNEL_DIR", folder, 1);
    setenv("SPEFT_CACHE_DIR", folder, 1);
    path = sp_fs_join(folder, "walk.cl");
    rc = path ? sp_fs_write(path, walk_source, strlen(walk_source)) : -1;
    free(path);
    return rc;
}

static int teardown(void **state)
{
    char *command = sp_asprintf("rm -rf '%s'", folder);
    int rc = command ? system(command) : -1;

    (void)state;
    free(command);
    return rc;
}

static void test_rows_with_a_barrier(void **state)
{
    static const struct sp_kernel walk = { "walk", "walk.cl" };
    struct sp_launch launch = { .kernel = &walk, .global = { (size_t)ROWS * LANES }, .local = { LANES } };
    struct sp_device *device = *state;
    struct sp_buffer *x, *out;
    float values[ROWS * C + 2 * GUARD], got[ROWS * C + 2 * GUARD];

    for (int i = 0; i < ROWS * C + 2 * GUARD; i++)
        values[i] = got[i] = (float)(i % 4 + 1);
    assert_ok(sp_buffer_create(&x, device, sizeof values));
    assert_ok(sp_buffer_create(&out, device, sizeof values));
    assert_ok(sp_buffer_write(x, 0, values, sizeof values));
    assert_ok(sp_buffer_write(out, 0, got, sizeof got));
    sp_launch_define(&launch, "LANES", LANES);
    sp_launch_define(&launch, "ROWS", 1);
    sp_launch_define(&launch, "C", C);
    sp_launch_define(&launch, "GUARD", GUARD);
    sp_launch_buffer(&launch, out);
    for (int k = 0; k < 3; k++)
        sp_launch_buffer(&launch, x);
    sp_launch_int(&launch, ROWS);
    assert_ok(sp_launch_run(device, &launch));
    assert_ok(sp_buffer_read(got, out, 0, sizeof got));
    for (int i = 0; i < ROWS * C + 2 * GUARD; i++) {
        bool inside = i >= GUARD && i < GUARD + ROWS * C;
        float r = inside ? values[GUARD + (i - GUARD) / C] : 0,
              expected = values[i] + r * (values[i] - r - values[i] * r);

        if (got[i] != expected)
            fail_msg("element %d of the rows is %g, expected %g", i - GUARD, (double)got[i], (double)expected);
    }
    sp_buffer_free(x);
    sp_buffer_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_with_a_barrier, open_device, close_device),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
