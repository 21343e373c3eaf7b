#include "runtime/train/tokenizer.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"

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
    json_t *definition, *config;
    int rc = sp_checkpoint_tokenizer(&definition, &config, checkpoint);

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
