#include "runtime/io/checkpoint.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/likely_name.h"
#include "runtime/base/mem.h"
#include "runtime/io/adapter_folder_priv.h"
#include "runtime/io/foreign_priv.h"
#include "runtime/io/gguf_model_priv.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_FILE "config.json"
#define WEIGHTS_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"
#define INDEX_LIMIT (16u << 20)
#define SHARD_LIMIT 4096
#define HASH_STEP (16u << 20) /* bytes hashed before resident pages are given back */

const char *const sp_checkpoint_files[] = { CONFIG_FILE, INDEX_FILE, NULL };

struct sp_checkpoint {
    char *dir;
    json_t *config;
    struct sp_safetensors **shards;
    char **shard_names; /* base names */
    size_t shard_count, shard_capacity, shard_name_capacity;
    struct sp_gguf *gguf; /* in place of a folder */
    struct sp_gguf_tensors gguf_tensors;
    struct sp_tensor_info *tensors; /* of all shards or of the GGUF, sorted by name */
    size_t count;
    char *wrapper; /* sp_checkpoint_wrapper */
    char checksum[SP_HASH_HEX]; /* "" until asked for */
};

/* ---- where the model is ---- */

/* A name that may be looked up below the cache: relative, and never out of it. */
static bool stays_below(const char *name)
{
    if (name[0] == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (*part == '\0' || *part == '/' || strncmp(part, "../", 3) == 0 ||
            strcmp(part, "..") == 0)
            return false;
    }
    return true;
}

/* A file in a model's place that is none: it lies in a model's folder, or is one in an archive, or neither. */
static int refuse_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? sp_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : sp_strdup(".");
    int rc = SP_ENOTFOUND;

    if (!folder)
        return SP_ENOMEM;
    if (sp_foreign_is_archive(path))
        sp_error(rc,
                 "%s is an archive, and a model is a folder or a GGUF file: unpack it, and give the folder with "
                 "config.json that comes of it",
                 path);
    else if (sp_foreign_has(folder, CONFIG_FILE))
        sp_error(rc, "%s is a file, and a model is a folder or a GGUF file: give the folder that it lies in, %s", path,
                 folder);
    else
        sp_error(rc,
                 "%s is a file, and a model is a folder that holds config.json and model.safetensors, or a GGUF file; "
                 "the folder that it lies in, %s, has no config.json",
                 path, folder);
    free(folder);
    return rc;
}

static bool is_model(const char *path)
{
    return sp_fs_is_dir(path) || sp_gguf_is(path);
}

char *sp_checkpoint_config_path(const char *dir)
{
    return sp_gguf_is(dir) ? sp_strdup(dir) : sp_fs_join(dir, CONFIG_FILE);
}

/* What the cache folder has under that name, a folder or a file, whose ".gguf" may be left out: the caller's; NULL: no
 * model. *looked: where was looked, likewise, or NULL. */
static char *find_cached(char **looked, const char *name)
{
    char *models = stays_below(name) ? sp_fs_cache_dir("models") : NULL, *file = NULL;

    *looked = models ? sp_fs_join(models, name) : NULL;
    free(models);
    if (!*looked || is_model(*looked))
        return *looked ? sp_strdup(*looked) : NULL;
    file = sp_asprintf("%s.gguf", *looked);
    if (file && sp_gguf_is(file))
        return file;
    free(file);
    return NULL;
}

int sp_checkpoint_resolve(char **dir, const char *name_or_path)
{
    char *looked;

    *dir = NULL;
    if (is_model(name_or_path)) {
        *dir = sp_strdup(name_or_path);
        return *dir ? 0 : SP_ENOMEM;
    }
    if (sp_fs_has_name(name_or_path) && !sp_fs_exists(name_or_path)) /* a link to nothing */
        return sp_fs_error("open", name_or_path);
    if (sp_fs_exists(name_or_path))
        return refuse_file(name_or_path);
    SP_TRY(sp_fs_check_way(name_or_path));
    *dir = find_cached(&looked, name_or_path);
    if (!*dir)
        sp_error(SP_ENOTFOUND,
                 "no model \"%s\": there is no such folder or file%s%s. Give a folder that holds config.json and "
                 "model.safetensors, or a GGUF file; `./dev model` in speft-cl's source tree fetches minilm-l6-h384, "
                 "`./dev model smollm2-135m-instruct` a language model",
                 name_or_path, looked ? ", nor " : "", looked ? looked : "");
    free(looked);
    return *dir ? 0 : SP_ENOTFOUND;
}

