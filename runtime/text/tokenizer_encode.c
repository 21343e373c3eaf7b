#include "runtime/text/tokenizer.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/tokenizer_priv.h"

#include <stdlib.h>
#include <string.h>

/* Where a text's ids go, and the memory for the steps on the way. */
struct run {
    const struct sp_tokenizer *tokenizer;
    struct sp_scratch *scratch;
    struct sp_ids *ids;
};

static int encode_word(void *context, const char *word, size_t length)
{
    const struct run *run = context;
    const struct sp_tokenizer *t = run->tokenizer;

    return t->model->encode(t->model_state, &t->vocab, run->scratch, run->ids, word, length);
}

static int encode_words(struct run *run, struct sp_piece piece)
{
    return sp_chain_split(&run->tokenizer->pre_tokenizers, run->scratch, piece, encode_word, run);
}

/* Splits the text at the set's tokens; what lies between goes through `rest`. */
static int split(struct run *run, const struct sp_added_set *set, struct sp_piece piece,
                 int (*rest)(struct run *run, struct sp_piece piece))
{
    const struct sp_added_token *token;
    size_t at = 0, done = 0, start, stop;

    while ((token = sp_added_set_next(set, piece.text, piece.length, done, &at, &start, &stop))) {
        if (done < start)
            SP_TRY(rest(run, (struct sp_piece){ piece.text + done, start - done, piece.first && done == 0 }));
        SP_TRY(sp_ids_add(run->ids, token->id));
        done = stop;
    }
    if (done == piece.length)
        return 0;
    return rest(run, (struct sp_piece){ piece.text + done, piece.length - done, piece.first && done == 0 });
}

static bool asks_first(const struct sp_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (chain->stages[i]->asks_first && chain->stages[i]->asks_first(chain->states[i]))
            return true;
    return false;
}

/* Whether the normalizers leave nothing of the `skip` bytes at the text's beginning, and all else as it is without. */
static int loses(bool *out, const struct run *run, struct sp_piece piece, size_t skip)
{
    const struct sp_chain *chain = &run->tokenizer->normalizers;
    const char *part = piece.text;
    size_t length = skip;
    struct sp_buf rest = SP_BUF(SIZE_MAX);
    int rc;

    *out = false;
    SP_TRY(sp_chain_normalize(chain, run->scratch, &part, &length));
    if (length)
        return 0;
    part = piece.text + skip;
    length = piece.length - skip;
    SP_GO(sp_chain_normalize(chain, run->scratch, &part, &length));
    SP_GO(sp_buf_append(&rest, part, length));
    SP_GO(sp_chain_normalize(chain, run->scratch, &piece.text, &piece.length));
    *out = piece.length == rest.length && memcmp(piece.text, rest.data, rest.length) == 0;
out:
    sp_buf_free(&rest);
    return rc;
}

/* For the library, what is left is not what a text begins with where normalizers have removed that, of which a few
 * characters are tried. */
static int find_first(bool *first, const struct run *run, struct sp_piece piece)
{
    enum { LOST_MAX = 8 };
    const struct sp_tokenizer *t = run->tokenizer;
    size_t skip = 0;
    bool lost = false;
    uint32_t c;

    *first = piece.first;
    if (!piece.first || !t->normalizers.count || !asks_first(&t->pre_tokenizers))
        return 0;
    for (int i = 0; i < LOST_MAX && skip < piece.length && !lost; i++) {
        skip += sp_text_decode(&c, piece.text + skip, piece.length - skip);
        SP_TRY(loses(&lost, run, piece, skip));
    }
    *first = !lost;
    return 0;
}

static int encode_normalized(struct run *run, struct sp_piece piece)
{
    const struct sp_tokenizer *t = run->tokenizer;

    SP_TRY(find_first(&piece.first, run, piece));
    SP_TRY(sp_chain_normalize(&t->normalizers, run->scratch, &piece.text, &piece.length));
    return split(run, &t->added.normalized, piece, encode_words);
}

/* Replaces *text by a copy in which every ill-formed part is U+FFFD. */
static int repair(struct sp_buf *out, const char **text, size_t *length)
{
    const char *in = *text;
    size_t left = *length;

    sp_buf_clear(out);
    while (left) {
        size_t valid = sp_text_utf8_prefix(in, left);
        uint32_t c;

        SP_TRY(sp_buf_append(out, in, valid));
        in += valid;
        left -= valid;
        if (!left)
            break;
        valid = sp_text_decode(&c, in, left);
        SP_TRY(sp_buf_puts(out, "\xEF\xBF\xBD"));
        in += valid;
        left -= valid;
    }
    *text = out->data;
    *length = out->length;
    return 0;
}

