#include "runtime/kernel/build.h"

#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cache.h"
#include "runtime/kernel/check.h"
#include "runtime/kernel/source.h"
#include "runtime/kernel/worker.h"

#include <stdlib.h>
#include <string.h>

/* Not -cl-fast-relaxed-math: the kernels compare with NaN and infinity. -w: PoCL counts warnings on standard error, of
 * vectors that are wider than the CPU's; what we want to be warned of the lint finds. */
#define OPTIONS "-cl-std=CL1.2 -cl-mad-enable -w"

/* What a program is made from. */
struct recipe {
    struct sp_program_entry *entry;
    char *text, *options;
    char key[SP_HASH_HEX];
};

static void recipe_release(struct recipe *recipe)
{
    free(recipe->text);
    free(recipe->options);
}

static int recipe_init(struct recipe *recipe, struct sp_device *device,
                       struct sp_program_entry *entry)
{
    *recipe = (struct recipe){ .entry = entry };
    SP_TRY(sp_source_assemble(&recipe->text, entry->source));
    recipe->options = sp_asprintf(OPTIONS "%s", entry->defines);
    if (!recipe->options) {
        recipe_release(recipe);
        return SP_ENOMEM;
    }
    sp_cache_key(recipe->key, sp_device_info(device), recipe->options, recipe->text);
    return 0;
}

/* What tells the entry's binary from others (check.c). */
static void note_binary(const struct recipe *recipe, const void *binary, size_t size)
{
    struct sp_hash hash;

    memcpy(recipe->entry->key, recipe->key, sizeof recipe->key);
    sp_hash_init(&hash);
    sp_hash_update(&hash, binary, size);
    sp_hash_final(&hash, recipe->entry->sum);
}

static bool load_cached(struct sp_device *device, struct sp_table *table, struct recipe *recipe)
{
    struct sp_program_entry *entry = recipe->entry;
    void *binary;
    size_t size;
    bool loaded;

    if (!sp_cache_load(&binary, &size, recipe->key))
        return false;
    loaded =
        sp_program_load(&entry->program, device, binary, size, recipe->options, entry->source) == 0;
    if (loaded)
        note_binary(recipe, binary, size);
    free(binary);
    table->cached += loaded;
    return loaded;
}

static int compile(struct sp_device *device, struct sp_table *table, struct recipe *recipe)
{
    struct sp_program_entry *entry = recipe->entry;
    void *binary;
    size_t size;

    SP_TRY(sp_program_build(&entry->program, device, recipe->text, recipe->options, entry->source));
    table->compiled++;
    if (sp_program_binary(&binary, &size, entry->program) == 0) {
        note_binary(recipe, binary, size);
        sp_cache_store(recipe->key, binary, size);
        free(binary);
    }
    return 0;
}

int sp_build_program(struct sp_device *device, struct sp_table *table, size_t position)
{
    struct recipe recipe;
    int rc = 0;

    if (table->programs[position].program)
        return 0;
    SP_TRY(recipe_init(&recipe, device, &table->programs[position]));
    if (!load_cached(device, table, &recipe))
        rc = compile(device, table, &recipe);
    recipe_release(&recipe);
    return rc;
}

int sp_build_function(struct sp_device *device, struct sp_table *table, struct sp_function_entry *entry)
{
    if (entry->function)
        return 0;
    SP_TRY(sp_build_program(device, table, entry->program));
    return sp_function_create(&entry->function, table->programs[entry->program].program, entry->kernel);
}

/* Turns what a worker answered into a program. What it could not do for reasons of its own (memory,
 * a driver without binaries) is compiled here. */
static int take_answer(struct sp_device *device, struct sp_table *table, struct recipe *recipe,
                       const struct sp_worker_job *job)
{
    struct sp_program_entry *entry = recipe->entry;

    if (job->done && (job->rc == SP_EBUILD || job->rc == SP_EINTR))
        return sp_error_received(job->rc, job->answer ? (const char *)job->answer : "out of memory");
    if (sp_interrupted())
        return sp_error(SP_EINTR, "interrupted");
    if (!job->done || job->rc < 0 ||
        sp_program_load(&entry->program, device, job->answer, job->size, recipe->options,
                        entry->source) < 0)
        return compile(device, table, recipe);
    table->compiled++;
    note_binary(recipe, job->answer, job->size);
    sp_cache_store(recipe->key, job->answer, job->size);
    return 0;
}

/* Compiles the recipes, in workers where that is possible; reports the first failure in order. */
static int compile_all(struct sp_device *device, struct sp_table *table, struct recipe *recipes,
                       size_t count)
{
    struct sp_worker_job *jobs = sp_calloc(count, sizeof *jobs);
    int rc = 0;

    if (!jobs)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        jobs[i] = (struct sp_worker_job){ .name = recipes[i].entry->source,
                                          .options = recipes[i].options,
                                          .text = recipes[i].text };
    sp_worker_compile(jobs, count, sp_device_info(device));
    for (size_t i = 0; i < count && rc == 0; i++) /* failures first: they cost nothing */
        if (jobs[i].done && jobs[i].rc < 0)
            rc = take_answer(device, table, &recipes[i], &jobs[i]);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (!recipes[i].entry->program)
            rc = take_answer(device, table, &recipes[i], &jobs[i]);
    for (size_t i = 0; i < count; i++)
        free(jobs[i].answer);
    free(jobs);
    return rc;
}

int sp_kernel_build_recorded(struct sp_device *device)
{
    struct sp_table *table = sp_table_of(device);
    struct recipe *recipes;
    size_t count = 0;
    int rc = 0;

    if (!table)
        return SP_ENOMEM;
    recipes = sp_calloc(table->program_count, sizeof *recipes);
    if (!recipes)
        return SP_ENOMEM;
    for (size_t i = 0; i < table->program_count; i++) {
        if (table->programs[i].program || table->programs[i].foreign)
            continue;
        SP_GO(recipe_init(&recipes[count], device, &table->programs[i]));
        if (load_cached(device, table, &recipes[count]))
            recipe_release(&recipes[count]);
        else
            count++;
    }
    SP_GO(compile_all(device, table, recipes, count));
    rc = sp_check_recorded(device, table);
out:
    for (size_t i = 0; i < count; i++)
        recipe_release(&recipes[i]);
    free(recipes);
    return rc;
}

void sp_kernel_build_counts(const struct sp_device *device, size_t *cached, size_t *compiled)
{
    const struct sp_table *table = sp_device_attachment(device);

    *cached = table ? table->cached : 0;
    *compiled = table ? table->compiled : 0;
}
