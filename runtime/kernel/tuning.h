/*
 * Tuned values of kernels (layer 2). A kernel that can be shaped declares its tunables: name, default, allowed values.
 * A text file (doc/tuning.md) gives other values by kernel and device type, one record a line; what no record says is
 * the default, so there need be no file:
 *
 *     gemm_packed cpu DEPTH=256 ROW_BLOCK=96
 *
 * Which kernels exist is known above this layer: their list, ended by NULL, is passed down, and a name outside it is an
 * error. Values are arrays in the order of the kernel's tunables. Threading: as the device.
 */
#ifndef SP_KERNEL_TUNING_H
#define SP_KERNEL_TUNING_H

#include "runtime/base/source.h"
#include "runtime/device/device.h"

#include <stddef.h>

#define SP_TUNABLES 8 /* of one kernel, at most */

struct sp_tunable {
    const char *name;
    int initial;
    int allowed[16]; /* positive; a 0 ends them */
    int narrow; /* in place of `initial` where vector registers hold fewer than 16 floats; 0: no other */
};

struct sp_tuned {
    const char *kernel;
    struct sp_tunable tunables[SP_TUNABLES + 1]; /* one without a name ends them */
    /* Whether the device can run the kernel with these values together: 0, or SP_EDEVICE with the reason. NULL: any. */
    int (*valid)(const int *values, const struct sp_device_info *info);
};

enum sp_tuning_type { SP_TUNING_CPU, SP_TUNING_GPU, SP_TUNING_ANY, SP_TUNING_TYPES };

struct sp_tuning_record {
    size_t line; /* in the file; 0: no such record */
    int values[SP_TUNABLES]; /* 0 for what it does not give */
};

/* One file's records: at most one for each kernel and type, which bounds them. */
struct sp_tuning {
    char *name;                         /* the file's */
    const struct sp_tuned *const *list; /* borrowed */
    struct sp_tuning_record (*records)[SP_TUNING_TYPES];
};

/* Reads the records of a file's text. SP_EFORMAT with its place for anything that is not one. */
int sp_tuning_parse(struct sp_tuning *out, const struct sp_source *source, const struct sp_tuned *const *list);
void sp_tuning_free(struct sp_tuning *tuning); /* safe on a zeroed one */

/* The values of a kernel of the list on such a device: the record for its type, else the one for any type, else the
 * defaults. Values from a record that `valid` refuses are SP_EFORMAT naming it; refused defaults are SP_EDEVICE. */
int sp_tuning_find(int values[SP_TUNABLES], const struct sp_tuning *tuning, const struct sp_tuned *kernel,
                   const struct sp_device_info *info);

/* Reads $SPEFT_TUNING_FILE, or the installed default.tune where there is one: no file is no records. */
int sp_tuning_load(struct sp_tuning *out, const struct sp_tuned *const *list);

#endif
