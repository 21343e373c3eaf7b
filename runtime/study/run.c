/*
 * One run of a study: whether it is done, and doing it. The parent never touches OpenCL: a run is this very program
 * started anew, so that its peak memory, and a driver's crash, are its own.
 */
#include "runtime/study/study.h"

#include "runtime/base/child.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/hash.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/io/checkpoint.h"
#include "runtime/train/files.h"
#include "runtime/train/inputs.h"
#include "runtime/train/result.h"
#include "runtime/train/task.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESULT_MAX ((size_t)1 << 20)
#define INPUTS_MAX ((size_t)1000)
#define TAIL_MAX 2048 /* bytes of a log that are looked at for its last line */
#define POLL_SECONDS 0.1

/* Files of a run's folder. */
struct paths {
    char *config, *result, *error, *log; /* error: why the run failed, for later reports */
};

static int paths_of(struct paths *out, const struct sp_study_run *run)
{
    const char *dir = run->config.output_dir;

    *out = (struct paths){ sp_fs_join(dir, SP_FILE_RESOLVED), sp_fs_join(dir, SP_FILE_RESULT),
                           sp_fs_join(dir, "error.txt"), sp_fs_join(dir, "log.txt") };
    return out->config && out->result && out->error && out->log ? 0 : SP_ENOMEM;
}

