#include "runtime/io/foreign_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 100
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define ANSWER_MAX 4096
#define TEXT_LEAST 8 /* bytes that are all printable: a safetensors file has zeros among its first eight */
#define TEXT_SHOWN 40
#define SAVE "save_pretrained(DIR, safe_serialization=True)"

/* The hints are commands that people paste: what a folder says gets into them only where it is a plain name. */
static bool is_plain(const char *name, const char *characters)
{
    size_t length = name ? strlen(name) : 0;

    return length > 0 && length <= NAME_MAX_LENGTH && strspn(name, characters) == length;
}

/* The class of transformers that the weights were saved from; NULL where config.json does not say. */
static const char *class_of(const json_t *config)
{
    const json_t *list = json_object_get(config, "architectures");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (is_plain(json_string_value(json_array_get(list, i)), NAME_CHARACTERS))
            return json_string_value(json_array_get(list, i));
    return NULL;
}

/* Some classes of BERT's are built without a pooler, which their files may have all the same. */
static const char *pooler_hint(const char *class)
{
    static const char *const without[] = { "BertForMaskedLM", "BertForTokenClassification", "BertForQuestionAnswering",
                                           "BertLMHeadModel" };

    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (strcmp(class, without[i]) == 0)
            return "; where that says that pooler weights are not used, take BertForPreTraining, which keeps them";
    return "";
}

static int pytorch(const char *dir, const char *class, const char *file)
{
    static const char why[] = "only: pickle files can run any code and are not read. Convert them once in Python:";

    if (!class)
        return sp_error(SP_ENOTFOUND,
                        "%s holds its weights as %s %s import glob, torch; from safetensors.torch import save_file; "
                        "save_file({k: v.clone().contiguous() for f in glob.glob(DIR + '/pytorch_model*.bin') for k, v "
                        "in torch.load(f, map_location='cpu', weights_only=True).items()}, DIR + '/model.safetensors', "
                        "{'format': 'pt'})",
                        dir, file, why);
    return sp_error(SP_ENOTFOUND,
                    "%s holds its weights as %s %s from transformers import %s; %s.from_pretrained(DIR)." SAVE "%s",
                    dir, file, why, class, class, pooler_hint(class));
}

/* AutoModelForPreTraining has what pretraining gave a model; of a fine-tuned head nothing tells. */
static int converted(const char *dir, const char *class, const char *file, const char *whose, const char *argument)
{
    class = class ? class : "AutoModelForPreTraining";
    return sp_error(SP_ENOTFOUND,
                    "%s holds its weights as %s only, a file of %s's that is not read. Convert them once in Python, "
                    "with transformers 4 and %s: from transformers import %s; %s.from_pretrained(%s)." SAVE "%s",
                    dir, file, whose, whose, class, class, argument, pooler_hint(class));
}

static bool has_ends(const char *name, const char *beginning, const char *ending)
{
    size_t length = strlen(name), end = strlen(ending);

    return length > end && strncmp(name, beginning, strlen(beginning)) == 0 && strcmp(name + length - end, ending) == 0;
}

/* A name in the folder with this beginning and ending, or `otherwise` for one that is not plain; NULL where there is
 * none. */
static char *find_name(const char *dir, const char *beginning, const char *ending, const char *otherwise)
{
    DIR *folder = opendir(dir);
    char *found = NULL;

    for (const struct dirent *entry; folder && !found && (entry = readdir(folder)) != NULL;)
        if (has_ends(entry->d_name, beginning, ending))
            found = sp_strdup(is_plain(entry->d_name, NAME_CHARACTERS ".-") ? entry->d_name : otherwise);
    if (folder)
        closedir(folder);
    return found;
}

bool sp_foreign_has(const char *dir, const char *name)
{
    char *path = sp_fs_join(dir, name);
    bool has = path && sp_fs_has_name(path);

    free(path);
    return has;
}

/* Whether the file is what its name says, as far as that can be seen: no Git LFS pointer, no page or answer of a site,
 * and no link to nothing. */
static int check_fetched(const char *dir, const char *name)
{
    char *path = sp_fs_join(dir, name);
    struct sp_map map = { .data = NULL };
    int rc = path ? sp_fs_map(&map, path) : SP_ENOMEM;

    if (rc == 0)
        rc = sp_fs_refuse_page(path, (const char *)map.data, map.size);
    if (rc == 0)
        rc = sp_json_refuse_answer(path, (const char *)map.data, map.size < ANSWER_MAX ? map.size : 0);
    sp_fs_unmap(&map);
    free(path);
    return rc;
}

