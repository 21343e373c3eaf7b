/*
 * Unigram (Kudo, "Subword regularization", ACL 2018), as SentencePiece has it: of all ways to cut a word into pieces,
 * the one with the largest sum of scores, found by Viterbi's algorithm over the places between characters. A character
 * that is no piece is the unknown token, scored 10 below the least piece; neighbours of these are one unknown token, or
 * the pieces <0x00> to <0xFF> of their bytes.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/trie.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_PENALTY 10.
#define SHORT 256 /* bytes of a word whose paths need no memory of the heap */

struct unigram {
    struct sp_trie trie;
    double *scores; /* [vocabulary] */
    double unknown_score;
    uint32_t unknown; /* SP_TOKEN_NONE: the model has none */
    int byte_fallback;
    uint32_t bytes[256]; /* SP_TOKEN_NONE where there is no such piece */
};

/* The best way up to a place: where its last piece begins, and which it is. */
struct path {
    double score;
    uint32_t start, id;
};

#define NOWHERE UINT32_MAX /* as start: no piece ends here yet */

static void release(void *state)
{
    struct unigram *model = state;

    if (model) {
        sp_trie_free(&model->trie);
        free(model->scores);
    }
    free(model);
}

/* [["<unk>", 0.0], ["\u2581the", -3.5], ...], whose index is the id. */
static int load_pieces(struct unigram *model, struct sp_vocab *vocab, const json_t *pieces, const char *path)
{
    size_t count = json_array_size(pieces), bytes = 0;
    double least = INFINITY;

    for (size_t i = 0; i < count; i++)
        bytes += json_string_length(json_array_get(json_array_get(pieces, i), 0));
    SP_TRY(sp_vocab_reserve(vocab, count, bytes, path));
    model->scores = sp_calloc(count, sizeof *model->scores);
    if (!model->scores)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *piece = json_array_get(json_array_get(pieces, i), 0),
                     *score = json_array_get(json_array_get(pieces, i), 1);

        if (!json_is_string(piece) || !json_is_number(score))
            return sp_error(SP_EFORMAT, "%s: piece %zu of \"vocab\" is not a string with a finite number as its score",
                            path, i);
        SP_TRY(sp_vocab_add(vocab, json_string_value(piece), json_string_length(piece), (long long)i, path));
        model->scores[i] = json_number_value(score);
        if (model->scores[i] < least)
            least = model->scores[i];
    }
    model->unknown_score = least - UNKNOWN_PENALTY;
    return 0;
}

static int load_trie(struct unigram *model, const json_t *pieces, const char *path)
{
    size_t count = json_array_size(pieces);
    struct sp_trie_key *keys = sp_calloc(count, sizeof *keys);
    const struct sp_trie_key *twice = NULL;
    int rc;

    if (!keys)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *piece = json_array_get(json_array_get(pieces, i), 0);

        keys[i] = (struct sp_trie_key){ json_string_value(piece), (uint32_t)json_string_length(piece), (uint32_t)i };
    }
    rc = sp_trie_build(&model->trie, keys, count, &twice);
    if (twice)
        rc = sp_error(SP_EFORMAT, "%s: the piece \"%.60s\" is in the vocabulary twice", path, twice->text);
    free(keys);
    return rc;
}

static void load_bytes(struct unigram *model, const struct sp_vocab *vocab)
{
    for (unsigned i = 0; i < 256; i++) {
        char piece[7];

        snprintf(piece, sizeof piece, "<0x%02X>", i);
        model->bytes[i] = sp_vocab_find(vocab, piece);
    }
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const json_t *pieces = json_object_get(section, "vocab");
    struct unigram *model = sp_calloc(1, sizeof *model);
    long long unknown = -1;
    int rc = 0;

    *state = NULL;
    if (!model)
        return SP_ENOMEM;
    SP_GO(sp_json_get_bool(&model->byte_fallback, section, "byte_fallback", path));
    SP_GO(sp_json_get_int(&unknown, section, "unk_id", path));
    SP_GO(load_pieces(model, vocab, pieces, path));
    if (sp_json_member(section, "unk_id") && (unknown < 0 || unknown >= (long long)vocab->size))
        SP_GO(sp_error(SP_EFORMAT, "%s: \"unk_id\" is %lld, and the vocabulary has the ids 0 to %u", path, unknown,
                       (unsigned)vocab->size - 1));
    SP_GO(load_trie(model, pieces, path));
    load_bytes(model, vocab);
    vocab->unknown = model->unknown = unknown < 0 ? SP_TOKEN_NONE : (uint32_t)unknown;
    *state = model;
out:
    if (rc < 0)
        release(model);
    return rc;
}

