#include "runtime/text/vocab.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX ((size_t)1 << 24)
/* A good hash needs some tens: tokens made to collide would take the square of their number. */
#define PROBES_MAX 4096

/* Whether the entry is the token prefix + text. */
static inline bool is_token(const struct sp_vocab *vocab, uint32_t index, uint32_t hash, const char *prefix,
                            size_t prefix_length, const char *text, size_t length)
{
    const struct sp_vocab_entry *entry = &vocab->entries[index];
    const char *token = vocab->bytes + entry->offset;

    return entry->hash == hash && entry->length == prefix_length + length &&
           memcmp(token, prefix, prefix_length) == 0 && memcmp(token + prefix_length, text, length) == 0;
}

int sp_vocab_add(struct sp_vocab *vocab, const char *token, size_t length, long long id, const char *path)
{
    struct sp_vocab_entry *entry = &vocab->entries[vocab->count];
    uint32_t hash = SP_VOCAB_HASH;
    size_t place, probes = 0;

    if (length > SP_VOCAB_TOKEN_MAX)
        return sp_error(SP_ELIMIT, "%s: a token of the vocabulary has %zu bytes; at most %d are supported", path,
                        length, SP_VOCAB_TOKEN_MAX);
    if (id < 0 || id > SP_VOCAB_ID_MAX)
        return sp_error(SP_EFORMAT, "%s: the id of the token \"%.*s\" is not an integer from 0 to %lld", path,
                        (int)length, token, SP_VOCAB_ID_MAX);
    for (size_t i = 0; i < length; i++)
        hash = sp_vocab_hash(hash, token[i]);
    for (place = hash & vocab->mask; vocab->table[place]; place = (place + 1) & vocab->mask) {
        if (is_token(vocab, vocab->table[place] - 1, hash, "", 0, token, length))
            break;
        if (++probes > PROBES_MAX)
            return sp_error(SP_ELIMIT, "%s: too many tokens of the vocabulary have the same hash", path);
    }
    *entry = (struct sp_vocab_entry){ hash, (uint32_t)id, (uint32_t)vocab->used, (uint32_t)length };
    memcpy(vocab->bytes + vocab->used, token, length);
    vocab->used += length;
    vocab->table[place] = (uint32_t)++vocab->count;
    if (length > vocab->longest)
        vocab->longest = length;
    if (id >= vocab->size)
        vocab->size = (uint32_t)id + 1;
    return 0;
}

int sp_vocab_reserve(struct sp_vocab *out, size_t count, size_t bytes, const char *path)
{
    size_t places = 16;

    if (count == 0 || count > TOKENS_MAX || bytes > UINT32_MAX)
        return sp_error(SP_EFORMAT, "%s: \"vocab\" does not have 1 to %zu tokens", path, TOKENS_MAX);
    while (places < 2 * count)
        places *= 2;
    out->mask = places - 1;
    out->entries = sp_calloc(count, sizeof *out->entries);
    out->table = sp_calloc(places, sizeof *out->table);
    out->bytes = sp_calloc(bytes, 1);
    if (out->entries && out->table && out->bytes)
        return 0;
    sp_vocab_free(out);
    return SP_ENOMEM;
}

int sp_vocab_load(struct sp_vocab *out, const json_t *tokens, const char *path)
{
    json_t *object = json_incref((json_t *)(size_t)tokens); /* jansson's iteration takes no const */
    size_t bytes = 0;
    const char *token;
    json_t *id;
    int rc = 0;

    if (!sp_json_is_object(tokens) || json_object_size(tokens) == 0 ||
        json_object_size(tokens) > TOKENS_MAX)
        SP_GO(sp_error(SP_EFORMAT, "%s: \"vocab\" is not an object of 1 to %zu tokens", path,
                       TOKENS_MAX));
    json_object_foreach (object, token, id)
        bytes += strlen(token);
    SP_GO(sp_vocab_reserve(out, json_object_size(tokens), bytes, path));
    json_object_foreach (object, token, id)
        SP_GO(sp_vocab_add(out, token, strlen(token), json_is_integer(id) ? json_integer_value(id) : -1, path));
out:
    json_decref(object);
    if (rc < 0)
        sp_vocab_free(out);
    return rc;
}

/* Sorts the entries' indices by id, two bytes of it at a time; the order among equals stays. */
int sp_vocab_index(struct sp_vocab *vocab)
{
    size_t count = vocab->count;
    uint32_t *from = sp_calloc(count, sizeof *from), *to = sp_calloc(count, sizeof *to);
    size_t *places = sp_calloc(0x10001, sizeof *places);
    int rc = from && to && places ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < count; i++)
        from[i] = (uint32_t)i;
    for (unsigned shift = 0; rc == 0 && shift < 32; shift += 16) {
        uint32_t *swapped = from;

        memset(places, 0, 0x10001 * sizeof *places);
        for (size_t i = 0; i < count; i++)
            places[(vocab->entries[i].id >> shift & 0xFFFF) + 1]++;
        for (size_t i = 1; i <= 0x10000; i++)
            places[i] += places[i - 1];
        for (size_t i = 0; i < count; i++)
            to[places[vocab->entries[from[i]].id >> shift & 0xFFFF]++] = from[i];
        from = to;
        to = swapped;
    }
    free(to);
    free(places);
    if (rc == 0)
        vocab->by_id = from;
    else
        free(from);
    return rc;
}

const char *sp_vocab_token(const struct sp_vocab *vocab, uint32_t id, size_t *length)
{
    size_t low = 0, high = vocab->by_id ? vocab->count : 0;
    const struct sp_vocab_entry *entry;

    while (low < high) { /* the first whose id is larger */
        size_t middle = low + (high - low) / 2;

        if (vocab->entries[vocab->by_id[middle]].id > id)
            high = middle;
        else
            low = middle + 1;
    }
    entry = low ? &vocab->entries[vocab->by_id[low - 1]] : NULL;
    if (!entry || entry->id != id)
        return NULL;
    *length = entry->length;
    return vocab->bytes + entry->offset;
}

void sp_vocab_free(struct sp_vocab *vocab)
{
    free(vocab->entries);
    free(vocab->table);
    free(vocab->bytes);
    free(vocab->by_id);
    memset(vocab, 0, sizeof *vocab);
}

uint32_t sp_vocab_find_hashed(const struct sp_vocab *vocab, uint32_t hash, const char *prefix,
                              size_t prefix_length, const char *text, size_t length)
{
    for (size_t place = hash & vocab->mask; vocab->table[place]; place = (place + 1) & vocab->mask)
        if (is_token(vocab, vocab->table[place] - 1, hash, prefix, prefix_length, text, length))
            return vocab->entries[vocab->table[place] - 1].id;
    return SP_TOKEN_NONE;
}

uint32_t sp_vocab_find(const struct sp_vocab *vocab, const char *token)
{
    uint32_t hash = SP_VOCAB_HASH;

    for (const char *p = token; *p; p++)
        hash = sp_vocab_hash(hash, *p);
    return sp_vocab_find_hashed(vocab, hash, "", 0, token, strlen(token));
}
