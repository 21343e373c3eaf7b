#include "runtime/io/adapter_folder_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/io/adapter.h"
#include "runtime/io/foreign_priv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PEFT_LIMIT ((size_t)1 << 20)

static bool has_peft_weights(const char *folder)
{
    return sp_foreign_has(folder, "adapter_model.safetensors") || sp_foreign_has(folder, "adapter_model.bin");
}

/* PEFT's, or AdapterHub's, whose configuration has the same name. */
static bool is_foreign(const char *folder)
{
    return sp_foreign_has(folder, "adapter_config.json") || has_peft_weights(folder);
}

/* Says so with PEFT's name for the kind and the base model, where its file tells them. */
static int refuse_foreign(const char *folder)
{
    char *path = sp_fs_join(folder, "adapter_config.json");
    const char *kind = NULL, *base = NULL;
    json_t *config = NULL;

    if (path && sp_fs_exists(path) && sp_json_load(&config, path, PEFT_LIMIT) == 0) {
        kind = json_string_value(json_object_get(config, "peft_type"));
        base = json_string_value(json_object_get(config, "base_model_name_or_path"));
    }
    if (config && !kind && !has_peft_weights(folder))
        sp_error(SP_ENOTFOUND,
                 "%s is an adapter of another library%s, which this program does not read: expected an adapter's "
                 "folder, which train writes as OUTPUT_DIR/adapter",
                 folder,
                 sp_foreign_has(folder, "pytorch_adapter.bin") ? ", AdapterHub's"
                                                               : " (its adapter_config.json has no \"peft_type\")");
    else
        sp_error(SP_ENOTFOUND,
                 "%s is an adapter of PEFT%s%.40s%s, which this program does not read: merge it into its base "
                 "model%s%.200s%s with PEFT (merge_and_unload, then save_pretrained), and give the folder that comes "
                 "of it as the model",
                 folder, kind ? " (" : "", kind ? kind : "", kind ? ")" : "", base ? " (" : "", base ? base : "",
                 base ? ")" : "");
    json_decref(config);
    free(path);
    return SP_ENOTFOUND;
}

/* A file that was given where a folder is meant: of an adapter of ours or of another library, or any other. */
static int refuse_file(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = slash ? sp_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : sp_strdup(".");
    int rc = SP_ENOTFOUND;

    if (!folder)
        return SP_ENOMEM;
    if (strncmp(name, "adapter.", 8) == 0 && sp_foreign_has(folder, "adapter.json"))
        sp_error(rc, "%s is a file of an adapter, expected its folder: give %s", path, folder);
    else if (strncmp(name, "adapter_", 8) == 0 && is_foreign(folder))
        rc = refuse_foreign(folder);
    else
        sp_error(rc, "%s is a file, expected an adapter's folder, which train writes as OUTPUT_DIR/adapter", path);
    free(folder);
    return rc;
}

/* What goes between the path and a name below it. */
static const char *slash_after(const char *path)
{
    return path[0] && path[strlen(path) - 1] == '/' ? "" : "/";
}

/* Bytes of the path without the slashes at its end, for %.*s. */
static int without_slashes(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return (int)length;
}

/* Whether a run that was killed in its last evaluation left an adapter of the path and the name under its other
 * name. */
static bool has_unevaluated(const char *path, const char *name)
{
    char *document = sp_asprintf("%.*s%s" SP_ADAPTER_UNEVALUATED "/adapter.json", without_slashes(path), path, name);
    bool has = document && sp_fs_exists(document);

    free(document);
    return has;
}

static bool is_ours(const char *folder)
{
    return sp_foreign_has(folder, "adapter.json");
}

/* What was meant may lie further down: adapters of ours, or of another library, as in a run's checkpoint-500. */
static int refuse_below(const char *path)
{
    struct sp_foreign_found found;
    int rc = sp_foreign_below(&found, path, is_ours);

    if (rc == 0 && found.count) {
        rc = sp_error(SP_ENOTFOUND, "%s is no adapter, but below it %s: %s. Give %s instead", path,
                      found.count == 1 ? "lies one" : "lie adapters", found.list,
                      found.count == 1 ? "that folder" : "one of them");
    } else if (rc == 0) {
        sp_foreign_found_release(&found);
        rc = sp_foreign_below(&found, path, is_foreign);
        if (rc == 0 && found.count)
            rc = sp_error_context(refuse_foreign(found.first), "%s is no adapter, and below it %s", path,
                                  found.count == 1 ? "lies one of another library" : "lie some of another library");
    }
    sp_foreign_found_release(&found);
    return rc;
}

int sp_adapter_folder_refuse(const char *path)
{
    const char *slash = slash_after(path);
    char *file = sp_fs_join(path, "adapter.json");
    int rc = file ? sp_fs_check_way(file) : SP_ENOMEM;

    free(file);
    SP_TRY(rc);
    if (sp_fs_has_name(path) && !sp_fs_exists(path)) /* a link to nothing */
        return sp_fs_error("open", path);
    if (!sp_fs_exists(path) && has_unevaluated(path, ""))
        return sp_error(SP_ENOTFOUND,
                        "there is no folder %s; the training was killed in its last evaluation, and what it had "
                        "trained is %.*s" SP_ADAPTER_UNEVALUATED ": give that",
                        path, without_slashes(path), path);
    if (!sp_fs_exists(path))
        return sp_error(SP_ENOTFOUND, "there is no folder %s; train writes an adapter as OUTPUT_DIR/adapter", path);
    if (!sp_fs_is_dir(path))
        return refuse_file(path);
    if (sp_foreign_has(path, "adapter/adapter.json"))
        return sp_error(SP_ENOTFOUND,
                        "%s is a training run's output_dir, and its adapter a folder in it: give %s%sadapter", path,
                        path, slash);
    if (has_unevaluated(path, "/adapter"))
        return sp_error(SP_ENOTFOUND,
                        "%s is the output_dir of a training run that was killed in its last evaluation: what it had "
                        "trained is %s%sadapter" SP_ADAPTER_UNEVALUATED ": give that",
                        path, path, slash);
    if (is_foreign(path))
        return refuse_foreign(path);
    if (sp_foreign_has(path, "config.json"))
        return sp_error(SP_ENOTFOUND,
                        "%s is a model's folder, expected an adapter's, which train writes as OUTPUT_DIR/adapter",
                        path);
    if (sp_foreign_has(path, "runs") && sp_foreign_has(path, "study.lock"))
        return sp_error(SP_ENOTFOUND, "%s is a study's folder: its adapters are %s%sruns/DATA/METHOD/RUN/adapter", path,
                        path, slash);
    SP_TRY(refuse_below(path));
    return sp_error(SP_ENOTFOUND,
                    "%s%sadapter.json is not there: the folder is no adapter, which train writes as OUTPUT_DIR/adapter",
                    path, slash);
}

int sp_adapter_folder_check_model(const char *path)
{
    bool whole = sp_foreign_has(path, "adapter.json"), inside = sp_foreign_has(path, "adapter/adapter.json");

    if (whole || inside)
        return sp_error(SP_ENOTFOUND,
                        "%s is %s, expected a model's folder: give the model that it was trained on, and --adapter "
                        "%s%s%s with it",
                        path, whole ? "an adapter" : "a training run's output_dir", path,
                        whole ? "" : slash_after(path), whole ? "" : "adapter");
    return is_foreign(path) ? refuse_foreign(path) : 0;
}
