#include "runtime/train/tokenizer.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "runtime/train/run.h"

#include <stdlib.h>

int sp_train_tokenizer_load(struct sp_tokenizer **out, const char *path, const struct sp_checkpoint *checkpoint)
{
    json_t *definition = NULL, *config = NULL;
    int rc = 0;

    *out = NULL;
    if (checkpoint)
        SP_TRY(sp_checkpoint_tokenizer(&definition, &config, checkpoint));
    rc = definition ? sp_tokenizer_make(out, definition, config, path) : sp_tokenizer_load(out, path);
    json_decref(definition);
    json_decref(config);
    return rc;
}

int sp_train_chat_load(struct sp_chat *out, const char *path, const struct sp_checkpoint *checkpoint)
{
    json_t *definition = NULL, *config = NULL;
    int rc = checkpoint ? sp_checkpoint_tokenizer(&definition, &config, checkpoint) : 0;

    if (rc == 0)
        rc = definition ? sp_chat_of_config(out, config, path) : sp_chat_load(out, path);
    json_decref(definition);
    json_decref(config);
    return rc;
}

/* Of one document. */
static int hash_json(struct sp_hash *hash, const json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);

    if (!text)
        return sp_error(SP_ENOMEM, "out of memory");
    sp_hash_update_string(hash, text);
    free(text);
    return 0;
}

/* What is made of a GGUF; one without a tokenizer adds nothing. */
static int hash_documents(struct sp_hash *hash, const struct sp_checkpoint *checkpoint)
{
    json_t *definition, *config;
    int rc = sp_checkpoint_tokenizer(&definition, &config, checkpoint);

    if (rc == 0 && definition) {
        rc = hash_json(hash, definition);
        if (rc == 0)
            rc = hash_json(hash, config);
    }
    json_decref(definition);
    json_decref(config);
    return rc == SP_ENOTFOUND ? 0 : rc;
}

int sp_train_tokenizer_checksum(char hex[SP_HASH_HEX], const struct sp_checkpoint *checkpoint)
{
    struct sp_hash hash;
    int rc;

    sp_hash_init(&hash);
    rc = hash_documents(&hash, checkpoint);
    for (size_t i = 0; rc == 0 && sp_tokenizer_files[i]; i++) {
        char *path = sp_fs_join(sp_checkpoint_dir(checkpoint), sp_tokenizer_files[i]);

        rc = path ? 0 : SP_ENOMEM;
        if (rc == 0 && sp_fs_exists(path) && (rc = sp_hash_file(hex, path)) == 0) {
            sp_hash_update_string(&hash, sp_tokenizer_files[i]);
            sp_hash_update_string(&hash, hex);
        }
        free(path);
    }
    sp_hash_final(&hash, hex);
    return rc;
}

/* ---- what ends a text -------------------------------------------------------------------------------------------- */

/* The tokenizer's; SP_TOKEN_NONE: there is none that the model has. */
static uint32_t own_end(const struct sp_run *run)
{
    uint32_t id = run->tokenizer ? sp_tokenizer_special(run->tokenizer, SP_TOKEN_EOS) : SP_TOKEN_NONE;

    return id < (uint32_t)run->model.vocab_size ? id : SP_TOKEN_NONE;
}

/* "eos_token_id" of a configuration: a number or a list of them. */
static int read_ends(uint32_t **out, size_t *count, const json_t *config, int vocabulary, const char *file)
{
    const json_t *value = sp_json_member(config, "eos_token_id");
    size_t n = json_is_array(value) ? json_array_size(value) : value != NULL;
    uint32_t *list = n ? sp_calloc(n, sizeof *list) : NULL;

    if (n && !list)
        return SP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;

        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= vocabulary) {
            free(list);
            return sp_error(SP_EFORMAT,
                            "%s: \"eos_token_id\" must be a token's id, 0 to %d, or a list of such", file,
                            vocabulary - 1);
        }
        list[i] = (uint32_t)json_integer_value(id);
    }
    *out = list;
    *count = n;
    return 0;
}

int sp_train_end_tokens(uint32_t **out, size_t *count, const struct sp_run *run)
{
    char *file = sp_fs_join(sp_checkpoint_dir(run->checkpoint), "generation_config.json");
    json_t *config = NULL;
    int rc = file ? 0 : SP_ENOMEM;

    *out = NULL;
    *count = 0;
    if (rc == 0 && sp_fs_exists(file))
        rc = sp_json_load(&config, file, SP_CHECKPOINT_CONFIG_LIMIT);
    if (rc == 0 && config)
        rc = read_ends(out, count, config, run->model.vocab_size, file);
    if (rc == 0 && !*count)
        rc = read_ends(out, count, sp_checkpoint_config(run->checkpoint), run->model.vocab_size, run->model_file);
    if (rc == 0 && !*count && own_end(run) != SP_TOKEN_NONE) {
        *out = sp_calloc(1, sizeof **out);
        rc = *out ? 0 : SP_ENOMEM;
        if (*out)
            (*out)[(*count)++] = own_end(run);
    }
    json_decref(config);
    free(file);
    return rc;
}

uint32_t sp_train_end_token(const struct sp_run *run)
{
    uint32_t end = own_end(run), *list;
    size_t count;

    if (end != SP_TOKEN_NONE ||
        read_ends(&list, &count, sp_checkpoint_config(run->checkpoint), run->model.vocab_size, run->model_file) < 0)
        return end;
    end = count ? list[0] : SP_TOKEN_NONE;
    free(list);
    return end;
}
