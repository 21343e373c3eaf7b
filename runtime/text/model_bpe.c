/*
 * Byte-pair encoding (Sennrich et al., "Neural machine translation of rare words with subword units", ACL 2016): a word
 * begins as its characters, and of all neighbours that the merges know those are joined first that stand first in the
 * list, from left to right. A heap holds the pairs that may be joined, so that a word of n characters takes
 * O(n log n); of a long word those of its characters are sorted beside it, which is kinder to caches. Entries whose
 * pair is gone are passed over when they come up.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/chain.h"
#include "runtime/text/stage.h"
#include "runtime/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MERGES_MAX ((size_t)1 << 24)
#define PROBES_MAX 4096 /* as in the vocabulary's table */
#define NONE UINT32_MAX

struct merge {
    uint32_t left, right; /* left == NONE: an empty place */
    uint32_t rank, joined;
};

struct bpe {
    struct merge *merges; /* an open-addressing hash table by the pair; mask + 1 places */
    size_t mask;
    uint32_t *joined; /* what a merge makes, by its rank */
    char *prefix, *suffix; /* of characters inside a word, of the last one */
    int ignore_merges, byte_fallback, fuse_unk;
    bool has_unk;        /* else characters without a token are left out */
    uint32_t unk;        /* SP_TOKEN_NONE: it is not in the vocabulary, and no text may need it */
    uint32_t bytes[256]; /* the tokens <0x00> to <0xFF>, or SP_TOKEN_NONE */
};

static void release(void *state)
{
    struct bpe *bpe = state;

    if (!bpe)
        return;
    free(bpe->merges);
    free(bpe->joined);
    free(bpe->prefix);
    free(bpe->suffix);
    free(bpe);
}

/* ---- merges ---- */

static size_t place_of(const struct bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;

    return (size_t)(hash >> 32 ^ hash) & bpe->mask;
}

static struct merge *find_merge(const struct bpe *bpe, uint32_t left, uint32_t right)
{
    size_t place = place_of(bpe, left, right);

    while (bpe->merges[place].left != NONE &&
           (bpe->merges[place].left != left || bpe->merges[place].right != right))
        place = (place + 1) & bpe->mask;
    return &bpe->merges[place];
}

static int find_token(uint32_t *id, const struct sp_vocab *vocab, size_t merge, const char *a, size_t a_length,
                      const char *b, size_t b_length, const char *path)
{
    uint32_t hash = SP_VOCAB_HASH;

    for (size_t i = 0; i < a_length; i++)
        hash = sp_vocab_hash(hash, a[i]);
    for (size_t i = 0; i < b_length; i++)
        hash = sp_vocab_hash(hash, b[i]);
    *id = sp_vocab_find_hashed(vocab, hash, a, a_length, b, b_length);
    if (*id == SP_TOKEN_NONE)
        return sp_error(SP_EFORMAT, "%s: merge %zu needs the token \"%.*s%.*s\", which is not in the vocabulary", path,
                        merge + 1, (int)(a_length < 60 ? a_length : 60), a, (int)(b_length < 60 ? b_length : 60), b);
    return 0;
}

/* A merge as "a b" or ["a", "b"]. */
static int read_merge(const char *parts[2], size_t lengths[2], const json_t *item, size_t number, const char *path)
{
    const char *text = json_string_value(item), *blank = text ? strchr(text, ' ') : NULL;

    if (blank && !strchr(blank + 1, ' ')) {
        parts[0] = text;
        parts[1] = blank + 1;
        lengths[0] = (size_t)(blank - text);
    } else {
        for (size_t i = 0; i < 2; i++)
            parts[i] = json_array_size(item) == 2 ? json_string_value(json_array_get(item, i)) : NULL;
        if (!parts[0] || !parts[1])
            return sp_error(SP_EFORMAT, "%s: merge %zu is not a pair of tokens, \"a b\" or [\"a\", \"b\"]", path,
                            number + 1);
        lengths[0] = strlen(parts[0]);
    }
    lengths[1] = strlen(parts[1]);
    return 0;
}

