#include "runtime/train/output.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/train/files.h"
#include "runtime/train/inputs.h"
#include "runtime/train/result.h"
#include "runtime/train/trainer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_MAX ((size_t)1 << 20)

static const char *const files[] = { SP_FILE_RESOLVED, SP_FILE_METRICS, SP_FILE_PREDICTIONS, SP_FILE_RESULT };

static int check_folder(const char *output_dir, const char *name)
{
    struct sp_staging staging = { .dir = NULL };
    char *path = sp_fs_join(output_dir, name);
    int rc = path ? sp_staging_open(&staging, path, sp_adapter_files) : SP_ENOMEM;

    sp_staging_abandon(&staging);
    free(path);
    return rc;
}

static int check_file(const char *output_dir, const char *name)
{
    char *path = sp_fs_join(output_dir, name);
    bool in_place = strcmp(name, SP_FILE_METRICS) == 0;
    int rc = !path ? SP_ENOMEM : in_place ? sp_fs_check_in_place(path) : sp_fs_check_writable(path);

    free(path);
    return rc;
}

/* Whether the file is as sp_config_write makes it, so that nothing of it is lost when it is written anew. */
static int is_resolved(bool *out, const char *path)
{
    struct sp_buf text = SP_BUF(CONFIG_MAX);
    struct sp_config config;
    size_t length;
    char *file;
    int rc;

    SP_TRY(sp_fs_read(&file, &length, path, CONFIG_MAX));
    rc = sp_config_load(&config, path, NULL, 0);
    if (rc == 0) {
        rc = sp_config_write(&config, &text);
        *out = rc == 0 && length == text.length && memcmp(file, text.data, length) == 0;
        sp_config_release(&config);
    }
    sp_buf_free(&text);
    free(file);
    return rc;
}

/* A run that is repeated from its own config.resolved.yaml writes that anew. */
static int spare(const struct sp_run *run, const char *name)
{
    char *path = sp_fs_join(run->config->output_dir, name);
    bool repeats = false;
    int rc = path ? 0 : SP_ENOMEM;

    if (rc == 0 && strcmp(name, SP_FILE_RESOLVED) == 0 && run->config->source && sp_fs_same(run->config->source, path))
        rc = is_resolved(&repeats, path);
    if (rc == 0 && !repeats)
        rc = sp_inputs_spare(run, "output_dir", path, "training");
    free(path);
    return rc;
}

int sp_output_spare_inputs(const struct sp_run *run)
{
    static const char *const folders[] = { SP_FILE_ADAPTER, SP_FILE_ADAPTER SP_ADAPTER_UNEVALUATED };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        SP_TRY(spare(run, files[i]));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        for (size_t k = 0; sp_adapter_files[k]; k++) {
            char *name = sp_fs_join(folders[i], sp_adapter_files[k]);
            int rc = name ? spare(run, name) : SP_ENOMEM;

            free(name);
            SP_TRY(rc);
        }
    }
    return spare(run, SP_TRAIN_LOCK);
}

/* What is trained lies there as a folder, which then is renamed: a link would be, and not what it leads to. */
static int refuse_link(const char *output_dir)
{
    char *path = sp_fs_join(output_dir, SP_FILE_ADAPTER SP_ADAPTER_UNEVALUATED);
    struct stat st;
    int rc = path ? 0 : SP_ENOMEM;

    if (path && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        rc = sp_error(SP_EIO, "%s is a link, and a folder of that name is to be written and moved: remove it", path);
    free(path);
    return rc;
}

static int check_places(const char *output_dir)
{
    SP_TRY(refuse_link(output_dir));
    SP_TRY(check_folder(output_dir, SP_FILE_ADAPTER));
    SP_TRY(check_folder(output_dir, SP_FILE_ADAPTER SP_ADAPTER_UNEVALUATED));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        SP_TRY(check_file(output_dir, files[i]));
    return 0;
}

/* What lies there is not this run's yet. */
static void tell_earlier(const char *output_dir)
{
    char *path = sp_fs_join(output_dir, SP_FILE_ADAPTER);
    char *waiting = sp_fs_join(output_dir, SP_FILE_ADAPTER SP_ADAPTER_UNEVALUATED);

    if (path && sp_fs_exists(path))
        sp_log(SP_LOG_INFO, "%s is an earlier run's, as its adapter.json says, until this run saves its own", path);
    if (waiting && sp_fs_exists(waiting))
        sp_log(SP_LOG_WARNING,
               "%s is what an earlier run had trained when it was killed in its last evaluation; `--adapter` takes it, "
               "and this run will replace it after its last step: move it where it is to stay",
               waiting);
    free(path);
    free(waiting);
}

int sp_output_prepare(const struct sp_config *config)
{
    struct sp_buf text = SP_BUF(CONFIG_MAX);
    char *path = NULL;
    int rc;

    SP_GO(check_places(config->output_dir));
    SP_GO(sp_train_result_remove(config->output_dir));
    SP_GO(sp_config_write(config, &text));
    path = sp_fs_join(config->output_dir, SP_FILE_RESOLVED);
    SP_GO(path ? sp_fs_write(path, text.data, text.length) : SP_ENOMEM);
    tell_earlier(config->output_dir);
out:
    free(path);
    sp_buf_free(&text);
    return rc;
}

/* A folder that somebody removed or moved comes to be anew with what is saved, but without what was written before. */
static void tell_gone(const char *output_dir)
{
    char *path = sp_fs_join(output_dir, SP_FILE_RESOLVED);

    if (path && !sp_fs_exists(path))
        sp_log(SP_LOG_WARNING,
               "%s is gone: it, or its folder, was removed or moved while the run worked. What is saved now goes to %s "
               "all the same; what was written there before, such as metrics.jsonl, does not",
               path, output_dir);
    free(path);
}

int sp_output_save(struct sp_staging *adapter, struct sp_trained *trained, struct sp_run *run)
{
    char *path = sp_fs_join(run->config->output_dir, SP_FILE_ADAPTER);
    mode_t mask = umask(0077);
    bool written = false;
    int rc = path ? sp_staging_beside(adapter, path, SP_ADAPTER_UNEVALUATED) : SP_ENOMEM;
    struct stat st;

    tell_gone(run->config->output_dir);
    /* as closed as what it will replace, from the start */
    (void)umask(rc == 0 && stat(path, &st) == 0 ? mask | (~st.st_mode & 0777) : mask);
    if (rc == 0)
        rc = sp_trained_save(&written, trained, run, adapter->path);
    (void)umask(mask);
    free(path);
    if (!written) { /* a folder of that name is an earlier run's */
        free(adapter->path);
        adapter->path = NULL;
    }
    return rc;
}

int sp_output_keep(struct sp_staging *adapter)
{
    return adapter->path ? sp_staging_commit(adapter) : 0;
}

void sp_output_discard(struct sp_staging *adapter)
{
    sp_staging_abandon(adapter);
}

int sp_output_say_unsaved(const struct sp_config *config, int rc)
{
    char *path = sp_fs_join(config->output_dir, SP_FILE_ADAPTER);

    if (path && sp_fs_exists(path))
        sp_error_context(rc, "nothing was saved, and %s is still an earlier run's", path);
    else
        sp_error_context(rc, "nothing was saved");
    free(path);
    return rc;
}