/* ---- opening ---- */

/* A file's path inside the folder, in a new string; NULL when out of memory. */
static char *member(const struct sp_checkpoint *checkpoint, const char *name)
{
    return sp_fs_join(checkpoint->dir, name);
}

static int load_object(json_t **out, const struct sp_checkpoint *checkpoint, const char *name,
                       size_t limit)
{
    char *path = member(checkpoint, name);
    int rc = SP_ENOMEM;

    if (path)
        rc = sp_json_load(out, path, limit);
    if (rc == 0 && !sp_json_is_object(*out))
        rc = sp_error(SP_EFORMAT, "%s is not a JSON object", path);
    free(path);
    return rc;
}

/* Opens a shard, once, and gives its number. */
static int open_shard(size_t *number, struct sp_checkpoint *c, const char *name)
{
    char *path;
    int rc;

    for (*number = 0; *number < c->shard_count; ++*number)
        if (strcmp(c->shard_names[*number], name) == 0)
            return 0;
    SP_TRY(sp_grow(&c->shards, c->shard_count, &c->shard_capacity, sizeof *c->shards, SHARD_LIMIT,
                   "shards"));
    SP_TRY(sp_grow(&c->shard_names, c->shard_count, &c->shard_name_capacity,
                   sizeof *c->shard_names, SHARD_LIMIT, "shards"));
    c->shard_names[c->shard_count] = sp_strdup(name);
    path = member(c, name);
    rc = path && c->shard_names[c->shard_count]
             ? sp_safetensors_open(&c->shards[c->shard_count], path)
             : SP_ENOMEM;
    free(path);
    if (rc < 0)
        free(c->shard_names[c->shard_count]);
    else
        c->shard_count++;
    return rc;
}

/* weight_map must never lead out of the folder. */
static bool is_shard_name(const char *name)
{
    static const char ending[] = ".safetensors";
    size_t length = strlen(name);

    return length > sizeof ending - 1 && name[0] != '.' && !strpbrk(name, "/\\") &&
           strcmp(name + length - (sizeof ending - 1), ending) == 0;
}

/* Every tensor of the index must lie in the shard it is mapped to. */
static int open_mapped(struct sp_checkpoint *c, const json_t *map, const char *index)
{
    const char *tensor;
    json_t *value;

    json_object_foreach((json_t *)map, tensor, value) {
        const char *shard = json_string_value(value);
        size_t number;
        int rc;

        if (!shard || !is_shard_name(shard))
            return sp_error(SP_EFORMAT,
                            "%s/%s: tensor %s is mapped to \"%s\"; expected the plain name of a "
                            ".safetensors file in the same folder",
                            c->dir, index, tensor, shard ? shard : "(not a string)");
        rc = open_shard(&number, c, shard);
        if (rc == SP_ENOTFOUND)
            SP_TRY(sp_foreign_unfinished(c->dir));
        if (rc < 0)
            return sp_error_context(rc, "while opening a shard that %s/%s names", c->dir, index);
        if (!sp_safetensors_find(c->shards[number], tensor))
            return sp_error(SP_EFORMAT, "%s/%s says that tensor %s lies in %s, but it does not",
                            c->dir, index, tensor, shard);
    }
    return 0;
}

/* Every tensor of a shard must be mapped to that shard, so none lies in two. */
static int check_mapped(const struct sp_checkpoint *c, const json_t *map, const char *index)
{
    for (size_t s = 0; s < c->shard_count; s++) {
        for (size_t i = 0; i < sp_safetensors_count(c->shards[s]); i++) {
            const struct sp_tensor_info *tensor = sp_safetensors_at(c->shards[s], i);
            const char *shard = json_string_value(json_object_get(map, tensor->name));

            if (!shard || strcmp(shard, c->shard_names[s]) != 0)
                return sp_error(SP_EFORMAT, "%s holds tensor %s, which %s maps to %s", tensor->file,
                                tensor->name, index, shard ? shard : "no shard");
        }
    }
    return 0;
}