/* What comes of a merge is the left token and the right one without the prefix that marks it as no beginning. */
static int add_merge(struct bpe *bpe, const struct sp_vocab *vocab, const json_t *item, size_t number, uint32_t rank,
                     const char *path)
{
    size_t lengths[2] = { 0, 0 }, cut = strlen(bpe->prefix);
    uint32_t left, right, joined;
    const char *parts[2];
    struct merge *merge;

    SP_TRY(read_merge(parts, lengths, item, number, path));
    SP_TRY(find_token(&left, vocab, number, parts[0], lengths[0], "", 0, path));
    SP_TRY(find_token(&right, vocab, number, parts[1], lengths[1], "", 0, path));
    if (cut > lengths[1])
        return sp_error(SP_EFORMAT, "%s: the second token of merge %zu is shorter than \"continuing_subword_prefix\"",
                        path, number + 1);
    SP_TRY(find_token(&joined, vocab, number, parts[0], lengths[0], parts[1] + cut, lengths[1] - cut, path));
    merge = find_merge(bpe, left, right);
    if ((((size_t)(merge - bpe->merges) - place_of(bpe, left, right)) & bpe->mask) > PROBES_MAX)
        return sp_error(SP_ELIMIT, "%s: too many merges have the same hash", path);
    *merge = (struct merge){ left, right, rank, joined };
    bpe->joined[rank] = joined;
    return 0;
}

static int load_merges(struct bpe *bpe, const struct sp_vocab *vocab, const json_t *merges, const char *path)
{
    size_t count = json_array_size(merges), places = 16;
    uint32_t rank = 0;

    if (!json_is_array(merges) || count > MERGES_MAX)
        return sp_error(SP_EFORMAT, "%s: \"merges\" is not a list of at most %zu pairs of tokens", path, MERGES_MAX);
    while (places < 2 * count)
        places *= 2;
    bpe->mask = places - 1;
    bpe->merges = sp_calloc(places, sizeof *bpe->merges);
    bpe->joined = sp_calloc(count + 1, sizeof *bpe->joined);
    if (!bpe->merges || !bpe->joined)
        return SP_ENOMEM;
    for (size_t i = 0; i < places; i++)
        bpe->merges[i].left = NONE;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(merges, i);
        const char *text = json_string_value(item);

        if (!text || strncmp(text, "#version", 8) != 0)
            SP_TRY(add_merge(bpe, vocab, item, i, rank++, path));
    }
    return 0;
}

/* ---- loading ---- */

static int get_string(char **out, const json_t *section, const char *key, const char *path)
{
    const char *text = "";

    SP_TRY(sp_json_get_string(&text, section, key, path));
    if (strlen(text) > SP_VOCAB_TOKEN_MAX)
        return sp_error(SP_ELIMIT, "%s: \"%s\" is longer than %d bytes", path, key, SP_VOCAB_TOKEN_MAX);
    *out = sp_strdup(text);
    return *out ? 0 : SP_ENOMEM;
}

static int load_options(struct bpe *bpe, const json_t *section, const char *path)
{
    double dropout = 0;

    SP_TRY(sp_json_get_double(&dropout, section, "dropout", path));
    if (dropout != 0)
        return sp_error(SP_EFORMAT,
                        "%s: \"dropout\" of the model is %g, and only null is supported: the same text would become "
                        "other tokens each time",
                        path, dropout);
    SP_TRY(sp_json_get_bool(&bpe->ignore_merges, section, "ignore_merges", path));
    SP_TRY(sp_json_get_bool(&bpe->byte_fallback, section, "byte_fallback", path));
    SP_TRY(sp_json_get_bool(&bpe->fuse_unk, section, "fuse_unk", path));
    SP_TRY(get_string(&bpe->prefix, section, "continuing_subword_prefix", path));
    return get_string(&bpe->suffix, section, "end_of_word_suffix", path);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct bpe *bpe = sp_calloc(1, sizeof *bpe);
    const char *unk = NULL;
    int rc = bpe ? 0 : SP_ENOMEM;

    *state = NULL;
    SP_GO(rc);
    SP_GO(load_options(bpe, section, path));
    SP_GO(sp_json_get_string(&unk, section, "unk_token", path));
    SP_GO(sp_vocab_load(vocab, json_object_get(section, "vocab"), path));
    SP_GO(load_merges(bpe, vocab, json_object_get(section, "merges"), path));
    bpe->has_unk = unk != NULL;
    bpe->unk = unk ? sp_vocab_find(vocab, unk) : SP_TOKEN_NONE;
    vocab->unknown = bpe->unk;
    for (unsigned i = 0; i < 256; i++) {
        char name[8];

        snprintf(name, sizeof name, "<0x%02X>", i);
        bpe->bytes[i] = sp_vocab_find(vocab, name);
    }
    *state = bpe;
out:
    if (rc < 0)
        release(bpe);
    return rc;
}

/* ---- a word's symbols ---- */

struct symbol {
    uint32_t id, previous, next; /* NONE at the ends */
    bool gone;                   /* joined to the one on its left */
};

/* What a word is worked on with, in the scratch's memory. */
struct word {
    const struct bpe *bpe;
    struct symbol *symbols;
    uint64_t *heap;        /* of pairs that may be joined: rank << 32 | the left one's place */
    size_t count, waiting; /* of symbols, of pairs */
    uint64_t *first;       /* the pairs of a long word's characters, sorted; from `sorted` on they wait, too */
    size_t pairs, sorted;
};

