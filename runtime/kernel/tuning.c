#include "runtime/kernel/tuning.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT 65536 /* bytes */
#define LINE_LIMIT 500   /* characters */
#define BLANKS " \t\r"

static const char *const type_names[SP_TUNING_TYPES] = { "cpu", "gpu", "any" };

struct reader {
    struct sp_tuning *tuning;
    const struct sp_source *source;
    size_t line;
    char text[LINE_LIMIT + 1]; /* the line; words that were read end in NUL */
    char *at;
    char names[400]; /* what could have stood there, for messages */
};

#define FAULT(reader, where, ...)                                                                                      \
    sp_source_error(SP_EFORMAT, (reader)->source,                                                                      \
                    (struct sp_place){ (reader)->line, (size_t)((where) - (reader)->text) + 1 }, __VA_ARGS__)

static void add_name(struct reader *reader, const char *name)
{
    size_t used = strlen(reader->names);

    snprintf(reader->names + used, sizeof reader->names - used, "%s%s", used ? ", " : "", name);
}

/* The line's next word; an empty one at its end and at a comment. */
static char *next_word(struct reader *reader)
{
    char *word = reader->at + strspn(reader->at, BLANKS);

    if (*word == '#')
        *word = '\0';
    reader->at = word + strcspn(word, BLANKS);
    if (*reader->at)
        *reader->at++ = '\0';
    return word;
}

static const char *shown(const char *word)
{
    return *word ? word : "the end of the line";
}

static int read_kernel(size_t *out, struct reader *reader, const char *word)
{
    const struct sp_tuned *const *list = reader->tuning->list;

    for (size_t i = 0; list[i]; i++) {
        if (strcmp(list[i]->kernel, word) == 0) {
            *out = i;
            return 0;
        }
        add_name(reader, list[i]->kernel);
    }
    return FAULT(reader, word, "'%s' is not a kernel with tunables; those are %s", word, reader->names);
}

static int read_type(size_t *out, struct reader *reader, const char *word)
{
    for (size_t i = 0; i < SP_TUNING_TYPES; i++) {
        if (strcmp(type_names[i], word) == 0) {
            *out = i;
            return 0;
        }
    }
    return FAULT(reader, word, "found %s where a device type should be: cpu, gpu or any", shown(word));
}

static int read_value(int *out, struct reader *reader, const struct sp_tunable *tunable, const char *word)
{
    char text[16];

    for (size_t i = 0; tunable->allowed[i]; i++) {
        snprintf(text, sizeof text, "%d", tunable->allowed[i]);
        if (strcmp(text, word) == 0) {
            *out = tunable->allowed[i];
            return 0;
        }
        add_name(reader, text);
    }
    return FAULT(reader, word, "%s cannot be '%s'; it is one of %s", tunable->name, word, reader->names);
}

/* NAME=VALUE */
static int read_pair(int values[SP_TUNABLES], struct reader *reader, const struct sp_tuned *kernel, char *word)
{
    char *equals = strchr(word, '=');

    if (!equals)
        return FAULT(reader, word, "found %s where NAME=VALUE should be", shown(word));
    *equals = '\0';
    reader->names[0] = '\0';
    for (size_t i = 0; kernel->tunables[i].name; i++) {
        if (strcmp(kernel->tunables[i].name, word) == 0) {
            if (values[i])
                return FAULT(reader, word, "%s is given twice", word);
            reader->names[0] = '\0';
            return read_value(&values[i], reader, &kernel->tunables[i], equals + 1);
        }
        add_name(reader, kernel->tunables[i].name);
    }
    return FAULT(reader, word, "%s has no tunable '%s'; it has %s", kernel->kernel, word, reader->names);
}

