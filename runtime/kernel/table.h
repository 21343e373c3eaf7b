/*
 * A device's programs and kernels (layer 2, inside runtime/kernel): programs by (source, defines),
 * functions by (kernel, source, defines), and its tuned values. The table hangs on the device and goes with it.
 * Threading: as the device.
 */
#ifndef SP_KERNEL_TABLE_H
#define SP_KERNEL_TABLE_H

#include "runtime/base/hash.h"
#include "runtime/device/program.h"
#include "runtime/kernel/launch.h"
#include "runtime/kernel/tuning.h"

#include <stddef.h>
#include <stdint.h>

#define SP_PROGRAMS_MAX 65536

struct sp_program_entry {
    char *source, *defines;
    struct sp_program *program; /* NULL: noted, not built */
    bool foreign;               /* a library's: never built here */
    char key[SP_HASH_HEX], sum[SP_HASH_HEX]; /* of a program that is built: in the cache, and of its binary ("": it has
                                                none); of a library's: of the device, and of the library */
};

struct sp_function_entry {
    uint64_t hash;
    char *kernel;
    size_t program;               /* position in programs */
    struct sp_function *function; /* NULL: noted, not created */
    struct sp_launch_check check;
    bool checked, wanted, ran;      /* check.h; wanted: by more than a case; ran: of late */
    struct sp_function_entry *next; /* in the order of their first launches */
};

struct sp_table {
    struct sp_program_entry *programs;
    size_t program_count, program_capacity;
    struct sp_function_entry
        **functions; /* open addressing; a power of two of slots, at most half full; NULL: empty */
    size_t function_count, function_slots;
    struct sp_function_entry *first, **last;
    bool checking, testing; /* kernels are checked; a case runs now */
    size_t cached, compiled;
    struct sp_tuning tuning; /* zero until sp_kernel_tuned reads it */
};

/* The device's table, made on first use; NULL when out of memory. */
struct sp_table *sp_table_of(struct sp_device *device);

/* Position of the program, added as noted when it is new. */
int sp_table_program(size_t *out, struct sp_table *table, const char *source, const char *defines);

/* The entry of the launch's kernel, added as noted when it is new. It stays where it is. */
int sp_table_entry(struct sp_function_entry **out, struct sp_table *table, const struct sp_launch *launch);

#endif