/* A token for a character without one: byte by byte where all its bytes have one, else the unknown one. One that waits
 * may yet be fused with the next; bytes do not make it come before them, as the library has it. */
static int add_unknown(struct word *word, uint32_t *unknown, const char *text, size_t length)
{
    const struct bpe *bpe = word->bpe;
    size_t i = 0;

    while (bpe->byte_fallback && i < length && bpe->bytes[(unsigned char)text[i]] != SP_TOKEN_NONE)
        i++;
    if (bpe->byte_fallback && i == length) {
        for (i = 0; i < length; i++)
            word->symbols[word->count++].id = bpe->bytes[(unsigned char)text[i]];
    } else if (bpe->has_unk) {
        if (bpe->unk == SP_TOKEN_NONE)
            return sp_error(SP_EFORMAT,
                            "the tokenizer has no token for \"%.*s\", and its \"unk_token\" is not in its vocabulary",
                            (int)(length < 60 ? length : 60), text);
        if (*unknown != NONE && !bpe->fuse_unk)
            word->symbols[word->count++].id = *unknown;
        *unknown = bpe->unk;
    }
    return 0;
}

/* The characters' tokens. */
static int add_characters(struct word *word, const struct sp_vocab *vocab, const char *text, size_t length)
{
    const char *prefix = word->bpe->prefix, *suffix = word->bpe->suffix;
    char token[2 * SP_VOCAB_TOKEN_MAX + 8];
    uint32_t unknown = NONE;
    size_t step;

    for (size_t at = 0; at < length; at += step) {
        uint32_t c, hash = SP_VOCAB_HASH, id;
        size_t before = at ? strlen(prefix) : 0, behind, whole;

        step = sp_text_decode(&c, text + at, length - at);
        behind = at + step == length ? strlen(suffix) : 0;
        whole = before + step + behind;
        memcpy(token, prefix, before);
        memcpy(token + before, text + at, step);
        memcpy(token + before + step, suffix, behind);
        for (size_t i = 0; i < whole; i++)
            hash = sp_vocab_hash(hash, token[i]);
        id = sp_vocab_find_hashed(vocab, hash, "", 0, token, whole);
        if (id == SP_TOKEN_NONE) {
            SP_TRY(add_unknown(word, &unknown, token, whole));
            continue;
        }
        if (unknown != NONE)
            word->symbols[word->count++].id = unknown;
        unknown = NONE;
        word->symbols[word->count++].id = id;
    }
    if (unknown != NONE)
        word->symbols[word->count++].id = unknown;
    return 0;
}

/* ---- merging ---- */

#define LONG 4096 /* characters, from which sorting once is faster than a heap of them all */
#define ARITY 4 /* that many pairs lie together in the cache: in a long word its misses are what takes time */