static int open_index(struct sp_checkpoint *c, const char *index)
{
    json_t *document = NULL;
    const json_t *map;
    int rc;

    SP_GO(load_object(&document, c, index, INDEX_LIMIT));
    map = json_object_get(document, "weight_map");
    if (!sp_json_is_object(map))
        SP_GO(sp_error(SP_EFORMAT, "%s/%s has no object \"weight_map\"", c->dir, index));
    SP_GO(open_mapped(c, map, index));
    SP_GO(check_mapped(c, map, index));
out:
    json_decref(document);
    return rc;
}

static int no_weights(const struct sp_checkpoint *c)
{
    SP_TRY(sp_foreign_weights(c->dir, c->config));
    SP_TRY(sp_foreign_subfolders(c->dir, "holds no weights"));
    SP_TRY(sp_foreign_other(c->dir));
    SP_TRY(sp_likely_name_refuse(c->dir, WEIGHTS_FILE, NULL));
    return sp_error(SP_ENOTFOUND,
                    "%s holds no weights: neither model.safetensors nor "
                    "model.safetensors.index.json is there",
                    c->dir);
}

static int compare_names(const void *a, const void *b)
{
    const struct sp_tensor_info *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* Whether all tensors' names begin so, and go on. */
static bool all_begin(const struct sp_checkpoint *c, const char *beginning)
{
    size_t length = strlen(beginning), i = 0;

    while (i < c->count && strncmp(c->tensors[i].name, beginning, length) == 0 && c->tensors[i].name[length])
        i++;
    return c->count > 0 && i == c->count;
}

/* Decoders with a tied head have "model." before all names by themselves: those whose table of words is called so. */
static bool is_own(const struct sp_checkpoint *c, const char *beginning)
{
    static const char *const tables[] = { "model.embed_tokens.weight", "model.decoder.embed_tokens.weight" };
    bool own = false;

    for (size_t i = 0; i < c->count && strcmp(beginning, "model.") == 0; i++)
        own = own || strcmp(c->tensors[i].name, tables[0]) == 0 || strcmp(c->tensors[i].name, tables[1]) == 0;
    return own;
}

/* Takes off what torch.nn.DataParallel, torch.compile and Lightning's modules put before each name of the model that
 * they hold. But for a decoder's, a name of the model's own is never before all of them: where it is, the family knows
 * the names without it. */
static int unwrap(struct sp_checkpoint *c)
{
    static const char *const wrappers[] = { "module.", "_orig_mod.", "model.", NULL };
    const char *first = c->count ? c->tensors[0].name : "";
    size_t length = 0;

    for (const char *const *w = wrappers; *w;) {
        if (!all_begin(c, *w) || is_own(c, *w)) {
            w++;
            continue;
        }
        length += strlen(*w);
        for (size_t i = 0; i < c->count; i++)
            c->tensors[i].name += strlen(*w);
        w = wrappers;
    }
    c->wrapper = sp_strndup(first, length);
    return c->wrapper ? 0 : SP_ENOMEM;
}

static int collect_tensors(struct sp_checkpoint *c)
{
    size_t total = 0;

    for (size_t s = 0; s < c->shard_count; s++)
        total += sp_safetensors_count(c->shards[s]);
    c->tensors = sp_calloc(total, sizeof *c->tensors);
    if (!c->tensors)
        return SP_ENOMEM;
    for (size_t s = 0; s < c->shard_count; s++)
        for (size_t i = 0; i < sp_safetensors_count(c->shards[s]); i++)
            c->tensors[c->count++] = *sp_safetensors_at(c->shards[s], i);
    qsort(c->tensors, c->count, sizeof *c->tensors, compare_names);
    return unwrap(c);
}

/* Whether a JSON file is a model's configuration: there are others whose names end in config.json. */
static bool is_config(const char *path)
{
    json_t *config = NULL;
    bool is = sp_json_load(&config, path, SP_CHECKPOINT_CONFIG_LIMIT) == 0 && json_object_get(config, "hidden_size");

    json_decref(config);
    return is;
}

static int open_folder(struct sp_checkpoint *c, sp_checkpoint_accept *accept, void *user)
{
    size_t number;

    if (!sp_fs_is_dir(c->dir))
        return sp_error(SP_ENOTFOUND, "%s is not a folder", c->dir);
    if (faccessat(AT_FDCWD, c->dir, R_OK | X_OK, AT_EACCESS) < 0)
        return sp_fs_error("look into the folder", c->dir);
    if (!sp_foreign_has(c->dir, CONFIG_FILE)) {
        SP_TRY(sp_adapter_folder_check_model(c->dir));
        SP_TRY(sp_foreign_weights(c->dir, NULL));
        SP_TRY(sp_foreign_subfolders(c->dir, "has no config.json"));
        SP_TRY(sp_foreign_unfinished(c->dir));
        SP_TRY(sp_foreign_gguf(c->dir));
        SP_TRY(sp_likely_name_refuse(c->dir, CONFIG_FILE, is_config));
        return sp_error(SP_ENOTFOUND,
                        "%s has no config.json: it is not a Hugging Face model folder", c->dir);
    }
    SP_TRY(load_object(&c->config, c, CONFIG_FILE, SP_CHECKPOINT_CONFIG_LIMIT));
    if (accept)
        SP_TRY(accept(c->config, user));
    if (sp_foreign_has(c->dir, WEIGHTS_FILE))
        SP_TRY(open_shard(&number, c, WEIGHTS_FILE));
    else if (sp_foreign_has(c->dir, INDEX_FILE))
        SP_TRY(open_index(c, INDEX_FILE));
    else
        return no_weights(c);
    return collect_tensors(c);
}

static int open_gguf(struct sp_checkpoint *c, sp_checkpoint_accept *accept, void *user)
{
    SP_TRY(sp_gguf_open(&c->gguf, c->dir));
    SP_TRY(sp_gguf_config(&c->config, c->gguf));
    if (accept)
        SP_TRY(accept(c->config, user));
    SP_TRY(sp_gguf_tensors(&c->gguf_tensors, c->gguf, c->config));
    c->tensors = c->gguf_tensors.list;
    c->count = c->gguf_tensors.count;
    c->wrapper = sp_strdup("");
    return c->wrapper ? 0 : SP_ENOMEM;
}

int sp_checkpoint_open(struct sp_checkpoint **out, const char *dir)
{
    return sp_checkpoint_open_if(out, dir, NULL, NULL);
}

int sp_checkpoint_open_if(struct sp_checkpoint **out, const char *dir, sp_checkpoint_accept *accept, void *user)
{
    struct sp_checkpoint *checkpoint = sp_calloc(1, sizeof *checkpoint);
    int rc = SP_ENOMEM;

    *out = NULL;
    if (!checkpoint || !(checkpoint->dir = sp_strdup(dir)))
        goto out;
    SP_GO(sp_gguf_is(dir) ? open_gguf(checkpoint, accept, user) : open_folder(checkpoint, accept, user));
    *out = checkpoint;
    checkpoint = NULL;
out:
    sp_checkpoint_close(checkpoint);
    return rc;
}

void sp_checkpoint_close(struct sp_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (size_t s = 0; s < checkpoint->shard_count; s++) {
        sp_safetensors_close(checkpoint->shards[s]);
        free(checkpoint->shard_names[s]);
    }
    free(checkpoint->shards);
    free(checkpoint->shard_names);
    if (!checkpoint->gguf)
        free(checkpoint->tensors);
    sp_gguf_tensors_release(&checkpoint->gguf_tensors);
    sp_gguf_close(checkpoint->gguf);
    free(checkpoint->wrapper);
    json_decref(checkpoint->config);
    free(checkpoint->dir);
    free(checkpoint);
}

/* ---- use ---- */

const char *sp_checkpoint_dir(const struct sp_checkpoint *checkpoint)
{
    return checkpoint->dir;
}

const json_t *sp_checkpoint_config(const struct sp_checkpoint *checkpoint)
{
    return checkpoint->config;
}

int sp_checkpoint_tokenizer(json_t **definition, json_t **config, const struct sp_checkpoint *checkpoint)
{
    *definition = *config = NULL;
    return checkpoint->gguf ? sp_gguf_tokenizer(definition, config, checkpoint->gguf) : 0;
}

const char *sp_checkpoint_wrapper(const struct sp_checkpoint *checkpoint)
{
    return checkpoint->wrapper;
}

size_t sp_checkpoint_count(const struct sp_checkpoint *checkpoint)
{
    return checkpoint->count;
}

const struct sp_tensor_info *sp_checkpoint_at(const struct sp_checkpoint *checkpoint, size_t i)
{
    return &checkpoint->tensors[i];
}

const struct sp_tensor_info *sp_checkpoint_find(const struct sp_checkpoint *checkpoint,
                                                const char *name)
{
    const struct sp_tensor_info key = { .name = name };

    return bsearch(&key, checkpoint->tensors, checkpoint->count, sizeof key, compare_names);
}

void sp_checkpoint_forget(const struct sp_checkpoint *checkpoint)
{
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        sp_safetensors_forget(checkpoint->shards[s]);
    if (checkpoint->gguf)
        sp_gguf_forget(checkpoint->gguf);
}

static void hash_u64(struct sp_hash *hash, uint64_t value)
{
    sp_hash_update(hash, &value, sizeof value);
}

int sp_checkpoint_check_unchanged(const struct sp_checkpoint *checkpoint)
{
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        SP_TRY(sp_safetensors_check_unchanged(checkpoint->shards[s]));
    return checkpoint->gguf ? sp_gguf_check_unchanged(checkpoint->gguf) : 0;
}

/* Tensor i as it is in the file, and under the name that it has there. */
static const struct sp_tensor_info *in_file(const char **name, const struct sp_checkpoint *checkpoint, size_t i)
{
    const struct sp_tensor_info *tensor = checkpoint->gguf ? sp_gguf_at(checkpoint->gguf, i) : &checkpoint->tensors[i];

    *name = tensor->name - strlen(checkpoint->wrapper);
    return tensor;
}

int sp_checkpoint_checksum(const char **out, struct sp_checkpoint *checkpoint)
{
    struct sp_hash hash;
    size_t count = checkpoint->gguf ? sp_gguf_count(checkpoint->gguf) : checkpoint->count;
    size_t since = 0; /* bytes since pages were given back: the sum must not cost memory */
    int rc;

    *out = checkpoint->checksum;
    if (checkpoint->checksum[0])
        return 0;
    /* before, too: reading a file that has become shorter is a bus error */
    SP_TRY(sp_checkpoint_check_unchanged(checkpoint));
    sp_hash_init(&hash);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const struct sp_tensor_info *tensor = in_file(&name, checkpoint, i);

        sp_hash_update_string(&hash, name);
        sp_hash_update_string(&hash, sp_tensor_type_name(tensor));
        hash_u64(&hash, tensor->rank);
        for (size_t d = 0; d < tensor->rank; d++)
            hash_u64(&hash, tensor->shape[d]);
        for (size_t at = 0, step; at < tensor->bytes; at += step) {
            step = tensor->bytes - at < HASH_STEP ? tensor->bytes - at : HASH_STEP;
            sp_hash_update(&hash, (const unsigned char *)tensor->data + at, step);
            since += step;
            if (since >= HASH_STEP) {
                sp_checkpoint_forget(checkpoint);
                since = 0;
            }
        }
    }
    sp_checkpoint_forget(checkpoint);
    sp_hash_final(&hash, checkpoint->checksum);
    rc = sp_checkpoint_check_unchanged(checkpoint);
    if (rc < 0)
        checkpoint->checksum[0] = '\0';
    return rc;
}