static int read_record(struct reader *reader)
{
    char *first = next_word(reader), *word;
    const struct sp_tuned *kernel;
    struct sp_tuning_record *record;
    size_t k = 0, type = 0;

    if (!*first)
        return 0;
    SP_TRY(read_kernel(&k, reader, first));
    SP_TRY(read_type(&type, reader, next_word(reader)));
    kernel = reader->tuning->list[k];
    record = &reader->tuning->records[k][type];
    if (record->line)
        return FAULT(reader, first, "%s has a record for %s on line %zu already", first, type_names[type],
                     record->line);
    record->line = reader->line;
    word = next_word(reader);
    do {
        SP_TRY(read_pair(record->values, reader, kernel, word));
        word = next_word(reader);
    } while (*word);
    return 0;
}

static int read_line(struct reader *reader, const char *text, size_t length)
{
    const char *nul = memchr(text, '\0', length);

    reader->at = reader->text;
    reader->names[0] = '\0';
    if (length > LINE_LIMIT)
        return FAULT(reader, reader->text, "a line of %zu bytes; at most %d are read", length, LINE_LIMIT);
    if (nul)
        return FAULT(reader, reader->text + (nul - text), "a NUL byte; a tuning file is text");
    memcpy(reader->text, text, length);
    reader->text[length] = '\0';
    return read_record(reader);
}

int sp_tuning_parse(struct sp_tuning *out, const struct sp_source *source, const struct sp_tuned *const *list)
{
    const char *at = source->text, *end = at + source->length;
    struct reader reader = { .tuning = out, .source = source };
    size_t count = 0;
    int rc = 0;

    while (list[count])
        count++;
    *out = (struct sp_tuning){ .name = sp_strdup(source->name), .list = list };
    out->records = sp_calloc(count, sizeof *out->records);
    if (!out->name || !out->records)
        rc = SP_ENOMEM;
    while (rc == 0 && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);

        reader.line++;
        rc = read_line(&reader, at, length);
        at += length + (stop != NULL);
    }
    if (rc < 0)
        sp_tuning_free(out);
    return rc;
}

void sp_tuning_free(struct sp_tuning *tuning)
{
    free(tuning->name);
    free(tuning->records);
    *tuning = (struct sp_tuning){ 0 };
}

static int initial(const struct sp_tunable *tunable, const struct sp_device_info *info)
{
    return tunable->narrow && info->vector_floats && info->vector_floats < 16 ? tunable->narrow : tunable->initial;
}

int sp_tuning_find(int values[SP_TUNABLES], const struct sp_tuning *tuning, const struct sp_tuned *kernel,
                   const struct sp_device_info *info)
{
    const struct sp_tuning_record *record;
    size_t k = 0;
    int rc;

    while (tuning->list[k] != kernel)
        k++;
    record = &tuning->records[k][info->type == SP_DEVICE_CPU   ? SP_TUNING_CPU
                                 : info->type == SP_DEVICE_GPU ? SP_TUNING_GPU
                                                               : SP_TUNING_ANY];
    if (!record->line)
        record = &tuning->records[k][SP_TUNING_ANY];
    for (size_t i = 0; kernel->tunables[i].name; i++)
        values[i] = record->values[i] ? record->values[i] : initial(&kernel->tunables[i], info);
    rc = kernel->valid ? kernel->valid(values, info) : 0;
    if (rc < 0 && record->line)
        return sp_error_context(SP_EFORMAT, "%s:%zu: %s", tuning->name, record->line, kernel->kernel);
    return rc < 0 ? sp_error_context(rc, "%s", kernel->kernel) : 0;
}

int sp_tuning_load(struct sp_tuning *out, const struct sp_tuned *const *list)
{
    const char *chosen = getenv("SPEFT_TUNING_FILE");
    struct sp_source source = { .name = SP_DATADIR "/tuning/default.tune", .text = "" };
    char *text = NULL;
    int rc = 0;

    if (chosen && chosen[0])
        source.name = chosen;
    if (source.name == chosen || sp_fs_exists(source.name)) {
        rc = sp_fs_read(&text, &source.length, source.name, FILE_LIMIT);
        source.text = text;
    }
    if (rc == 0)
        rc = sp_tuning_parse(out, &source, list);
    free(text);
    return rc < 0 && source.name == chosen ? sp_error_context(rc, "$SPEFT_TUNING_FILE") : rc;
}
