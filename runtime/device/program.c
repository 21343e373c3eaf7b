#include "runtime/device/program.h"

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/device/driver.h"
#include "runtime/device/guard.h"
#include "runtime/device/pocl.h"

#include <stdlib.h>
#include <string.h>

#define LOG_SHOWN 2000         /* bytes of a build log in a message */
#define LOG_MAX (1 << 20)      /* of a log that is read */
#define BINARY_MAX (256 << 20) /* of a program's binary */

struct sp_program {
    struct sp_device *device;
    cl_program program;
    char *name;
};

struct sp_function {
    struct sp_device *device;
    cl_kernel kernel;
    char *name;
};

/* A log's first lines, each on a line of its own in a message: those are indented. */
static void indent(struct sp_buf *out, const char *log)
{
    for (size_t at = 0; log[at] && at < LOG_SHOWN;) {
        size_t length = strcspn(log + at, "\r\n"), left = LOG_SHOWN - at;

        if (length > 0 && sp_buf_printf(out, "\n    %.*s", (int)(length < left ? length : left), log + at) < 0)
            return;
        at += length + strspn(log + at + length, "\r\n");
    }
}

/* Makes a failed build SP_EBUILD, with the log when the driver has one. */
static int build_error(const struct sp_program *program)
{
    const struct sp_device_info *info = &program->device->info;
    cl_device_id id = program->device->id;
    size_t length = 0;
    struct sp_buf lines = SP_BUF(3 * LOG_SHOWN);
    char *log = NULL, *reason = sp_strdup(sp_error_message()), trouble[1024] = "";

    if (clGetProgramBuildInfo(program->program, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &length) == 0 &&
        length > 1 && length <= LOG_MAX)
        log = sp_calloc(length + 1, 1);
    if (log)
        clGetProgramBuildInfo(program->program, id, CL_PROGRAM_BUILD_LOG, length, log, NULL);
    if (log)
        indent(&lines, log);
    if (sp_pocl_is(info->platform))
        sp_pocl_trouble(trouble, sizeof trouble);
    sp_error(SP_EBUILD, "%s (%s %s) cannot build the kernel file %s%s%s%s%s", info->name, info->platform, info->driver,
             program->name, lines.data ? "" : ": ",
             lines.data ? ""
             : reason   ? reason
                        : "out of memory",
             trouble[0] ? "; " : "", trouble);
    sp_error_lines(SP_EBUILD, lines.data ? lines.data : "");
    sp_buf_free(&lines);
    free(reason);
    free(log);
    return SP_EBUILD;
}

static int program_new(struct sp_program **out, struct sp_device *device, const char *name)
{
    struct sp_program *program = sp_calloc(1, sizeof *program);

    if (!program)
        return SP_ENOMEM;
    program->device = device;
    program->name = sp_strdup(name);
    if (!program->name) {
        free(program);
        return SP_ENOMEM;
    }
    *out = program;
    return 0;
}

/* clBuildProgram; frees the program when it fails. */
static int finish(struct sp_program **out, struct sp_program *program, const char *options, int rc)
{
    const struct sp_device *device = program->device;

    if (rc == 0) {
        rc = SP_CL(device, clBuildProgram(program->program, 1, &device->id, options, NULL, NULL));
        sp_device_guard_renew();
        if (rc < 0)
            rc = build_error(program);
    }
    sp_driver_activity(NULL, NULL);
    if (rc < 0)
        sp_program_free(program);
    else
        *out = program;
    return rc;
}

int sp_program_build(struct sp_program **out, struct sp_device *device, const char *source,
                     const char *options, const char *name)
{
    struct sp_program *program;
    int rc;

    SP_TRY(program_new(&program, device, name));
    sp_driver_activity("building", program->name);
    rc = SP_CL_NEW(device, program->program, clCreateProgramWithSource, device->context, 1, &source,
                   NULL);
    return finish(out, program, options, rc);
}

