#include "frontends/cli/report.h"

#include "frontends/cli/progress.h"
#include "models/models.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/train/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(void *user, const char *phase, size_t step, size_t total, double loss, double tokens_per_second,
                 bool logged)
{
    (void)user;
    sp_progress_show(&(struct sp_progress){ .phase = phase,
                                            .step = (long long)step,
                                            .total = (long long)total,
                                            .loss = loss,
                                            .tokens_per_second = tokens_per_second,
                                            .logged = logged });
    if (step == total)
        sp_progress_end();
}

struct sp_run sp_report_run(const struct sp_config *config)
{
    return (struct sp_run){ .config = config,
                            .families = sp_model_families,
                            .family_count = sp_model_family_count,
                            .observer = { .progress = show } };
}

void sp_report_metrics(char *out, size_t size, const struct sp_evaluation *e, const struct sp_task *task)
{
    char number[SP_SCORE_TEXT];
    size_t length = 0;

    for (size_t i = 0; i < task->score_count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s %s, ", task->scores[i].label,
                                   sp_score_text(number, e->scores[i]));
    if (length < size)
        snprintf(out + length, size - length, "loss %s", sp_score_text(number, e->loss));
}

int sp_report_config(struct sp_config *out, const struct sp_arguments *arguments, const char *model,
                     const struct sp_adapter *adapter)
{
    static const char *const kept[] = { "max_seq_length", "quotes", "text_column", "text_pair_column" };
    enum { KEPT = sizeof kept / sizeof *kept, WITH_DATA = 2 };
    char *list[KEPT + 1] = { NULL };
    size_t count = 0, kept_count, total;
    const char **overrides;
    int rc = 0;

    for (size_t i = 0; adapter && adapter->config && i < (adapter->data ? WITH_DATA : KEPT); i++) {
        const json_t *value = json_object_get(adapter->config, kept[i]);

        if (json_is_string(value))
            list[count++] = sp_asprintf("%s=%s", kept[i], json_string_value(value));
        else if (json_is_integer(value))
            list[count++] = sp_asprintf("%s=%lld", kept[i], (long long)json_integer_value(value));
        else if (json_is_boolean(value))
            list[count++] = sp_asprintf("%s=%s", kept[i], json_is_true(value) ? "true" : "false");
    }
    kept_count = count;
    list[count++] = sp_asprintf("model_name_or_path=%s", model);
    total = count + arguments->override_count;
    overrides = sp_calloc(total, sizeof *overrides);
    for (size_t i = 0; i < count; i++)
        rc = list[i] ? rc : SP_ENOMEM;
    if (rc == 0 && overrides) {
        memcpy(overrides, list, count * sizeof *overrides);
        for (size_t i = 0; i < arguments->override_count; i++)
            overrides[count + i] = arguments->overrides[i];
        rc = sp_config_load(out, NULL, overrides, kept_count);
        if (rc == 0)
            sp_config_release(out);
        else
            rc = sp_error_context(rc, "in the configuration that adapter.json keeps");
        if (rc == 0)
            rc = sp_config_load(out, NULL, overrides, total);
    } else {
        rc = SP_ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(overrides);
    return rc;
}

int sp_report_check_output(const char *input, const char *output, const char *what)
{
    if (sp_fs_same(strcmp(input, "-") == 0 ? "/dev/stdin" : input, output))
        return sp_error(SP_ECONFIG, "--output: %s is the input, which %s would replace", output, what);
    return strcmp(output, "-") == 0 ? 0 : sp_fs_check_writable(output);
}

int sp_report_row(FILE *file, json_t *row, const char *what)
{
    char *text = row ? sp_json_text(row, JSON_REAL_PRECISION(9)) : NULL;
    int failed;

    json_decref(row);
    if (!text)
        return sp_error(SP_ENOMEM, "out of memory");
    failed = fprintf(file, "%s\n", text) < 0;
    free(text);
    return failed ? sp_error(SP_EIO, "cannot write %s: %s", what, strerror(errno)) : 0;
}

int sp_report_rows(const char *path, int (*write)(void *user, FILE *file), void *user)
{
    struct sp_fs_writer writer;
    int rc;

    if (strcmp(path, "-") == 0) {
        SP_TRY(write(user, stdout));
        return fflush(stdout) == 0 ? 0 : sp_error(SP_EIO, "cannot write to standard output: %s", strerror(errno));
    }
    SP_TRY(sp_fs_writer_open(&writer, path));
    rc = write(user, writer.file);
    if (rc < 0) {
        sp_fs_writer_abandon(&writer);
        return rc;
    }
    return sp_fs_writer_commit(&writer);
}
