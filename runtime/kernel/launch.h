/*
 * Kernel launches (layer 2). An op fills a `struct sp_launch` and runs it; the program for (source, defines) is found
 * in the device's table, else in the binary cache, else built. Nothing is created ahead: a walk in recording mode
 * (device.h) followed by sp_kernel_build_recorded compiles all that a plan needs side by side.
 *
 * With checking on, a kernel is checked before its first use, those that were noted right after they are built: a
 * launch names the case of its op that launches the very same kernel on data of its own (runtime/op/check.h).
 *
 *     struct sp_launch launch = { .kernel = &layernorm_forward, .global = { T }, .local = { 1 } };
 *     sp_launch_define(&launch, "C", C);
 *     sp_launch_buffer(&launch, x);
 *     sp_launch_int(&launch, T);
 *     return sp_launch_run(device, &launch);
 */
#ifndef SP_KERNEL_LAUNCH_H
#define SP_KERNEL_LAUNCH_H

#include "runtime/device/device.h"
#include "runtime/kernel/tuning.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One kernel: its entry point and the file under cl/ that holds it. The source is compiled with cl/ as include path. */
struct sp_kernel {
    const char *name;   /* the __kernel function; also the label in profiles */
    const char *source; /* "norm/layernorm.cl" */
};

/* A case of an op's conformance: `run` launches, and compares with what should come out. */
struct sp_launch_check {
    int (*run)(struct sp_device *device, const struct sp_launch_check *check);
    const void *op;   /* the op; the kernel layer only passes it on */
    const char *name; /* its name */
    unsigned flags;
    int size[10];
};

#define SP_LAUNCH_ARGUMENTS 24

struct sp_launch {
    const struct sp_kernel *kernel;
    size_t global[3], local[3]; /* work-items; 0 in a later dimension means 1. global is a multiple of local */
    const char *label;          /* in profiles; the kernel's name when NULL. A literal. */
    struct sp_launch_check check; /* must be set where kernels are checked */
    /* filled by the functions below */
    char defines[400];
    size_t arguments;
    struct sp_launch_argument {
        struct sp_buffer *buffer; /* or the bytes */
        size_t size;
        unsigned char bytes[8];
    } argument[SP_LAUNCH_ARGUMENTS];
    int overflow; /* too many arguments or defines: reported by run */
};

/* Adds -Dname=value. Order matters for the cache key: define in a fixed order. */
void sp_launch_define(struct sp_launch *launch, const char *name, long value);
void sp_launch_define_text(struct sp_launch *launch, const char *name, const char *value);

/* Arguments in the order of the kernel's parameters. A NULL buffer is a null pointer in the kernel. */
void sp_launch_buffer(struct sp_launch *launch, struct sp_buffer *buffer);
void sp_launch_int(struct sp_launch *launch, int32_t value);
void sp_launch_uint(struct sp_launch *launch, uint32_t value);
void sp_launch_ulong(struct sp_launch *launch, uint64_t value);
void sp_launch_float(struct sp_launch *launch, float value);

/* Builds the program if need be and enqueues the kernel; in recording mode only notes the program. */
int sp_launch_run(struct sp_device *device, struct sp_launch *launch);

/* For a library's kernels, which it builds and launches by itself: `kernel` and the defines are but a name, under which
 * the check runs as for any other. Called before the library is; in recording mode the library is not called. `version`
 * tells the library's code from any other, for the verdict to be kept; with NULL it is found anew in each process. */
int sp_launch_foreign(struct sp_device *device, struct sp_launch *launch, const char *version);

/* The values of a kernel of the list on the device, as sp_tuning_find; the file is read on the first call
 * (sp_tuning_load). `list` is the same at every call. */
int sp_kernel_tuned(int values[SP_TUNABLES], struct sp_device *device, const struct sp_tuned *const *list,
                    const struct sp_tuned *kernel);

/* Whether kernels are checked: off for a device that was just opened. */
int sp_kernel_set_checking(struct sp_device *device, bool on);

/* The names of the kernels that were launched since the last call, parted by blanks. */
void sp_kernel_take_launched(struct sp_device *device, char *names, size_t size);

/* Compiles every noted program that is not built, several at a time, then checks what is to be checked; the first
 * failure is reported, with the driver's log. A kernel that computes wrong numbers is SP_ENUMERIC naming device,
 * driver, kernel and number. */
int sp_kernel_build_recorded(struct sp_device *device);

/* How many programs came from the binary cache and how many were compiled since the device was opened. */
void sp_kernel_build_counts(const struct sp_device *device, size_t *cached, size_t *compiled);

#endif