static void sift_down(uint64_t *heap, size_t count, size_t at)
{
    uint64_t moved = heap[at];
    size_t first;

    while ((first = ARITY * at + 1) < count) {
        size_t end = first + ARITY < count ? first + ARITY : count, child = first;

        for (size_t i = first + 1; i < end; i++)
            child = heap[i] < heap[child] ? i : child;
        if (moved <= heap[child])
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void push(struct word *word, uint64_t pair)
{
    size_t at = word->waiting++;

    while (at && word->heap[(at - 1) / ARITY] > pair) {
        word->heap[at] = word->heap[(at - 1) / ARITY];
        at = (at - 1) / ARITY;
    }
    word->heap[at] = pair;
}

/* Whether the symbol and the next one may be joined. */
static bool can_join(uint64_t *pair, const struct word *word, uint32_t at)
{
    uint32_t next = word->symbols[at].next;
    const struct merge *merge;

    if (next == NONE)
        return false;
    merge = find_merge(word->bpe, word->symbols[at].id, word->symbols[next].id);
    if (merge->left == NONE)
        return false;
    *pair = (uint64_t)merge->rank << 32 | at;
    return true;
}

static void join(struct word *word, uint32_t at, uint32_t joined)
{
    struct symbol *left = &word->symbols[at], *right = &word->symbols[left->next];
    uint64_t pair;

    left->id = joined;
    left->next = right->next;
    right->gone = true;
    if (right->next != NONE)
        word->symbols[right->next].previous = at;
    if (left->previous != NONE && can_join(&pair, word, left->previous))
        push(word, pair);
    if (can_join(&pair, word, at))
        push(word, pair);
}

enum { DIGIT = 12, DIGITS = 2 }; /* ranks are below MERGES_MAX */

/* By rank, of one by place, as they come. */
static void sort_pairs(uint64_t *pairs, uint64_t *room, size_t count)
{
    for (unsigned shift = 32; shift < 32 + DIGITS * DIGIT; shift += DIGIT) {
        size_t places[1 << DIGIT] = { 0 }, before = 0;
        uint64_t *from = pairs;

        for (size_t i = 0; i < count; i++)
            places[from[i] >> shift & ((1 << DIGIT) - 1)]++;
        for (size_t i = 0; i < 1 << DIGIT; i++) {
            size_t here = places[i];

            places[i] = before;
            before += here;
        }
        for (size_t i = 0; i < count; i++)
            room[places[from[i] >> shift & ((1 << DIGIT) - 1)]++] = from[i];
        pairs = room;
        room = from;
    }
}

/* The next pair: of those that the word began with, or of those that came since. */
static bool pop(uint64_t *pair, struct word *word)
{
    if (word->sorted < word->pairs && (!word->waiting || word->first[word->sorted] < word->heap[0])) {
        *pair = word->first[word->sorted++];
        return true;
    }
    if (!word->waiting)
        return false;
    *pair = word->heap[0];
    word->heap[0] = word->heap[--word->waiting];
    if (word->waiting)
        sift_down(word->heap, word->waiting, 0);
    return true;
}

static void merge_all(struct word *word)
{
    uint64_t best, now;

    for (size_t i = 0; i < word->count; i++) {
        word->symbols[i].previous = i ? (uint32_t)i - 1 : NONE;
        word->symbols[i].next = i + 1 < word->count ? (uint32_t)i + 1 : NONE;
        word->symbols[i].gone = false;
    }
    for (size_t i = 0; i < word->count; i++)
        word->pairs += can_join(&word->first[word->pairs], word, (uint32_t)i);
    if (word->count >= LONG)
        sort_pairs(word->first, word->heap, word->pairs);
    else
        for (size_t i = 0; i < word->pairs; i++)
            push(word, word->first[i]);
    word->sorted = word->count >= LONG ? 0 : word->pairs;
    while (pop(&best, word)) {
        uint32_t at = (uint32_t)best, joined = word->bpe->joined[best >> 32];

        /* as in the library, a pair that has come since to the same place and gives the same token will do */
        if (!word->symbols[at].gone && can_join(&now, word, at) && word->bpe->joined[now >> 32] == joined)
            join(word, at, joined);
    }
}

/* Room for the symbols of a word and for the pairs: a join takes one away and brings two at most, beside the first. */
static int reserve(struct word *word, struct sp_buf *memory, size_t count)
{
    size_t symbols, pairs, bytes;
    char *data;

    if (!sp_mul(count, sizeof *word->symbols, &symbols) || !sp_mul(3 * count, sizeof *word->heap, &pairs) ||
        !sp_add(symbols, pairs + 2 * sizeof(uint64_t), &bytes))
        return sp_error(SP_ELIMIT, "a word of %zu characters is too long", count);
    if (memory->capacity < bytes) {
        data = sp_realloc(memory->data, bytes, 1);
        if (!data)
            return SP_ENOMEM;
        memory->data = data;
        memory->capacity = bytes;
    }
    word->heap = (uint64_t *)(void *)memory->data;
    word->first = word->heap + 2 * count;
    word->symbols = (struct symbol *)(void *)(memory->data + pairs);
    return 0;
}

static int encode(const void *state, const struct sp_vocab *vocab, struct sp_scratch *scratch, struct sp_ids *ids,
                  const char *text, size_t length)
{
    const struct bpe *bpe = state;
    struct word word = { .bpe = bpe };

    if (bpe->ignore_merges) {
        uint32_t hash = SP_VOCAB_HASH, id;

        for (size_t i = 0; i < length; i++)
            hash = sp_vocab_hash(hash, text[i]);
        id = sp_vocab_find_hashed(vocab, hash, "", 0, text, length);
        if (id != SP_TOKEN_NONE)
            return sp_ids_add(ids, id);
    }
    /* a character is a token for each of its bytes at most, and the first and last have what is put to them */
    SP_TRY(reserve(&word, &scratch->model, length * (1 + strlen(bpe->prefix)) + strlen(bpe->suffix) + 1));
    SP_TRY(add_characters(&word, vocab, text, length));
    merge_all(&word);
    for (size_t i = 0; i < word.count; i++)
        if (!word.symbols[i].gone)
            SP_TRY(sp_ids_add(ids, word.symbols[i].id));
    return 0;
}

const struct sp_stage sp_stage_model_bpe = {
    .slot = "model",
    .type = "BPE",
    .load = load,
    .free = release,
    .encode = encode,
};
