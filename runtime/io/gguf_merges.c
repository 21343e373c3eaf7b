#include "runtime/io/gguf_merges_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MERGES_LIMIT ((size_t)1 << 24)
#define SPLIT_LIMIT 256 /* bytes of a token that is put together of others: each of its splits is looked up */
#define WORD 1 /* ggml's number for the kind of tokens that are put together */

/* In the form "a b", or as a list of two where one of them has a space. */
static int add(json_t *list, const char *left, size_t left_length, const char *right, size_t right_length)
{
    char text[2 * SPLIT_LIMIT + 1];
    json_t *merge;

    if (left_length + right_length < sizeof text && !memchr(left, ' ', left_length) &&
        !memchr(right, ' ', right_length)) {
        memcpy(text, left, left_length);
        text[left_length] = ' ';
        memcpy(text + left_length + 1, right, right_length);
        merge = json_stringn(text, left_length + 1 + right_length);
    } else {
        merge = json_pack("[s%, s%]", left, left_length, right, right_length);
    }
    return json_array_append_new(list, merge) < 0 ? sp_error(SP_ENOMEM, "out of memory") : 0;
}

int sp_gguf_merges(json_t **out, const struct sp_gguf *file, const char *key)
{
    struct sp_gguf_array merges = { 0, NULL };

    *out = NULL;
    SP_TRY(sp_gguf_get_texts(&merges, file, key));
    if (!merges.at)
        return sp_error(SP_EFORMAT, "%s has no \"%s\", without which its tokenizer is not whole", sp_gguf_path(file),
                        key);
    *out = json_array();
    for (size_t i = 0; *out && merges.count; i++) {
        struct sp_gguf_text m = sp_gguf_next_text(&merges);
        const char *space = m.length > 2 ? memchr(m.data + 1, ' ', m.length - 1) : NULL;
        size_t left = space ? (size_t)(space - m.data) : 0;
        int rc = 0;

        if (!space || left + 1 == m.length || sp_text_utf8_prefix(m.data, m.length) < m.length ||
            memchr(m.data, '\0', m.length))
            rc = sp_error(SP_EFORMAT, "%s: \"%s\": merge %zu is not two tokens with a space between",
                          sp_gguf_path(file), key, i);
        if (rc == 0)
            rc = add(*out, m.data, left, space + 1, m.length - left - 1);
        if (rc < 0) {
            json_decref(*out);
            *out = NULL;
            return rc;
        }
    }
    return *out ? 0 : sp_error(SP_ENOMEM, "out of memory");
}

/* A token that two others make. */
struct merge {
    float score;
    uint32_t token, left, right; /* ids */
    uint16_t left_bytes, left_points, right_points; /* points: code points */
};

/* By score, the highest first; then, as transformers does it, by the lengths of the parts, the longer first. */
static int compare_merges(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left_points != y->left_points)
        return x->left_points > y->left_points ? -1 : 1;
    if (x->right_points != y->right_points)
        return x->right_points > y->right_points ? -1 : 1;
    if (x->token != y->token)
        return x->token < y->token ? -1 : 1;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

struct merges {
    struct merge *list;
    size_t count, capacity;
};

static uint16_t points_of(const char *text, size_t length)
{
    uint16_t points = 0;

    for (size_t i = 0; i < length; i++)
        points += !sp_text_goes_on(text[i]);
    return points;
}

/* All splits of one token of at most SPLIT_LIMIT bytes. */
static int split(struct merges *out, const json_t *vocab, const json_t *token, uint32_t id, float score)
{
    const char *text = json_string_value(token);
    size_t length = json_string_length(token);
    char beginning[SPLIT_LIMIT + 1] = "";

    for (size_t at = 1; at < length; at++) {
        const json_t *left, *right;

        beginning[at - 1] = text[at - 1];
        if (sp_text_goes_on(text[at])) /* within a character */
            continue;
        left = json_object_get(vocab, beginning);
        right = left ? json_object_get(vocab, text + at) : NULL;
        if (!right)
            continue;
        SP_TRY(sp_grow(&out->list, out->count, &out->capacity, sizeof *out->list, MERGES_LIMIT, "merges"));
        out->list[out->count++] = (struct merge){ .score = score,
                                                  .token = id,
                                                  .left = (uint32_t)json_integer_value(left),
                                                  .right = (uint32_t)json_integer_value(right),
                                                  .left_bytes = (uint16_t)at,
                                                  .left_points = points_of(text, at),
                                                  .right_points = points_of(text + at, length - at) };
    }
    return 0;
}

static int find_merges(struct merges *out, const json_t *vocab, const json_t *tokens, struct sp_gguf_array scores,
                       struct sp_gguf_array types, const char *path)
{
    const json_t *token;
    size_t id;

    json_array_foreach(tokens, id, token)
    {
        float score = sp_gguf_next_float(&scores);
        int type = types.at ? sp_gguf_next_int(&types) : WORD;

        if (type != WORD)
            continue;
        if (json_string_length(token) > SPLIT_LIMIT)
            return sp_error(SP_ELIMIT, "%s: token %zu has %zu bytes; a word of SentencePiece's has at most %d", path,
                            id, json_string_length(token), SPLIT_LIMIT);
        if (isnan(score))
            return sp_error(SP_EFORMAT, "%s: the score of token %zu is no number", path, id);
        SP_TRY(split(out, vocab, token, (uint32_t)id, score));
    }
    if (out->count > 0)
        qsort(out->list, out->count, sizeof *out->list, compare_merges);
    return 0;
}

int sp_gguf_merges_of_scores(json_t **out, const json_t *vocab, const json_t *tokens, struct sp_gguf_array scores,
                             struct sp_gguf_array types, const char *path)
{
    struct merges found = { NULL, 0, 0 };
    int rc = 0;

    *out = json_array();
    SP_GO(*out ? 0 : sp_error(SP_ENOMEM, "out of memory"));
    SP_GO(find_merges(&found, vocab, tokens, scores, types, path));
    for (size_t i = 0; i < found.count; i++) {
        const struct merge *m = &found.list[i];
        const json_t *token = json_array_get(tokens, m->token);
        const char *text = json_string_value(token);

        SP_GO(add(*out, text, m->left_bytes, text + m->left_bytes, json_string_length(token) - m->left_bytes));
    }
out:
    free(found.list);
    if (rc < 0) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}
