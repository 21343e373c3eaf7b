/* What a model's folder holds in place of weights that are known: downloads that were cut, weights under another name,
 * exports. */
#include "runtime/io/foreign_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUB_DOWNLOADS ".cache/huggingface/download" /* where its client keeps what it has of a file */

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), end = strlen(ending);

    return length > end && strcmp(name + length - end, ending) == 0;
}

/* What trainers leave beside weights. */
static bool is_beside(const char *name)
{
    static const char *const beginnings[] = {
        "training_args.", "optimizer.", "scheduler.", "rng_state", "random_states", "scaler.", "adapter_",
    };

    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static long long size_of(const char *dir, const char *name)
{
    char *path = sp_fs_join(dir, name);
    struct stat st;
    long long size = path && stat(path, &st) == 0 ? (long long)st.st_size : -1;

    free(path);
    return size;
}

/* The largest, or else the first by name, of the folder's files with one of the endings, of which the last is NULL;
 * NULL where there is none. *count: how many. */
static char *find_largest(size_t *count, const char *dir, const char *const *endings)
{
    DIR *folder = opendir(dir);
    char *found = NULL;
    long long largest = -1;

    *count = 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        const char *const *ending = endings;
        long long size;

        while (*ending && !ends_with(entry->d_name, *ending))
            ending++;
        if (!*ending || is_beside(entry->d_name))
            continue;
        size = size_of(dir, entry->d_name);
        if (++*count > 1 && (size < largest || (size == largest && found && strcmp(entry->d_name, found) > 0)))
            continue;
        largest = size;
        free(found);
        found = sp_strdup(entry->d_name);
    }
    if (folder)
        closedir(folder);
    return found;
}

int sp_foreign_unfinished(const char *dir)
{
    static const char *const endings[] = { ".incomplete", ".part", ".partial", ".crdownload",
                                           ".download",   ".aria2", NULL };
    char *hub = sp_fs_join(dir, HUB_DOWNLOADS), *name = NULL;
    const char *where = dir;
    size_t count;
    int rc = hub ? 0 : SP_ENOMEM;

    if (rc == 0)
        name = find_largest(&count, dir, endings);
    if (rc == 0 && !name)
        name = find_largest(&count, where = hub, endings);
    if (name)
        rc = sp_error(SP_ENOTFOUND, "%s/%s is a download that was cut off before its end: fetch the file again", where,
                      name);
    free(name);
    free(hub);
    return rc;
}

/* Safetensors files under other names, as model.fp16.safetensors. */
static int renamed(const char *dir)
{
    char *name, more[60] = "", *path = NULL;
    struct sp_map map = { .data = NULL };
    size_t count;
    int rc = 0;

    name = find_largest(&count, dir, (const char *const[]){ ".safetensors", NULL });
    if (!name)
        return 0;
    path = sp_fs_join(dir, name);
    SP_GO(path ? sp_fs_map(&map, path) : SP_ENOMEM); /* a link to nothing, or a pointer of Git LFS */
    if (count > 1)
        snprintf(more, sizeof more, " and %zu more of the kind", count - 1);
    rc = sp_error(SP_ENOTFOUND,
                  "%s has no model.safetensors, but %s%s: where a file holds all of the model's weights, give it the "
                  "name model.safetensors",
                  dir, name, more);
out:
    sp_fs_unmap(&map);
    free(path);
    free(name);
    return rc;
}

#define PICKLE "a pickle file as PyTorch writes it, which can run any code and is not read"
#define RESAVE                                                                                                         \
    "load it with the program that wrote it, and save the model with save_pretrained(DIR, safe_serialization=True)"
#define ORIGINAL "give the checkpoint that it was made from, with model.safetensors"

#define GGUF ".gguf"

static const struct {
    const char *ending, *what, *advice;
} forms[] = {
    { ".onnx", "an export to ONNX, which cannot be trained", ORIGINAL },
    { GGUF, "a model in one file, llama.cpp's", "give that file as the model" },
    { ".tflite", "an export to TensorFlow Lite, which cannot be trained", ORIGINAL },
    { ".mlmodel", "an export to Core ML, which cannot be trained", ORIGINAL },
    { "openvino_model.xml", "an export to OpenVINO, which cannot be trained", ORIGINAL },
    { ".engine", "an export to TensorRT, which cannot be trained", ORIGINAL },
    { ".ckpt", "a checkpoint of PyTorch Lightning or TensorFlow, which is not read", RESAVE },
    { ".pt", PICKLE, RESAVE },
    { ".pth", PICKLE, RESAVE },
    { ".pkl", PICKLE, RESAVE },
    { ".bin", PICKLE, RESAVE },
    { ".h5", "a file of TensorFlow's, which is not read", RESAVE },
    { ".pb", "a file of TensorFlow's, which is not read", RESAVE },
    { ".msgpack", "a file of Flax's, which is not read", RESAVE },
    { ".npz", "a file of NumPy's, which is not read", RESAVE },
    { ".ot", "a file of rust-bert's, which is not read", ORIGINAL },
    { ".pdparams", "a file of PaddlePaddle's, which is not read", ORIGINAL },
    { ".params", "a file of MXNet's, which is not read", ORIGINAL },
    { ".nemo", "a file of NeMo's, which is not read", RESAVE },
};

/* Of all forms, or of those alone whose names end so. */
static int exported(const char *dir, const char *inside, const char *ending)
{
    char *folder = sp_fs_join(dir, inside);
    int rc = folder ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof forms / sizeof *forms; i++) {
        size_t count;
        char *name;

        if (ending && strcmp(ending, forms[i].ending) != 0)
            continue;
        name = find_largest(&count, folder, (const char *const[]){ forms[i].ending, NULL });

        if (name)
            rc = sp_error(SP_ENOTFOUND, "%s holds its weights as %s%s only, %s: %s", dir, inside, name, forms[i].what,
                          forms[i].advice);
        free(name);
    }
    free(folder);
    return rc;
}

static const char *const archives[] = { ".tar.gz", ".tgz", ".tar", ".zip", ".tar.bz2", ".tar.xz",
                                       ".tar.zst", ".7z",  ".rar", NULL };

bool sp_foreign_is_archive(const char *path)
{
    const char *const *ending = archives;

    while (*ending && !ends_with(path, *ending))
        ending++;
    return *ending != NULL;
}

int sp_foreign_gguf(const char *dir)
{
    return exported(dir, "", GGUF);
}

int sp_foreign_other(const char *dir)
{
    size_t count;
    char *archive;
    int rc = 0;

    SP_TRY(sp_foreign_unfinished(dir));
    SP_TRY(renamed(dir));
    SP_TRY(exported(dir, "", NULL));
    SP_TRY(exported(dir, "onnx/", NULL));
    archive = find_largest(&count, dir, archives);
    if (archive)
        rc = sp_error(SP_ENOTFOUND,
                      "%s holds no weights but an archive, %s: unpack it, and give the folder with config.json and "
                      "model.safetensors that comes of it",
                      dir, archive);
    free(archive);
    return rc;
}
