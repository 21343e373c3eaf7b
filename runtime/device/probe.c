/*
 * What a device can do as opposed to what its driver lists: each feature is a small kernel that is
 * built, run and checked. A kernel that does not build, does not run or gives wrong numbers means
 * no; drivers list what they lack (or lack what they list).
 */
#include "runtime/device/driver.h"
#include "runtime/device/program.h"

#include <stdlib.h>
#include <string.h>

#define COUNT 64

struct probe {
    const char *name, *source;
    const char *const *options; /* tried in turn; NULL ends the list */
    bool (*right)(const float *x, const float *y);
};

static const char *const plain[] = { "-cl-std=CL1.2", NULL };
static const char *const any_standard[] = { "-cl-std=CL1.2", "-cl-std=CL3.0", "-cl-std=CL2.0",
                                            NULL };
/* Some GPU drivers have half arithmetic and do not list it. */
static const char *const unlisted[] = { "-cl-std=CL1.2", "-cl-std=CL1.2 -DUNLISTED", NULL };

/* A feature that the compiler does not know becomes a kernel without effect: compilers print their
 * errors on the terminal. */
#define OTHERWISE                                                                                  \
    "#else\n"                                                                                      \
    "__kernel void probe(__global const float *x, __global float *y)\n"                            \
    "{\n"                                                                                          \
    "}\n"                                                                                          \
    "#endif\n"

/* x holds 0.5, 1.5, 2.5 ...: half keeps 11 bits, so x * 1.001 is not what float would give. */
static const char half_source[] =
    "#if defined(cl_khr_fp16) || defined(UNLISTED)\n"
    "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n"
    "__kernel void probe(__global const float *x, __global float *y)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    half h = (half)x[i];\n"
    "    y[i] = (float)(h * h + (half)2048.0f);\n"
    "}\n" OTHERWISE;

/* To the nearest of 11 bits: spacing is 2 from 2048 to 4096 and 4 beyond. */
static bool half_right(const float *x, const float *y)
{
    for (int i = 0; i < COUNT; i++) {
        float exact = x[i] * x[i] + 2048.0f, spacing = exact < 4096.0f ? 2.0f : 4.0f;
        float steps = y[i] / spacing, error = y[i] - exact;

        /* one rounding when fused, two when not */
        if (steps != (float)(int)steps || error > spacing || error < -spacing)
            return false;
    }
    return true;
}

static const char double_source[] =
    "#if defined(cl_khr_fp64) || defined(__opencl_c_fp64)\n"
    "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
    "__kernel void probe(__global const float *x, __global float *y)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    double d = (double)x[i] + 1.0e9;\n"
    "    y[i] = (float)(d - 1.0e9);\n"
    "}\n" OTHERWISE;

static bool double_right(const float *x, const float *y)
{
    return memcmp(x, y, COUNT * sizeof *x) == 0; /* float would lose x beside 1e9 */
}

/* Each work-item: the sum over its sub-group of the items' numbers within it, and the group's size.
 */
static const char subgroup_source[] =
    "#if defined(cl_khr_subgroups) || defined(cl_intel_subgroups) || "
    "defined(__opencl_c_subgroups)\n"
    "#if __OPENCL_C_VERSION__ < 200\n"
    "#ifdef cl_intel_subgroups\n"
    "#pragma OPENCL EXTENSION cl_intel_subgroups : enable\n"
    "#else\n"
    "#pragma OPENCL EXTENSION cl_khr_subgroups : enable\n"
    "#endif\n"
    "#endif\n"
    "__kernel __attribute__((reqd_work_group_size(64, 1, 1)))\n"
    "void probe(__global const float *x, __global float *y)\n"
    "{\n"
    "    uint size = get_sub_group_size(), lane = get_sub_group_local_id();\n"
    "    float sum = sub_group_reduce_add((float)lane);\n"
    "    y[get_global_id(0)] = sum == size * (size - 1) * 0.5f && lane < size ? size : 0.0f;\n"
    "}\n" OTHERWISE;

static bool subgroup_right(const float *x, const float *y)
{
    (void)x;
    for (int i = 0; i < COUNT; i++)
        if (!(y[i] >= 2.0f && y[i] <= COUNT))
            return false;
    return true;
}

static const struct probe half_probe = { "fp16", half_source, unlisted, half_right };
static const struct probe listed_half_probe = { "fp16", half_source, plain, half_right };
static const struct probe double_probe = { "fp64", double_source, plain, double_right };
static const struct probe subgroup_probe = { "sub-groups", subgroup_source, any_standard,
                                             subgroup_right };

/* Runs the kernel of a built program on COUNT numbers. */
static int run_probe(float *y, const float *x, struct sp_device *device, struct sp_program *program)
{
    static const size_t global[3] = { COUNT, 1, 1 }, local[3] = { COUNT, 1, 1 };
    struct sp_function *function = NULL;
    struct sp_buffer *in = NULL, *out = NULL;
    int rc;

    SP_GO(sp_function_create(&function, program, "probe"));
    SP_GO(sp_buffer_create(&in, device, COUNT * sizeof *x));
    SP_GO(sp_buffer_create_zeros(&out, device, COUNT * sizeof *y));
    SP_GO(sp_buffer_write(in, 0, x, COUNT * sizeof *x));
    SP_GO(sp_function_set_buffer(function, 0, in));
    SP_GO(sp_function_set_buffer(function, 1, out));
    SP_GO(sp_function_run(function, global, local, "probe"));
    SP_GO(sp_buffer_read(y, out, 0, COUNT * sizeof *y));
out:
    sp_buffer_free(out);
    sp_buffer_free(in);
    sp_function_free(function);
    return rc;
}

static bool works(struct sp_device *device, const struct probe *probe)
{
    float x[COUNT], y[COUNT];
    bool right = false;

    for (int i = 0; i < COUNT; i++)
        x[i] = (float)i + 0.5f;
    for (const char *const *options = probe->options; *options && !right; options++) {
        struct sp_program *program;

        if (sp_program_build(&program, device, probe->source, *options, probe->name) < 0)
            continue;
        right = run_probe(y, x, device, program) == 0 && probe->right(x, y);
        sp_program_free(program);
    }
    return right;
}

int sp_device_probe(struct sp_device_info *info)
{
    struct sp_device_handle *handles;
    struct sp_device *device;
    size_t count;
    int rc;

    SP_TRY(sp_device_handles(&handles, &count));
    if (info->index < 0 || (size_t)info->index >= count)
        rc = sp_error(SP_ENOTFOUND, "there is no device %d any more", info->index);
    else
        rc = sp_device_open_handle(&device, &handles[info->index]);
    free(handles);
    SP_TRY(rc);
    info->fp16 = works(device, info->type == SP_DEVICE_GPU ? &half_probe : &listed_half_probe);
    info->fp64 = works(device, &double_probe);
    info->subgroups = works(device, &subgroup_probe);
    info->probed = true;
    sp_device_close(device);
    return 0;
}