static void free_paths(struct paths *paths)
{
    free(paths->config);
    free(paths->result);
    free(paths->error);
    free(paths->log);
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Whether the configuration that lies in the run's folder is the run's. A file that cannot be read is another one. */
static int same_config(bool *out, const struct sp_study_run *run, const char *path)
{
    struct sp_config config;
    json_t *found = NULL, *wanted = NULL;
    int rc = sp_config_json(&run->config, &wanted);

    *out = false;
    if (rc == 0 && sp_config_load(&config, path, NULL, 0) == 0) {
        rc = sp_config_json(&config, &found);
        sp_config_release(&config);
    }
    if (rc == 0 && found) {
        sp_config_forget_paths(found);
        sp_config_forget_paths(wanted);
        *out = json_equal(found, wanted);
    }
    json_decref(found);
    json_decref(wanted);
    return rc;
}

static char *model_checksum(const char *name)
{
    struct sp_checkpoint *checkpoint = NULL;
    char *dir = NULL, tokenizer[SP_HASH_HEX], sum[SP_HASH_HEX];
    bool known = sp_checkpoint_resolve(&dir, name) == 0 && sp_checkpoint_open(&checkpoint, dir) == 0 &&
                 sp_train_tokenizer_checksum(tokenizer, checkpoint) == 0 &&
                 sp_train_model_checksum(sum, checkpoint, tokenizer) == 0;

    sp_checkpoint_close(checkpoint);
    free(dir);
    return known ? sp_strdup(sum) : NULL;
}

static char *file_checksum(const char *path)
{
    char sum[SP_HASH_HEX];

    return sp_hash_file(sum, path) == 0 ? sp_strdup(sum) : NULL;
}

/* Sets *why to `name`, a model or data file, which may be NULL, when the result's checksum under `key` is not that of
 * what it is now; each is read once for all runs. One that cannot be read now cannot speak against the result. */
static int hold_against(const char **why, struct sp_study *study, const struct sp_study_run *run, const char *name,
                        const char *key)
{
    const char *then = text_at(run->result, key);
    struct sp_study_input *input = NULL;
    bool is_model = strcmp(key, "model_sha256") == 0;

    if (!name) {
        *why = then ? "a validation file" : *why;
        return 0;
    }
    for (size_t i = 0; i < study->input_count && !input; i++)
        if (study->inputs[i].is_model == is_model && strcmp(study->inputs[i].name, name) == 0)
            input = &study->inputs[i];
    if (!input) {
        SP_TRY(
            sp_grow(&study->inputs, study->input_count, &study->input_capacity, sizeof *input, INPUTS_MAX, "inputs"));
        input = &study->inputs[study->input_count];
        *input = (struct sp_study_input){ .name = sp_strdup(name), .is_model = is_model };
        if (!input->name)
            return SP_ENOMEM;
        study->input_count++;
        input->checksum = is_model ? model_checksum(name) : file_checksum(name);
        if (!input->checksum)
            sp_log(SP_LOG_WARNING,
                   "%s cannot be read, so that it is not known whether results are of what it holds now", name);
    }
    if (input->checksum && (!then || strcmp(then, input->checksum) != 0))
        *why = name;
    return 0;
}

/* NULL, or the model or data file that is another one than the result is of. */
static int find_other_input(const char **why, struct sp_study *study, const struct sp_study_run *run)
{
    SP_TRY(hold_against(why, study, run, run->config.model_name_or_path, "model_sha256"));
    SP_TRY(hold_against(why, study, run, run->config.train_file, "train_file_sha256"));
    return hold_against(why, study, run, run->config.validation_file, "validation_file_sha256");
}

static bool has_adapter(const struct sp_study_run *run)
{
    char *path = sp_fs_join(run->config.output_dir, SP_FILE_ADAPTER);
    struct sp_adapter adapter;
    bool whole = path && sp_adapter_load(&adapter, path) == 0;

    if (whole)
        sp_adapter_release(&adapter);
    free(path);
    return whole;
}

/* Whether the result is this program's, and whole. */
static bool is_current(const struct sp_study_run *run)
{
    const char *version = text_at(run->result, "version");

    return version && strcmp(version, PACKAGE_VERSION) == 0 && !isnan(sp_study_number(run, "seconds"));
}

/* As sp_study_check; without a result, *why is what speaks against one. */
static int check_run(const char **why, struct sp_study *study, struct sp_study_run *run)
{
    struct paths paths;
    bool same = false;
    size_t length;
    int rc = paths_of(&paths, run);

    *why = NULL;
    json_decref(run->result);
    free(run->error);
    run->result = NULL;
    run->error = NULL;
    if (rc == 0 && sp_fs_exists(paths.config))
        rc = same_config(&same, run, paths.config);
    if (rc == 0 && same && sp_fs_exists(paths.error) && sp_fs_read(&run->error, &length, paths.error, RESULT_MAX) < 0)
        run->error = NULL;
    if (rc == 0 && same && sp_fs_exists(paths.result) && sp_json_load(&run->result, paths.result, RESULT_MAX) < 0)
        run->result = NULL; /* damaged: the run is done again */
    if (rc == 0 && run->result)
        rc = find_other_input(why, study, run);
    if (!same)
        *why = "its config.resolved.yaml";
    else if (!is_current(run))
        *why = "its result.json";
    else if (!*why && !has_adapter(run))
        *why = "its adapter";
    if (*why) {
        json_decref(run->result);
        run->result = NULL;
    } else { /* of an earlier try */
        free(run->error);
        run->error = NULL;
    }
    free_paths(&paths);
    return rc;
}

int sp_study_check(struct sp_study *study, struct sp_study_run *run)
{
    const char *why;

    return check_run(&why, study, run);
}

/* ---- the child ---- */

/* The last line of the log that says something, in `line`. */
static void last_line(char *line, size_t size, const char *path)
{
    FILE *file = fopen(path, "re");
    char text[TAIL_MAX + 1];
    size_t length = 0, start;

    line[0] = '\0';
    if (!file)
        return;
    if (fseek(file, -TAIL_MAX, SEEK_END) < 0)
        rewind(file);
    length = fread(text, 1, TAIL_MAX, file);
    fclose(file);
    while (length > 0 && (unsigned char)text[length - 1] <= ' ')
        length--;
    for (start = length; start > 0 && text[start - 1] != '\n';)
        start--;
    snprintf(line, size, "%.*s", (int)(length - start), text + start);
}

/* The error that a run ended with: what follows "speft-cl: error: " in its log, to its end. */
static char *last_error(const char *path)
{
    static const char mark[] = "speft-cl: error: ";
    char *text, *at, *found = NULL, *copy;
    size_t length;

    if (sp_fs_read(&text, &length, path, (size_t)64 << 20) < 0)
        return NULL;
    for (at = text; (at = strstr(at, mark)); at += sizeof mark - 1)
        if (at == text || at[-1] == '\n') /* elsewhere it stands in a name */
            found = at + sizeof mark - 1;
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    copy = found ? sp_strdup(found) : NULL;
    free(text);
    return copy;
}

/* Starts the run with its output in `log`. */
static int start(struct sp_child *child, const char *config, const char *log)
{
    struct sp_child_setup setup = {
        .arguments = (const char *const[]){ "speft-cl", "train", "--", config, NULL },
        .in = SP_CHILD_NOTHING,
        .group = true, /* an interrupt on the terminal is passed on from here */
    };
    FILE *out;
    int rc;

    SP_TRY(sp_fs_open_in_place(&out, log));
    setup.out = setup.err = fileno(out);
    rc = sp_child_start(child, &setup);
    fclose(out);
    return rc;
}

/* Waits for the child; an interrupt is passed on once. */
static int wait_for(struct sp_child *child, const char *log, void (*tick)(void *user, const char *line), void *user)
{
    bool told = false;
    char line[256];
    int status;

    while (!sp_child_wait(child, POLL_SECONDS, &status)) {
        if (sp_interrupted() && !told) {
            sp_child_signal(child, SIGINT);
            told = true;
        }
        last_line(line, sizeof line, log);
        tick(user, line);
    }
    return status;
}

static int remove_old(const char *path)
{
    return unlink(path) < 0 && errno != ENOENT ? sp_fs_error("remove", path) : 0;
}

/* The run's folder with its configuration, and nothing that tells of an earlier end. */
static int prepare(struct sp_study_run *run, const struct paths *paths)
{
    const char *const files[] = { paths->config, paths->result, paths->error, paths->log, NULL };
    struct sp_buf text = SP_BUF((size_t)1 << 20);
    /* a train that somebody started there keeps its files; the run that is started next takes it itself */
    struct sp_lock lock;
    int rc;

    for (size_t i = 0; files[i]; i++)
        SP_TRY(sp_inputs_spare_named(&run->config, "output_dir", files[i], "the run"));
    SP_TRY(sp_inputs_spare_model(&run->config, "output_dir", files, "the run"));
    SP_TRY(sp_lock_take(&lock, run->config.output_dir, SP_TRAIN_LOCK, "train"));
    SP_GO(remove_old(paths->result));
    SP_GO(remove_old(paths->error));
    SP_GO(sp_config_write(&run->config, &text));
    rc = sp_fs_write(paths->config, text.data, text.length);
out:
    sp_lock_release(&lock);
    sp_buf_free(&text);
    return rc;
}

/* What the child's end means. */
static int judge(struct sp_study *study, struct sp_study_run *run, int status, const struct paths *paths)
{
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const char *why;

    if (sp_interrupted())
        return sp_error(SP_EINTR, "interrupted");
    SP_TRY(check_run(&why, study, run));
    if (well && !run->result) { /* an input that changed before the run is no fault of its own */
        sp_study_forget_inputs(study);
        SP_TRY(check_run(&why, study, run));
    }
    if (well && run->result)
        return 0;
    json_decref(run->result);
    run->result = NULL;
    if (well)
        run->error = sp_asprintf("it ended well, but %s is not what it was: it was changed while the run worked", why);
    else
        run->error = last_error(paths->log);
    if (!run->error) {
        char how[64];

        sp_child_describe(how, sizeof how, status);
        run->error = sp_asprintf("the process %s%s%s%s", how, WIFSIGNALED(status) ? "" : "; ",
                                 WIFSIGNALED(status) ? "" : paths->log, WIFSIGNALED(status) ? "" : " says more");
    }
    return run->error ? sp_fs_write(paths->error, run->error, strlen(run->error)) : SP_ENOMEM;
}

int sp_study_train(struct sp_study *study, struct sp_study_run *run, void (*tick)(void *user, const char *line),
                   void *user)
{
    struct paths paths;
    int rc = paths_of(&paths, run);
    struct sp_child child;

    free(run->error);
    run->error = NULL;
    if (rc == 0)
        rc = prepare(run, &paths);
    if (rc == 0)
        rc = start(&child, paths.config, paths.log);
    if (rc == 0)
        rc = judge(study, run, wait_for(&child, paths.log, tick, user), &paths);
    free_paths(&paths);
    return rc;
}

/* ---- results ---- */