static void offer(struct path *to, double score, size_t start, uint32_t id)
{
    if (to->start == NOWHERE || score > to->score)
        *to = (struct path){ score, (uint32_t)start, id };
}

static int find_paths(const struct unigram *model, struct path *paths, const char *word, size_t length)
{
    paths[0].score = 0;
    for (size_t i = 0; i <= length; i++)
        paths[i].start = NOWHERE;
    for (size_t start = 0, bytes; start < length; start += bytes) {
        uint32_t node = SP_TRIE_ROOT;
        bool is_piece = false;

        bytes = sp_text_utf8_length(word[start]);
        for (size_t at = start; at < length; at++) {
            uint32_t id;

            node = sp_trie_child(&model->trie, node, word[at]);
            if (node == SP_TRIE_NONE)
                break;
            id = model->trie.values[node];
            if (id == SP_TRIE_NONE)
                continue;
            offer(&paths[at + 1], paths[start].score + model->scores[id], start, id);
            is_piece |= at + 1 == start + bytes;
        }
        if (is_piece)
            continue;
        offer(&paths[start + bytes], paths[start].score + model->unknown_score, start, model->unknown);
        if (paths[start + bytes].id == SP_TOKEN_NONE)
            return sp_error(SP_EFORMAT, "the tokenizer's model has no unknown token (\"unk_id\" is null), and a text "
                                        "has a character that is none of its pieces");
    }
    return 0;
}

/* Appends the ids of unknown characters, last first. */
static int add_unknown(const struct unigram *model, const struct sp_vocab *vocab, struct sp_ids *ids, const char *text,
                       size_t length)
{
    uint32_t hash = SP_VOCAB_HASH, id = SP_TOKEN_NONE;
    bool has_bytes = model->byte_fallback;

    /* together they may be a piece, one of so low a score that it was not chosen */
    for (size_t i = 0; i < length && length <= vocab->longest; i++)
        hash = sp_vocab_hash(hash, text[i]);
    if (length <= vocab->longest)
        id = sp_vocab_find_hashed(vocab, hash, "", 0, text, length);
    if (id != SP_TOKEN_NONE)
        return sp_ids_add(ids, id);
    for (size_t i = 0; i < length && has_bytes; i++)
        has_bytes = model->bytes[(unsigned char)text[i]] != SP_TOKEN_NONE;
    if (!has_bytes)
        return sp_ids_add(ids, model->unknown);
    for (size_t i = length; i-- > 0;)
        SP_TRY(sp_ids_add(ids, model->bytes[(unsigned char)text[i]]));
    return 0;
}

/* Appends the best path's ids, from its end on, and turns them around. */
static int add_path(const struct unigram *model, const struct sp_vocab *vocab, struct sp_ids *ids,
                    const struct path *paths, const char *word, size_t length)
{
    size_t before = ids->count;

    for (size_t end = length, start; end > 0; end = start) {
        start = paths[end].start;
        if (paths[end].id != model->unknown) {
            SP_TRY(sp_ids_add(ids, paths[end].id));
            continue;
        }
        while (start > 0 && paths[start].id == model->unknown)
            start = paths[start].start;
        SP_TRY(add_unknown(model, vocab, ids, word + start, end - start));
    }
    for (size_t i = before, j = ids->count; i + 1 < j; i++) {
        uint32_t id = ids->data[i];

        ids->data[i] = ids->data[--j];
        ids->data[j] = id;
    }
    return 0;
}

static int encode(const void *state, const struct sp_vocab *vocab, struct sp_scratch *scratch, struct sp_ids *ids,
                  const char *word, size_t length)
{
    struct path few[SHORT + 1], *paths = few;
    int rc = 0;

    (void)scratch;
    if (length > SHORT)
        paths = sp_calloc(length + 1, sizeof *paths);
    if (!paths)
        return SP_ENOMEM;
    SP_GO(find_paths(state, paths, word, length));
    SP_GO(add_path(state, vocab, ids, paths, word, length));
out:
    if (paths != few)
        free(paths);
    return rc;
}

const struct sp_stage sp_stage_model_unigram = {
    .slot = "model",
    .type = "Unigram",
    .load = load,
    .free = release,
    .encode = encode,
};