static int encode_text(struct run *run, const char *text, size_t length)
{
    if (length > SP_TOKENIZER_TEXT_MAX)
        return sp_error(SP_ELIMIT, "a text of %zu bytes is longer than the limit of %zu", length,
                        SP_TOKENIZER_TEXT_MAX);
    run->ids->count = 0;
    if (sp_text_utf8_prefix(text, length) < length)
        SP_TRY(repair(&run->scratch->repaired, &text, &length));
    return split(run, &run->tokenizer->added.raw, (struct sp_piece){ text, length, true }, encode_normalized);
}

static int reserve(struct sp_encoding *out, size_t length)
{
    uint32_t *ids;
    uint8_t *types;

    if (length <= out->scratch->capacity)
        return 0;
    length += length / 2;
    ids = sp_realloc(out->ids, length, sizeof *ids);
    if (!ids)
        return SP_ENOMEM;
    out->ids = ids;
    types = sp_realloc(out->types, length, sizeof *types);
    if (!types)
        return SP_ENOMEM;
    out->types = types;
    out->scratch->capacity = length;
    return 0;
}

/* Puts the first, or the last, counts[] ids of the texts where the template wants them. */
static int apply_template(struct sp_encoding *out, const struct sp_template *template,
                          const size_t counts[2], bool last)
{
    size_t length = 0;

    for (size_t i = 0; i < template->count; i++)
        length += template->pieces[i].text < 0 ? 1 : counts[template->pieces[i].text];
    SP_TRY(reserve(out, length));
    out->length = 0;
    for (size_t i = 0; i < template->count; i++) {
        const struct sp_template_piece *piece = &template->pieces[i];
        const uint32_t *ids = piece->text < 0 ? &piece->id : out->scratch->texts[piece->text].data;
        size_t count = piece->text < 0 ? 1 : counts[piece->text];

        if (count) {
            if (piece->text >= 0 && last)
                ids += out->scratch->texts[piece->text].count - count;
            memcpy(out->ids + out->length, ids, count * sizeof *ids);
            memset(out->types + out->length, piece->type, count);
        }
        out->length += count;
    }
    return 0;
}

static int prepare(struct sp_encoding *out)
{
    out->length = out->full_length = 0;
    out->truncated = false;
    if (out->scratch)
        return 0;
    out->scratch = sp_calloc(1, sizeof *out->scratch);
    if (!out->scratch)
        return SP_ENOMEM;
    sp_scratch_init(out->scratch);
    return 0;
}

/* sp_tokenizer_encode by a template of the caller's. */
static int encode(struct sp_encoding *out, const struct sp_tokenizer *t, const struct sp_template *template,
                  const char *text, size_t length, const char *pair, size_t pair_length, size_t max_length)
{
    struct run run = { t, NULL, NULL };
    size_t counts[2] = { 0, 0 };

    if (max_length && max_length < template->specials)
        return sp_error(SP_EINVAL,
                        "a maximum length of %zu tokens has no room for the %zu special tokens",
                        max_length, template->specials);
    SP_TRY(prepare(out));
    run.scratch = out->scratch;
    for (size_t i = 0; i < (pair ? 2 : 1); i++) {
        run.ids = &out->scratch->texts[i];
        SP_TRY(encode_text(&run, i ? pair : text, i ? pair_length : length));
        counts[i] = run.ids->count;
    }
    out->full_length = counts[0] + counts[1] + template->specials;
    if (max_length)
        sp_truncate_longest_first(counts, max_length - template->specials);
    out->truncated = counts[0] + counts[1] + template->specials < out->full_length;
    return apply_template(out, template, counts, t->truncates_left);
}

int sp_tokenizer_encode(struct sp_encoding *out, const struct sp_tokenizer *t, const char *text,
                        size_t length, const char *pair, size_t pair_length, size_t max_length)
{
    return encode(out, t, &t->templates[pair != NULL], text, length, pair, pair_length, max_length);
}

int sp_tokenizer_encode_bare(struct sp_encoding *out, const struct sp_tokenizer *t, const char *text, size_t length)
{
    struct sp_template_piece only = { .text = 0 };

    return encode(out, t, &(struct sp_template){ .pieces = &only, .count = 1 }, text, length, NULL, 0, 0);
}

void sp_encoding_free(struct sp_encoding *encoding)
{
    if (encoding->scratch)
        sp_scratch_release(encoding->scratch);
    free(encoding->scratch);
    free(encoding->ids);
    free(encoding->types);
    memset(encoding, 0, sizeof *encoding);
}
