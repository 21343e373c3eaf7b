#include "runtime/kernel/table.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cache.h"

#include <stdlib.h>
#include <string.h>

static void table_free(void *attachment)
{
    struct sp_table *table = attachment;

    if (table->compiled > 0)
        sp_cache_prune();
    for (struct sp_function_entry *entry = table->first, *next; entry; entry = next) {
        next = entry->next;
        sp_function_free(entry->function);
        free(entry->kernel);
        free(entry);
    }
    for (size_t i = 0; i < table->program_count; i++) {
        sp_program_free(table->programs[i].program);
        free(table->programs[i].source);
        free(table->programs[i].defines);
    }
    sp_tuning_free(&table->tuning);
    free(table->functions);
    free(table->programs);
    free(table);
}

struct sp_table *sp_table_of(struct sp_device *device)
{
    struct sp_table *table = sp_device_attachment(device);

    if (!table && (table = sp_calloc(1, sizeof *table))) {
        table->last = &table->first;
        sp_device_attach(device, table, table_free);
    }
    return table;
}

int sp_table_program(size_t *out, struct sp_table *table, const char *source, const char *defines)
{
    struct sp_program_entry entry;

    for (size_t i = 0; i < table->program_count; i++) {
        if (strcmp(table->programs[i].source, source) == 0 &&
            strcmp(table->programs[i].defines, defines) == 0) {
            *out = i;
            return 0;
        }
    }
    SP_TRY(sp_grow(&table->programs, table->program_count, &table->program_capacity, sizeof entry,
                   SP_PROGRAMS_MAX, "programs on a device"));
    entry = (struct sp_program_entry){ .source = sp_strdup(source), .defines = sp_strdup(defines) };
    if (!entry.source || !entry.defines) {
        free(entry.source);
        free(entry.defines);
        return SP_ENOMEM;
    }
    *out = table->program_count;
    table->programs[table->program_count++] = entry;
    return 0;
}

/* FNV-1a over the three strings with their terminators; never 0. */
static uint64_t key_hash(const struct sp_kernel *kernel, const char *defines)
{
    const char *texts[] = { kernel->name, kernel->source, defines };
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < 3; i++)
        for (const char *p = texts[i];; p++) {
            hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
            if (!*p)
                break;
        }
    return hash ? hash : 1;
}

static int grow_functions(struct sp_table *table)
{
    size_t slots = table->function_slots ? table->function_slots * 2 : 64;
    struct sp_function_entry **grown = sp_calloc(slots, sizeof *grown);

    if (!grown)
        return SP_ENOMEM;
    for (size_t i = 0; i < table->function_slots; i++) {
        struct sp_function_entry *entry = table->functions[i];
        size_t at;

        if (!entry)
            continue;
        for (at = entry->hash & (slots - 1); grown[at];)
            at = (at + 1) & (slots - 1);
        grown[at] = entry;
    }
    free(table->functions);
    table->functions = grown;
    table->function_slots = slots;
    return 0;
}

/* The slot of the key, or the empty one where it would go. */
static struct sp_function_entry **find_function(struct sp_table *table,
                                                const struct sp_kernel *kernel, const char *defines,
                                                uint64_t hash)
{
    size_t mask = table->function_slots - 1;

    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        struct sp_function_entry *entry = table->functions[at];
        const struct sp_program_entry *program;

        if (!entry)
            return &table->functions[at];
        program = &table->programs[entry->program];
        if (entry->hash == hash && strcmp(entry->kernel, kernel->name) == 0 &&
            strcmp(program->source, kernel->source) == 0 && strcmp(program->defines, defines) == 0)
            return &table->functions[at];
    }
}

static int add_function(struct sp_function_entry **slot, struct sp_table *table, const struct sp_launch *launch,
                        uint64_t hash)
{
    struct sp_function_entry *entry = sp_calloc(1, sizeof *entry);
    int rc;

    if (!entry)
        return SP_ENOMEM;
    *entry = (struct sp_function_entry){ .hash = hash, .kernel = sp_strdup(launch->kernel->name) };
    rc = entry->kernel ? sp_table_program(&entry->program, table, launch->kernel->source, launch->defines) : SP_ENOMEM;
    if (rc < 0) {
        free(entry->kernel);
        free(entry);
        return rc;
    }
    *slot = *table->last = entry;
    table->last = &entry->next;
    table->function_count++;
    return 0;
}

int sp_table_entry(struct sp_function_entry **out, struct sp_table *table, const struct sp_launch *launch)
{
    uint64_t hash = key_hash(launch->kernel, launch->defines);
    struct sp_function_entry **slot;

    if (2 * (table->function_count + 1) > table->function_slots)
        SP_TRY(grow_functions(table));
    slot = find_function(table, launch->kernel, launch->defines, hash);
    if (!*slot)
        SP_TRY(add_function(slot, table, launch, hash));
    if (!table->testing && !(*slot)->wanted) {
        (*slot)->wanted = true;
        (*slot)->check = launch->check;
    }
    *out = *slot;
    return 0;
}
