/* speft-cl devices: every device with what its driver says and what small kernels showed. */
#include "frontends/cli/devices.h"

#include "frontends/cli/ask.h"
#include "frontends/cli/command.h"
#include "frontends/cli/terminal.h"
#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/device/device.h"
#include "runtime/device/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(enum sp_device_type type)
{
    return type == SP_DEVICE_CPU ? "CPU" : type == SP_DEVICE_GPU ? "GPU" : "other";
}

static const char *tested(const struct sp_device_info *info, bool feature)
{
    return !info->probed ? "unknown" : feature ? "yes" : "no";
}

static void print_device(const struct sp_device_info *info, bool chosen)
{
    const double mib = 1 << 20;

    sp_terminal_print("%d: %s%s", info->index, info->name, chosen ? "  [default]" : "");
    sp_terminal_print("   type              %s, %u compute units, %u MHz", type_name(info->type),
           info->compute_units, info->clock_mhz);
    sp_terminal_print("   platform          %s (%s)", info->platform, info->platform_version);
    sp_terminal_print("   driver            %s (%s)", info->driver, info->version);
    sp_terminal_print("   vendor            %s", info->vendor);
    sp_terminal_print("   memory            %.0f MiB%s, largest allocation %.0f MiB, local %.0f KiB",
           (double)info->global_memory / mib, info->unified_memory ? " shared with the host" : "",
           (double)info->max_allocation / mib, (double)info->local_memory / 1024);
    sp_terminal_print("   work-group        at most %zu", info->max_work_group);
    sp_terminal_print("   tested            fp16 %s, fp64 %s, sub-groups %s", tested(info, info->fp16),
           tested(info, info->fp64), tested(info, info->subgroups));
}

static int add_device(json_t *array, const struct sp_device_info *info, bool chosen)
{
    const struct {
        const char *key;
        json_t *value;
    } members[] = {
        { "index", json_integer(info->index) },
        { "name", json_string(info->name) },
        { "default", json_boolean(chosen) },
        { "type", json_string(type_name(info->type)) },
        { "platform", json_string(info->platform) },
        { "platform_version", json_string(info->platform_version) },
        { "vendor", json_string(info->vendor) },
        { "driver", json_string(info->driver) },
        { "version", json_string(info->version) },
        { "compute_units", json_integer(info->compute_units) },
        { "clock_mhz", json_integer(info->clock_mhz) },
        { "vector_floats", json_integer(info->vector_floats) },
        { "global_memory", json_integer((json_int_t)info->global_memory) },
        { "max_allocation", json_integer((json_int_t)info->max_allocation) },
        { "local_memory", json_integer((json_int_t)info->local_memory) },
        { "max_work_group", json_integer((json_int_t)info->max_work_group) },
        { "unified_memory", json_boolean(info->unified_memory) },
        { "fp16", info->probed ? json_boolean(info->fp16) : json_null() },
        { "fp64", info->probed ? json_boolean(info->fp64) : json_null() },
        { "subgroups", info->probed ? json_boolean(info->subgroups) : json_null() },
    };
    json_t *object = json_object();
    int failed = 0;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        failed |= json_object_set_new(object, members[i].key, members[i].value);
    if (failed | json_array_append_new(array, object)) /* a name that is not UTF-8, or no memory */
        return sp_error(SP_EDEVICE, "device %d cannot be written as JSON", info->index);
    return 0;
}

