/*
 * WordPiece (Schuster and Nakajima, "Japanese and Korean voice search", ICASSP 2012) as BERT uses
 * it: a word is its longest prefix in the vocabulary, then the longest piece marked as a
 * continuation, and so on; where no piece fits, or the word is too long, the whole word is the
 * unknown token. Each start of a piece hashes at most the longest token's bytes once and then tries
 * the prefixes from the longest, so a word takes O(length x longest token).
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"
#include "runtime/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

struct wordpiece {
    char *prefix; /* of a piece that continues a word */
    size_t prefix_length, max_chars;
    uint32_t prefix_hash, unk;
};

static void release(void *state)
{
    struct wordpiece *model = state;

    if (model)
        free(model->prefix);
    free(model);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct wordpiece *model = sp_calloc(1, sizeof *model);
    const char *unk = "[UNK]", *prefix = "##";
    long long max_chars = 100;
    int rc = 0;

    *state = NULL;
    if (!model)
        return SP_ENOMEM;
    SP_GO(sp_json_get_string(&unk, section, "unk_token", path));
    SP_GO(sp_json_get_string(&prefix, section, "continuing_subword_prefix", path));
    SP_GO(sp_json_get_int(&max_chars, section, "max_input_chars_per_word", path));
    if (max_chars < 0)
        SP_GO(sp_error(SP_EFORMAT, "%s: \"max_input_chars_per_word\" is negative", path));
    model->prefix = sp_strdup(prefix);
    model->prefix_length = strlen(prefix);
    model->prefix_hash = SP_VOCAB_HASH;
    for (const char *p = prefix; *p; p++)
        model->prefix_hash = sp_vocab_hash(model->prefix_hash, *p);
    model->max_chars = (size_t)max_chars;
    if (!model->prefix)
        SP_GO(SP_ENOMEM);
    SP_GO(sp_vocab_load(vocab, json_object_get(section, "vocab"), path));
    model->unk = sp_vocab_find(vocab, unk);
    if (model->unk == SP_TOKEN_NONE)
        SP_GO(sp_error(SP_EFORMAT, "%s: the unknown token \"%s\" is not in the vocabulary", path,
                       unk));
    vocab->unknown = model->unk;
    *state = model;
out:
    if (rc < 0)
        release(model);
    return rc;
}

static bool too_long(const struct wordpiece *model, const char *word, size_t length)
{
    size_t chars = 0;

    if (length <= model->max_chars)
        return false;
    for (size_t i = 0; i < length && chars <= model->max_chars; i++)
        chars += !sp_text_goes_on(word[i]);
    return chars > model->max_chars;
}

/* The longest piece that text begins with: its id and bytes, or SP_TOKEN_NONE. */
static uint32_t longest_piece(const struct wordpiece *model, const struct sp_vocab *vocab,
                              bool continues, const char *text, size_t length, size_t *bytes)
{
    uint32_t hashes[SP_VOCAB_TOKEN_MAX + 1];
    const char *prefix = continues ? model->prefix : "";
    size_t prefix_length = continues ? model->prefix_length : 0;

    if (length > vocab->longest)
        length = vocab->longest;
    hashes[0] = continues ? model->prefix_hash : SP_VOCAB_HASH;
    for (size_t i = 0; i < length; i++)
        hashes[i + 1] = sp_vocab_hash(hashes[i], text[i]);
    for (*bytes = length; *bytes > 0; --*bytes) {
        uint32_t id =
            sp_vocab_find_hashed(vocab, hashes[*bytes], prefix, prefix_length, text, *bytes);

        if (id != SP_TOKEN_NONE)
            return id;
    }
    return SP_TOKEN_NONE;
}

static int encode(const void *state, const struct sp_vocab *vocab, struct sp_scratch *scratch, struct sp_ids *ids,
                  const char *word, size_t length)
{
    const struct wordpiece *model = state;
    size_t before = ids->count, bytes;

    (void)scratch;
    if (too_long(model, word, length))
        return sp_ids_add(ids, model->unk);
    for (size_t at = 0; at < length; at += bytes) {
        uint32_t id = longest_piece(model, vocab, at > 0, word + at, length - at, &bytes);

        if (id == SP_TOKEN_NONE) {
            ids->count = before;
            return sp_ids_add(ids, model->unk);
        }
        SP_TRY(sp_ids_add(ids, id));
    }
    return 0;
}

const struct sp_stage sp_stage_model_wordpiece = {
    .slot = "model",
    .type = "WordPiece",
    .load = load,
    .free = release,
    .encode = encode,
};
