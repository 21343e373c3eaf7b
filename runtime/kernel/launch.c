#include "runtime/kernel/launch.h"

#include "runtime/base/error.h"
#include "runtime/device/program.h"
#include "runtime/kernel/build.h"
#include "runtime/kernel/cache.h"
#include "runtime/kernel/check.h"
#include "runtime/kernel/table.h"

#include <stdio.h>
#include <string.h>

static void add_define(struct sp_launch *launch, const char *name, const char *value)
{
    size_t used = strlen(launch->defines), room = sizeof launch->defines - used;
    int length = snprintf(launch->defines + used, room, " -D%s=%s", name, value);

    if (length < 0 || (size_t)length >= room)
        launch->overflow = 1;
}

void sp_launch_define(struct sp_launch *launch, const char *name, long value)
{
    char text[24];

    snprintf(text, sizeof text, "%ld", value);
    add_define(launch, name, text);
}

void sp_launch_define_text(struct sp_launch *launch, const char *name, const char *value)
{
    add_define(launch, name, value);
}

static void add_argument(struct sp_launch *launch, struct sp_buffer *buffer, const void *bytes,
                         size_t size)
{
    struct sp_launch_argument *argument = &launch->argument[launch->arguments];

    if (launch->arguments == SP_LAUNCH_ARGUMENTS) {
        launch->overflow = 1;
        return;
    }
    argument->buffer = buffer;
    argument->size = size;
    if (size)
        memcpy(argument->bytes, bytes, size);
    launch->arguments++;
}

void sp_launch_buffer(struct sp_launch *launch, struct sp_buffer *buffer)
{
    add_argument(launch, buffer, NULL, 0);
}

void sp_launch_int(struct sp_launch *launch, int32_t value)
{
    add_argument(launch, NULL, &value, sizeof value);
}

void sp_launch_uint(struct sp_launch *launch, uint32_t value)
{
    add_argument(launch, NULL, &value, sizeof value);
}

void sp_launch_ulong(struct sp_launch *launch, uint64_t value)
{
    add_argument(launch, NULL, &value, sizeof value);
}

void sp_launch_float(struct sp_launch *launch, float value)
{
    add_argument(launch, NULL, &value, sizeof value);
}

/* Fills in dimensions that are 0, and checks what a driver would refuse with less to say. */
static int complete_geometry(struct sp_launch *launch, const struct sp_device_info *info)
{
    size_t group = 1;

    for (int d = 0; d < 3; d++) {
        launch->global[d] = launch->global[d] || d == 0 ? launch->global[d] : 1;
        launch->local[d] = launch->local[d] ? launch->local[d] : 1;
        if (launch->global[d] == 0 || launch->global[d] % launch->local[d] != 0)
            return sp_error(SP_EINVAL,
                            "kernel %s: %zu work-items in dimension %d are not groups of %zu",
                            launch->kernel->name, launch->global[d], d, launch->local[d]);
        group *= launch->local[d];
    }
    if (group > info->max_work_group)
        return sp_error(
            SP_EDEVICE,
            "%s runs work-groups of at most %zu items, and kernel %s needs %zu: use another device",
            info->name, info->max_work_group, launch->kernel->name, group);
    return 0;
}

static int set_argument(struct sp_function *function, const struct sp_launch *launch,
                        unsigned index)
{
    const struct sp_launch_argument *argument = &launch->argument[index];
    int rc;

    if (argument->size)
        rc = sp_function_set_bytes(function, index, argument->bytes, argument->size);
    else
        rc = sp_function_set_buffer(function, index, argument->buffer);
    return rc < 0 ? sp_error_context(rc, "kernel %s, argument %u", launch->kernel->name, index) : 0;
}

/* The launch's entry in the device's table. */
static int find(struct sp_function_entry **out, struct sp_table **table, struct sp_device *device,
                const struct sp_launch *launch)
{
    *table = sp_table_of(device);
    if (launch->overflow)
        return sp_error(SP_ELIMIT, "kernel %s: too many arguments or defines",
                        launch->kernel->name);
    return *table ? sp_table_entry(out, *table, launch) : SP_ENOMEM;
}

int sp_launch_run(struct sp_device *device, struct sp_launch *launch)
{
    struct sp_function_entry *entry;
    struct sp_function *function;
    struct sp_table *table;

    SP_TRY(complete_geometry(launch, sp_device_info(device)));
    SP_TRY(find(&entry, &table, device, launch));
    if (sp_device_recording(device)) /* it is only noted */
        return 0;
    SP_TRY(sp_build_function(device, table, entry));
    SP_TRY(sp_check_before_use(device, table, entry));
    function = entry->function;
    for (unsigned i = 0; i < launch->arguments; i++)
        SP_TRY(set_argument(function, launch, i));
    return sp_function_run(function, launch->global, launch->local,
                           launch->label ? launch->label : launch->kernel->name);
}

int sp_launch_foreign(struct sp_device *device, struct sp_launch *launch, const char *version)
{
    struct sp_function_entry *entry;
    struct sp_program_entry *program;
    struct sp_table *table;

    SP_TRY(find(&entry, &table, device, launch));
    program = &table->programs[entry->program];
    program->foreign = true;
    if (version && !program->sum[0]) {
        struct sp_hash hash;

        sp_cache_key(program->key, sp_device_info(device), launch->defines, launch->kernel->source);
        sp_hash_init(&hash);
        sp_hash_update_string(&hash, version);
        sp_hash_final(&hash, program->sum);
    }
    return sp_device_recording(device) ? 0 : sp_check_before_use(device, table, entry);
}

int sp_kernel_tuned(int values[SP_TUNABLES], struct sp_device *device, const struct sp_tuned *const *list,
                    const struct sp_tuned *kernel)
{
    struct sp_table *table = sp_table_of(device);

    if (!table)
        return SP_ENOMEM;
    if (!table->tuning.list)
        SP_TRY(sp_tuning_load(&table->tuning, list));
    return sp_tuning_find(values, &table->tuning, kernel, sp_device_info(device));
}
