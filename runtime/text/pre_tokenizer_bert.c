/* BERT's pre-tokenizer: words end at white space, which is dropped, and every punctuation character
 * is a word of its own. */
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"
#include "runtime/text/unicode.h"

enum kind { WORD, SPACE, PUNCTUATION };

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    (void)vocab, (void)section, (void)path;
    *state = NULL;
    return 0;
}

static void release(void *state)
{
    (void)state;
}

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80) {
        if ((c | 0x20) - 'a' < 26 || c - '0' < 10)
            return WORD;
        if (c > ' ' && c < 0x7F) /* the library counts ASCII symbols as punctuation */
            return PUNCTUATION;
    }
    if (sp_text_is_space(c))
        return SPACE;
    return sp_unicode_class(c) == SP_CHAR_PUNCTUATION ? PUNCTUATION : WORD;
}

static int split(const void *state, struct sp_flow *flow, struct sp_piece piece)
{
    size_t start = 0;

    (void)state;
    for (size_t at = 0; at < piece.length;) {
        uint32_t c;
        size_t step = sp_text_decode(&c, piece.text + at, piece.length - at);
        enum kind kind = kind_of(c);

        if (kind == WORD) {
            at += step;
            continue;
        }
        SP_TRY(sp_flow_push(flow, (struct sp_piece){ piece.text + start, at - start, piece.first && start == 0 }));
        if (kind == PUNCTUATION)
            SP_TRY(sp_flow_push(flow, (struct sp_piece){ piece.text + at, step, piece.first && at == 0 }));
        at += step;
        start = at;
    }
    return sp_flow_push(
        flow, (struct sp_piece){ piece.text + start, piece.length - start, piece.first && start == 0 });
}

const struct sp_stage sp_stage_pre_tokenizer_bert = {
    .slot = "pre_tokenizer",
    .type = "BertPreTokenizer",
    .load = load,
    .free = release,
    .split = split,
};