static int print_json(const struct sp_device_info *list, size_t count, size_t chosen)
{
    json_t *array = json_array();
    char *text;
    int rc = array ? 0 : SP_ENOMEM;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_device(array, &list[i], i == chosen);
    text = rc == 0 ? sp_json_text(array, JSON_INDENT(2)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(array);
    return rc < 0 || text ? rc : sp_error(SP_ENOMEM, "out of memory");
}

int sp_devices_faults(char **lines, const struct sp_device_faults *faults)
{
    struct sp_buf text = SP_BUF(65536);
    int rc;

    *lines = NULL;
    SP_GO(sp_buf_puts(&text, ""));
    if (faults->broken[0])
        SP_GO(sp_buf_printf(&text,
                            "drivers that do not work: %s; install their packages again, or remove these files\n",
                            faults->broken));
    if (faults->idle[0])
        SP_GO(sp_buf_printf(&text, "drivers without a device: %s%s%s\n", faults->idle, faults->access ? "; " : "",
                            faults->access ? faults->access : ""));
out:
    if (rc == 0)
        *lines = text.data;
    else
        sp_buf_free(&text);
    return rc;
}

void sp_devices_tell_faults(char *lines, bool aside)
{
    for (char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        *end = '\0';
        if (aside)
            sp_log(SP_LOG_INFO, "%s", lines);
        else
            sp_terminal_print("%s", lines);
    }
}

static int tell_faults(bool json)
{
    struct sp_device_faults faults;
    char *lines;
    int rc;

    SP_TRY(sp_device_faults(&faults));
    rc = sp_devices_faults(&lines, &faults);
    if (rc == 0)
        sp_devices_tell_faults(lines, json);
    free(lines);
    sp_device_faults_release(&faults);
    return rc;
}

static void print_list(const struct sp_device_info *list, size_t count, size_t chosen)
{
    for (size_t i = 0; i < count; i++)
        print_device(&list[i], i == chosen);
}

/* What the worker reports of a device's tested features; or `rc` and, behind it, the message. */
struct features {
    int rc;
    bool fp16, fp64, subgroups;
};

/* Tests the device's features in a process of its own, which its driver may take with it. */
static int probe(struct sp_device_info *info)
{
    char index[16], wait[512];
    const struct sp_question question = {
        .arguments = (const char *const[]){ "speft-cl", SP_DEVICES_WORKER, index, info->name, NULL },
        .least = sizeof(struct features),
        .limit = sp_driver_seconds(),
        .limit_name = SP_DRIVER_VARIABLE,
        .wait = wait,
        .late = "has not built and run a few small kernels",
        .when = "when it builds and runs a few small kernels",
    };
    struct sp_answer answer;
    struct features features;
    int rc;

    snprintf(index, sizeof index, "%d", info->index);
    snprintf(wait, sizeof wait, "the driver of %s (%s %s) to build and run a few small kernels", info->name,
             info->platform, info->driver);
    rc = sp_ask(&answer, &question);
    if (rc == 0 && answer.how[0])
        rc = sp_error(SP_EDEVICE, "the driver of %s (%s %s) %s; use another device (--device)", info->name,
                      info->platform, info->driver, answer.how);
    if (rc == 0) {
        memcpy(&features, answer.bytes.data, sizeof features);
        rc = features.rc < 0 ? sp_error(features.rc, "%s", answer.bytes.data + sizeof features) : 0;
    }
    if (rc == 0) {
        info->probed = true;
        info->fp16 = features.fp16;
        info->fp64 = features.fp64;
        info->subgroups = features.subgroups;
    }
    sp_buf_free(&answer.bytes);
    return rc;
}

/* The very device that the command means, as the order of the list is the loader's. */
static int probe_same(struct features *out, int index, const char *name)
{
    struct sp_device_info *list;
    size_t count, at = 0;
    int rc;

    SP_TRY(sp_device_list(&list, &count));
    while (at < count && list[at].index != index)
        at++;
    rc = at < count && strcmp(list[at].name, name) == 0
             ? sp_device_probe(&list[at])
             : sp_error(SP_ENOTFOUND, "device %d (%s) is not there any more", index, name);
    if (rc == 0)
        *out = (struct features){ 0, list[at].fp16, list[at].fp64, list[at].subgroups };
    free(list);
    return rc;
}

bool sp_devices_worker(int argc, char **argv, int *status)
{
    struct features features = { .rc = 0 };
    FILE *report;

    if (argc != 4 || strcmp(argv[1], SP_DEVICES_WORKER) != 0)
        return false;
    *status = EXIT_FAILURE;
    report = sp_ask_report();
    if (!report)
        return true;
    sp_ask_unguarded();
    features.rc = probe_same(&features, (int)strtol(argv[2], NULL, 10), argv[3]);
    fwrite(&features, sizeof features, 1, report);
    if (features.rc < 0)
        fputs(sp_error_message(), report);
    if (fclose(report) == 0)
        *status = EXIT_SUCCESS;
    return true;
}

static int run_devices(const struct sp_arguments *arguments)
{
    struct sp_device_info *list;
    size_t count, chosen;
    bool json = sp_argument(arguments, "json") != NULL;
    int rc;

    SP_TRY(sp_device_list(&list, &count));
    rc = sp_device_choose(&chosen, list, count, NULL);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = probe(&list[i]);
        if (rc < 0 && rc != SP_EINTR) {
            sp_log(SP_LOG_WARNING, "%s", sp_error_message());
            rc = 0;
        }
    }
    if (rc == 0 && json)
        rc = print_json(list, count, chosen);
    else if (rc == 0)
        print_list(list, count, chosen);
    if (rc == 0)
        rc = tell_faults(json);
    free(list);
    return rc;
}

static const struct sp_flag flags[] = {
    SP_FLAG_JSON,
    SP_FLAG_END,
};

const struct sp_command sp_command_devices = {
    .name = "devices",
    .usage = "[--json]",
    .summary = "list the OpenCL devices and what they can do",
    .flags = flags,
    .run = run_devices,
};