/* The same of all files with this beginning and ending. */
static int check_all_fetched(const char *dir, const char *beginning, const char *ending)
{
    DIR *folder = opendir(dir);
    int rc = 0;

    for (const struct dirent *entry; folder && rc == 0 && (entry = readdir(folder)) != NULL;)
        if (has_ends(entry->d_name, beginning, ending))
            rc = check_fetched(dir, entry->d_name);
    if (folder)
        closedir(folder);
    return rc;
}

/* Shards without the index that says which tensor lies in which. */
static int shards(const char *dir)
{
    char *ours = find_name(dir, "model-", ".safetensors", "model-00001-of-0000N.safetensors");
    char *pickle = find_name(dir, "pytorch_model-", ".bin", "pytorch_model-00001-of-0000N.bin");
    int rc = check_all_fetched(dir, "model-", ".safetensors");

    if (rc < 0)
        sp_error_context(rc,
                         "%s holds shards of a model without model.safetensors.index.json, which says what lies in "
                         "which and is to be fetched, too",
                         dir);
    SP_GO(rc);
    if (ours)
        SP_GO(sp_error(SP_ENOTFOUND,
                       "%s holds shards of a model, such as %s, without model.safetensors.index.json, which says what "
                       "lies in which: fetch that file and all shards",
                       dir, ours));
    SP_GO(check_all_fetched(dir, "pytorch_model-", ".bin"));
    if (pickle) /* from_pretrained needs the index, which is not there */
        rc = pytorch(dir, NULL, pickle);
out:
    free(ours);
    free(pickle);
    return rc;
}

/* A checkpoint of TensorFlow 1, as Google released BERT: what it holds stands in bert_config.json. */
static int tensorflow(const char *dir, const json_t *config, const char *class)
{
    bool original = !config && sp_foreign_has(dir, "bert_config.json");
    char *file = find_name(dir, "", ".ckpt.index", "NAME.ckpt.index"), argument[3 * NAME_MAX_LENGTH];
    int rc = 0;

    if (file && (config || original)) {
        SP_GO(check_all_fetched(dir, "", ".ckpt.index"));
        snprintf(argument, sizeof argument, "DIR + '/%s', from_tf=True, config=DIR + '/%s'", file,
                 original ? "bert_config.json" : "config.json");
        rc = converted(dir, original ? "BertForPreTraining" : class, file, "TensorFlow", argument);
    }
out:
    free(file);
    return rc;
}

int sp_foreign_weights(const char *dir, const json_t *config)
{
    static const struct {
        const char *file, *whose, *argument; /* NULL: PyTorch's */
    } forms[] = {
        { "pytorch_model.bin", NULL, NULL },
        { "pytorch_model.bin.index.json", NULL, NULL },
        { "tf_model.h5", "TensorFlow", "DIR, from_tf=True" },
        { "tf_model.h5.index.json", "TensorFlow", "DIR, from_tf=True" },
        { "flax_model.msgpack", "Flax", "DIR, from_flax=True" },
        { "flax_model.msgpack.index.json", "Flax", "DIR, from_flax=True" },
    };
    const char *class = class_of(config);

    for (size_t i = 0; config && i < sizeof forms / sizeof *forms; i++) {
        if (!sp_foreign_has(dir, forms[i].file))
            continue;
        SP_TRY(check_fetched(dir, forms[i].file));
        return forms[i].whose ? converted(dir, class, forms[i].file, forms[i].whose, forms[i].argument)
                              : pytorch(dir, class, "pytorch_model.bin");
    }
    if (config)
        SP_TRY(shards(dir));
    return tensorflow(dir, config, class);
}

int sp_foreign_form(const char *path, const void *data, size_t size)
{
    static const struct {
        const char *begins, *what;
    } forms[] = {
        { "PK\003\004", "a zip archive, as PyTorch writes its weights" },
        { "\200\002", "a pickle file, as PyTorch wrote its weights" },
        { "\037\213", "a gzip archive" },
        { "GGUF", "a GGUF file; give the file itself as the model" },
        { "\211HDF", "an HDF5 file, as TensorFlow writes its weights" },
    };
    size_t shown = 0;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (size >= strlen(forms[i].begins) && memcmp(data, forms[i].begins, strlen(forms[i].begins)) == 0)
            return sp_error(SP_EFORMAT, "%s is not a safetensors file but %s", path, forms[i].what);
    SP_TRY(sp_fs_refuse_page(path, data, size));
    while (shown < size && shown < TEXT_SHOWN && ((const char *)data)[shown] >= ' ' &&
           ((const char *)data)[shown] <= '~')
        shown++;
    if (shown >= TEXT_LEAST || (shown > 0 && shown == size))
        return sp_error(SP_EFORMAT, "%s: not a safetensors file but a text, which begins \"%.*s\"", path,
                        (int)shown, (const char *)data);
    return 0;
}
