#include "runtime/text/added_tokens.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/charset.h"
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 100000

static int by_first_byte_and_length(const void *a, const void *b)
{
    const struct sp_added_token *x = a, *y = b;

    if (x->text[0] != y->text[0])
        return (unsigned char)x->text[0] < (unsigned char)y->text[0] ? -1 : 1;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return memcmp(x->text, y->text, x->length);
}

static void index_set(struct sp_added_set *set)
{
    if (set->count)
        qsort(set->tokens, set->count, sizeof *set->tokens, by_first_byte_and_length);
    for (size_t i = 0; i < set->count; i++)
        set->first[(unsigned char)set->tokens[i].text[0] + 1]++;
    for (size_t b = 1; b < 257; b++)
        set->first[b] += set->first[b - 1];
}

/* Puts the token into the set; nothing where its text is empty. */
static int add(struct sp_added_set *set, const struct sp_added_token *token, const char *text, size_t length)
{
    char *copy;

    if (!length)
        return 0;
    copy = sp_strndup(text, length);
    if (!copy)
        return SP_ENOMEM;
    set->tokens[set->count] = *token;
    set->tokens[set->count].text = copy;
    set->tokens[set->count++].length = length;
    return 0;
}

static int load_one(struct sp_added_tokens *out, const json_t *item, const struct sp_vocab *vocab,
                    const struct sp_chain *normalizers, struct sp_scratch *scratch, const char *path)
{
    struct sp_added_token token = { 0 };
    const char *content = NULL;
    long long id = -1;
    int normalized = 0, special = 0;
    size_t length;

    SP_TRY(sp_json_get_string(&content, item, "content", path));
    SP_TRY(sp_json_get_int(&id, item, "id", path));
    SP_TRY(sp_json_get_bool(&token.single_word, item, "single_word", path));
    SP_TRY(sp_json_get_bool(&token.lstrip, item, "lstrip", path));
    SP_TRY(sp_json_get_bool(&token.rstrip, item, "rstrip", path));
    SP_TRY(sp_json_get_bool(&normalized, item, "normalized", path));
    SP_TRY(sp_json_get_bool(&special, item, "special", path));
    if (!content || strlen(content) > SP_VOCAB_TOKEN_MAX || id < 0 || id > SP_VOCAB_ID_MAX)
        return sp_error(
            SP_EFORMAT,
            "%s: an entry of \"added_tokens\" has no \"id\" from 0 to %lld or no \"content\" of at "
            "most %d bytes",
            path, SP_VOCAB_ID_MAX, SP_VOCAB_TOKEN_MAX);
    token.id = sp_vocab_find(vocab, content);
    if (token.id == SP_TOKEN_NONE)
        token.id = (uint32_t)id;
    if (token.id >= out->size)
        out->size = token.id + 1;
    length = strlen(content);
    if (normalized)
        SP_TRY(sp_chain_normalize(normalizers, scratch, &content, &length));
    out->contents[out->count] = (struct sp_added_content){ sp_strndup(content, length), token.id, special, out->count };
    if (!out->contents[out->count++].text)
        return SP_ENOMEM;
    return add(normalized ? &out->normalized : &out->raw, &token, content, length);
}

static int by_id(const void *a, const void *b)
{
    const struct sp_added_content *x = a, *y = b;

    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->place > y->place) - (x->place < y->place);
}

