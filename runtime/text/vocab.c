#include "runtime/text/vocab.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX ((size_t)1 << 24)
#define PROBES_MAX                                                                                 \
    4096 /* a good hash needs some tens: tokens made to collide would take the square of their     \
            number */

static int add(struct sp_vocab *vocab, size_t *used, const char *token, size_t length, uint32_t id,
               const char *path)
{
    struct sp_vocab_entry *entry = &vocab->entries[vocab->count];
    size_t place, probes = 0;

    *entry = (struct sp_vocab_entry){ SP_VOCAB_HASH, id, (uint32_t)*used, (uint32_t)length };
    for (size_t i = 0; i < length; i++)
        entry->hash = sp_vocab_hash(entry->hash, token[i]);
    for (place = entry->hash & vocab->mask; vocab->table[place]; place = (place + 1) & vocab->mask)
        if (++probes > PROBES_MAX)
            return sp_error(SP_ELIMIT, "%s: too many tokens of the vocabulary have the same hash",
                            path);
    memcpy(vocab->bytes + *used, token, length);
    *used += length;
    vocab->table[place] = (uint32_t)++vocab->count;
    if (length > vocab->longest)
        vocab->longest = length;
    if (id >= vocab->size)
        vocab->size = id + 1;
    return 0;
}

static int check_token(const char *token, size_t length, const json_t *id, const char *path)
{
    if (length > SP_VOCAB_TOKEN_MAX)
        return sp_error(SP_ELIMIT,
                        "%s: a token of the vocabulary has %zu bytes; at most %d are supported",
                        path, length, SP_VOCAB_TOKEN_MAX);
    if (!json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) > SP_VOCAB_ID_MAX)
        return sp_error(SP_EFORMAT,
                        "%s: the id of the token \"%s\" is not an integer from 0 to %lld", path,
                        token, SP_VOCAB_ID_MAX);
    return 0;
}

/* Makes room for the tokens; the bytes cannot overflow, as they came from a file of limited size.
 */
static int allocate(struct sp_vocab *out, size_t count, size_t bytes)
{
    size_t places = 16;

    while (places < 2 * count)
        places *= 2;
    out->mask = places - 1;
    out->entries = sp_calloc(count, sizeof *out->entries);
    out->table = sp_calloc(places, sizeof *out->table);
    out->bytes = sp_calloc(bytes, 1);
    return out->entries && out->table && out->bytes ? 0 : SP_ENOMEM;
}

int sp_vocab_load(struct sp_vocab *out, const json_t *tokens, const char *path)
{
    json_t *object = json_incref((json_t *)(size_t)tokens); /* jansson's iteration takes no const */
    size_t bytes = 0, used = 0;
    const char *token;
    json_t *id;
    int rc = 0;

    if (!sp_json_is_object(tokens) || json_object_size(tokens) == 0 ||
        json_object_size(tokens) > TOKENS_MAX)
        SP_GO(sp_error(SP_EFORMAT, "%s: \"vocab\" is not an object of 1 to %zu tokens", path,
                       TOKENS_MAX));
    json_object_foreach (object, token, id) {
        SP_GO(check_token(token, strlen(token), id, path));
        bytes += strlen(token);
    }
    SP_GO(allocate(out, json_object_size(tokens), bytes));
    json_object_foreach (object, token, id)
        SP_GO(add(out, &used, token, strlen(token), (uint32_t)json_integer_value(id), path));
out:
    json_decref(object);
    if (rc < 0)
        sp_vocab_free(out);
    return rc;
}

void sp_vocab_free(struct sp_vocab *vocab)
{
    free(vocab->entries);
    free(vocab->table);
    free(vocab->bytes);
    memset(vocab, 0, sizeof *vocab);
}

uint32_t sp_vocab_find_hashed(const struct sp_vocab *vocab, uint32_t hash, const char *prefix,
                              size_t prefix_length, const char *text, size_t length)
{
    for (size_t place = hash & vocab->mask; vocab->table[place];
         place = (place + 1) & vocab->mask) {
        const struct sp_vocab_entry *entry = &vocab->entries[vocab->table[place] - 1];
        const char *token = vocab->bytes + entry->offset;

        if (entry->hash == hash && entry->length == prefix_length + length &&
            memcmp(token, prefix, prefix_length) == 0 &&
            memcmp(token + prefix_length, text, length) == 0)
            return entry->id;
    }
    return SP_TOKEN_NONE;
}

uint32_t sp_vocab_find(const struct sp_vocab *vocab, const char *token)
{
    uint32_t hash = SP_VOCAB_HASH;

    for (const char *p = token; *p; p++)
        hash = sp_vocab_hash(hash, *p);
    return sp_vocab_find_hashed(vocab, hash, "", 0, token, strlen(token));
}