int sp_program_load(struct sp_program **out, struct sp_device *device, const void *binary,
                    size_t size, const char *options, const char *name)
{
    const unsigned char *bytes = binary;
    struct sp_program *program;
    cl_int taken = CL_SUCCESS;
    int rc;

    SP_TRY(program_new(&program, device, name));
    sp_driver_activity("loading", program->name);
    rc = SP_CL_NEW(device, program->program, clCreateProgramWithBinary, device->context, 1,
                   &device->id, &size, &bytes, &taken);
    if (rc == 0 && taken != CL_SUCCESS)
        rc = sp_error(SP_EBUILD, "%s does not take its own binary of %s", device->info.name, name);
    return finish(out, program, options, rc);
}

int sp_program_binary(void **out, size_t *size, struct sp_program *program)
{
    const struct sp_device *device = program->device;
    unsigned char *binary;
    size_t length = 0;
    int rc;

    sp_driver_activity("building", program->name); /* some drivers compile only now */
    rc = SP_CL(device, clGetProgramInfo(program->program, CL_PROGRAM_BINARY_SIZES, sizeof length,
                                        &length, NULL));
    if (rc == 0 && (length == 0 || length > BINARY_MAX))
        rc = sp_error(SP_ENOTFOUND, "%s gives no binary of %s", device->info.name, program->name);
    if (rc < 0)
        goto out;
    binary = sp_calloc(length, 1);
    if (!binary) {
        rc = SP_ENOMEM;
        goto out;
    }
    rc = SP_CL(device, clGetProgramInfo(program->program, CL_PROGRAM_BINARIES, sizeof binary,
                                        &binary, NULL));
    if (rc < 0) {
        free(binary);
        goto out;
    }
    *out = binary;
    *size = length;
out:
    sp_device_guard_renew();
    sp_driver_activity(NULL, NULL);
    return rc;
}

void sp_program_free(struct sp_program *program)
{
    if (!program)
        return;
    if (program->program)
        clReleaseProgram(program->program);
    free(program->name);
    free(program);
}

int sp_function_create(struct sp_function **out, struct sp_program *program, const char *kernel)
{
    struct sp_function *function = sp_calloc(1, sizeof *function);
    int rc;

    if (!function)
        return SP_ENOMEM;
    function->device = program->device;
    function->name = sp_strdup(kernel);
    if (!function->name) {
        free(function);
        return SP_ENOMEM;
    }
    sp_driver_activity("creating", function->name);
    rc = SP_CL_NEW(program->device, function->kernel, clCreateKernel, program->program, kernel);
    sp_driver_activity(NULL, NULL);
    if (rc < 0) {
        sp_function_free(function);
        return sp_error_context(rc, "kernel %s of %s", kernel, program->name);
    }
    *out = function;
    return 0;
}

void sp_function_free(struct sp_function *function)
{
    if (!function)
        return;
    if (function->kernel)
        clReleaseKernel(function->kernel);
    if (sp_driver_launch.kernel == function->name)
        sp_driver_launch.device = NULL;
    free(function->name);
    free(function);
}

int sp_function_set_buffer(struct sp_function *function, unsigned index,
                           const struct sp_buffer *buffer)
{
    return SP_CL(function->device, clSetKernelArg(function->kernel, index, sizeof(cl_mem),
                                                  buffer ? &buffer->mem : NULL));
}

int sp_function_set_bytes(struct sp_function *function, unsigned index, const void *bytes,
                          size_t size)
{
    return SP_CL(function->device, clSetKernelArg(function->kernel, index, size, bytes));
}

int sp_function_run(struct sp_function *function, const size_t global[3], const size_t local[3],
                    const char *label)
{
    struct sp_device *device = function->device;
    cl_event event = NULL;
    int rc;

    sp_driver_launch = (struct sp_driver_launch){ device, function->name };
    sp_driver_activity("running", function->name);
    rc = SP_CL(device, clEnqueueNDRangeKernel(device->queue, function->kernel, 3, NULL, global,
                                              local, 0, NULL, sp_profile_event(device, &event)));
    sp_driver_activity(NULL, NULL);
    return rc < 0 ? rc : sp_profile_note(device, label, event);
}