int sp_added_tokens_load(struct sp_added_tokens *out, const json_t *list,
                         const struct sp_vocab *vocab, const struct sp_chain *normalizers, const char *path)
{
    size_t count = json_array_size(list);
    struct sp_scratch scratch;
    int rc = 0;

    if ((list && !json_is_array(list) && !json_is_null(list)) || count > TOKENS_MAX)
        return sp_error(SP_EFORMAT, "%s: \"added_tokens\" is not a list of at most %d tokens", path,
                        TOKENS_MAX);
    sp_scratch_init(&scratch);
    out->raw.tokens = sp_calloc(count, sizeof *out->raw.tokens);
    out->normalized.tokens = sp_calloc(count, sizeof *out->normalized.tokens);
    out->contents = sp_calloc(count, sizeof *out->contents);
    if (!out->raw.tokens || !out->normalized.tokens || !out->contents)
        SP_GO(SP_ENOMEM);
    for (size_t i = 0; i < count; i++)
        SP_GO(load_one(out, json_array_get(list, i), vocab, normalizers, &scratch, path));
    index_set(&out->raw);
    index_set(&out->normalized);
    if (count)
        qsort(out->contents, count, sizeof *out->contents, by_id);
out:
    sp_scratch_release(&scratch);
    if (rc < 0)
        sp_added_tokens_free(out);
    return rc;
}

static void free_set(struct sp_added_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->tokens[i].text);
    free(set->tokens);
    memset(set, 0, sizeof *set);
}

void sp_added_tokens_free(struct sp_added_tokens *tokens)
{
    free_set(&tokens->raw);
    free_set(&tokens->normalized);
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->contents[i].text);
    free(tokens->contents);
    tokens->contents = NULL;
    tokens->count = 0;
}

const struct sp_added_content *sp_added_tokens_find(const struct sp_added_tokens *tokens, uint32_t id)
{
    size_t low = 0, high = tokens->count;

    while (low < high) { /* the first with a larger id */
        size_t middle = low + (high - low) / 2;

        if (tokens->contents[middle].id > id)
            high = middle;
        else
            low = middle + 1;
    }
    return low && tokens->contents[low - 1].id == id ? &tokens->contents[low - 1] : NULL;
}

/* The first byte of the character that ends before text[at]. */
static size_t previous(const char *text, size_t at)
{
    do
        at--;
    while (at > 0 && sp_text_goes_on(text[at]));
    return at;
}

static bool beside_word(const char *text, size_t length, size_t start, size_t stop)
{
    uint32_t c;

    if (start > 0) {
        size_t before = previous(text, start);

        sp_text_decode(&c, text + before, start - before);
        if (sp_charset_is_plain_word(c))
            return true;
    }
    if (stop == length)
        return false;
    sp_text_decode(&c, text + stop, length - stop);
    return sp_charset_is_plain_word(c);
}

static size_t strip_left(const char *text, size_t start, size_t done)
{
    while (start > done) {
        size_t before = previous(text, start);
        uint32_t c;

        sp_text_decode(&c, text + before, start - before);
        if (!sp_text_is_space(c))
            break;
        start = before;
    }
    return start;
}

static size_t strip_right(const char *text, size_t length, size_t stop)
{
    while (stop < length) {
        uint32_t c;
        size_t bytes = sp_text_decode(&c, text + stop, length - stop);

        if (!sp_text_is_space(c))
            break;
        stop += bytes;
    }
    return stop;
}

static const struct sp_added_token *match(const struct sp_added_set *set, const char *text,
                                          size_t length)
{
    unsigned char byte = (unsigned char)text[0];

    for (size_t i = set->first[byte]; i < set->first[byte + 1]; i++)
        if (set->tokens[i].length <= length &&
            memcmp(set->tokens[i].text, text, set->tokens[i].length) == 0)
            return &set->tokens[i];
    return NULL;
}

const struct sp_added_token *sp_added_set_next(const struct sp_added_set *set, const char *text,
                                               size_t length, size_t done, size_t *at,
                                               size_t *start, size_t *stop)
{
    if (!set->count)
        return NULL;
    while (*at < length) {
        const struct sp_added_token *token = match(set, text + *at, length - *at);

        if (!token) {
            ++*at;
            continue;
        }
        *start = *at;
        *at = *stop = *at + token->length;
        if (token->single_word && beside_word(text, length, *start, *stop))
            continue;
        if (token->lstrip)
            *start = strip_left(text, *start, done);
        if (token->rstrip)
            *stop = strip_right(text, length, *stop);
        return token;
    }
    return NULL;
}
