#include "runtime/kernel/check.h"

#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/kernel/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZES (sizeof(((struct sp_launch_check *)0)->size) / sizeof(int))

/* One name for the verdict on a kernel of a binary; false where the driver gives no binary that could be known
 * again. */
static bool verdict_key(char key[SP_HASH_HEX], const struct sp_table *table, const struct sp_function_entry *entry)
{
    const struct sp_program_entry *program = &table->programs[entry->program];
    const struct sp_launch_check *check = &entry->check;
    char sizes[16 * (SIZES + 1)] = "";
    struct sp_hash hash;

    if (!check->run || !program->sum[0])
        return false;
    for (size_t i = 0; i < SIZES; i++)
        snprintf(sizes + strlen(sizes), sizeof sizes - strlen(sizes), "%d ", check->size[i]);
    snprintf(sizes + strlen(sizes), sizeof sizes - strlen(sizes), "%u", check->flags);
    sp_hash_init(&hash);
    sp_hash_update_string(&hash, "speft-cl check 2");
    sp_hash_update_string(&hash, program->key);
    sp_hash_update_string(&hash, program->sum);
    sp_hash_update_string(&hash, entry->kernel);
    sp_hash_update_string(&hash, check->name);
    sp_hash_update_string(&hash, sizes);
    sp_hash_final(&hash, key);
    return true;
}

static bool same_check(const struct sp_launch_check *a, const struct sp_launch_check *b)
{
    return a->op == b->op && a->flags == b->flags && memcmp(a->size, b->size, sizeof a->size) == 0;
}

static bool is_checked(struct sp_table *table, struct sp_function_entry *entry)
{
    char key[SP_HASH_HEX];

    if (!entry->checked)
        entry->checked = verdict_key(key, table, entry) && sp_cache_load_verdict(key);
    return entry->checked;
}

/* The case has passed: all that it is the check of and that ran in it is good. */
static void pass(struct sp_table *table, const struct sp_launch_check *check)
{
    char key[SP_HASH_HEX];

    for (struct sp_function_entry *e = table->first; e; e = e->next) {
        if (!e->ran || e->checked || !same_check(&e->check, check))
            continue;
        e->checked = true;
        if (verdict_key(key, table, e))
            sp_cache_store_verdict(key);
    }
}

/* The message of a case that failed, behind what and where. */
static int failed(int rc, struct sp_device *device, const struct sp_table *table, const struct sp_function_entry *entry)
{
    const struct sp_device_info *info = sp_device_info(device);
    const char *defines = table->programs[entry->program].defines;
    bool wrong = rc == SP_ENUMERIC;

    if (!wrong && rc != SP_EDEVICE && rc != SP_ELIMIT && rc != SP_EBUILD)
        return sp_error_context(rc, "checking kernel %s (%s%s)", entry->kernel, table->programs[entry->program].source,
                                defines);
    return sp_error(rc,
                    "%s (%s %s) %s: kernel %s (%s%s): %s. Update the driver or take another device with --device "
                    "(speft-cl doctor checks them all)",
                    info->name, info->platform, info->driver,
                    wrong ? "computes wrong numbers" : "fails in the self-test", entry->kernel,
                    table->programs[entry->program].source, defines, sp_error_message());
}

static int check_kernel(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry)
{
    int rc;

    if (!entry->check.run)
        return sp_error(SP_EINVAL, "internal error: kernel %s (%s) has no case that checks it", entry->kernel,
                        table->programs[entry->program].source);
    for (struct sp_function_entry *e = table->first; e; e = e->next)
        e->ran = false;
    table->testing = true;
    sp_device_set_testing(device, true);
    rc = entry->check.run(device, &entry->check);
    sp_device_set_testing(device, false);
    table->testing = false;
    if (rc < 0)
        return failed(rc, device, table, entry);
    if (!entry->ran)
        return sp_error(SP_EINVAL, "internal error: the case of %s that checks kernel %s (%s%s) does not launch it",
                        entry->check.name, entry->kernel, table->programs[entry->program].source,
                        table->programs[entry->program].defines);
    pass(table, &entry->check);
    return 0;
}

int sp_check_before_use(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry)
{
    entry->ran = true;
    if (!table->checking || table->testing || is_checked(table, entry))
        return 0;
    return check_kernel(device, table, entry);
}

int sp_check_recorded(struct sp_device *device, struct sp_table *table)
{
    size_t count = 0;

    for (struct sp_function_entry *e = table->first; table->checking && e; e = e->next)
        count += e->wanted && !is_checked(table, e);
    if (count)
        sp_log(SP_LOG_INFO, "checking %zu kernel%s of %s against double precision, once for each binary", count,
               count > 1 ? "s" : "", sp_device_info(device)->name);
    for (struct sp_function_entry *e = table->first; count && e; e = e->next) {
        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted");
        if (e->wanted && !e->checked)
            SP_TRY(check_kernel(device, table, e));
    }
    return 0;
}

void sp_kernel_take_launched(struct sp_device *device, char *names, size_t size)
{
    const struct sp_table *table = sp_device_attachment(device);
    struct sp_function_entry *first = table ? table->first : NULL;
    size_t length = 0;

    names[0] = '\0';
    for (struct sp_function_entry *e = first; e; e = e->next) {
        struct sp_function_entry *same = first;

        while (same != e && !(same->ran && strcmp(same->kernel, e->kernel) == 0))
            same = same->next;
        if (e->ran && same == e && length < size)
            length += (size_t)snprintf(names + length, size - length, "%s%s", length ? " " : "", e->kernel);
    }
    for (struct sp_function_entry *e = first; e; e = e->next)
        e->ran = false;
}

int sp_kernel_set_checking(struct sp_device *device, bool on)
{
    struct sp_table *table = sp_table_of(device);

    if (!table)
        return SP_ENOMEM;
    table->checking = on;
    return 0;
}
