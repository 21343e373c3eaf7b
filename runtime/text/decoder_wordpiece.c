/* Blanks between words, of which pieces with the prefix go on; and English punctuation tidied up. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/decoding.h"

#include <stdlib.h>
#include <string.h>

struct wordpiece {
    char *prefix;
    int cleanup;
};

static void release(void *state)
{
    struct wordpiece *wordpiece = state;

    if (wordpiece)
        free(wordpiece->prefix);
    free(wordpiece);
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct wordpiece *wordpiece = sp_calloc(1, sizeof *wordpiece);
    const char *prefix = "##";
    int rc = wordpiece ? 0 : SP_ENOMEM;

    (void)vocab;
    *state = NULL;
    SP_GO(rc);
    wordpiece->cleanup = 1;
    SP_GO(sp_json_get_string(&prefix, section, "prefix", path));
    SP_GO(sp_json_get_bool(&wordpiece->cleanup, section, "cleanup", path));
    wordpiece->prefix = sp_strdup(prefix);
    rc = wordpiece->prefix ? 0 : SP_ENOMEM;
    SP_GO(rc);
    *state = wordpiece;
out:
    if (rc < 0)
        release(wordpiece);
    return rc;
}

/* Within a token, as the library does it. */
static int clean_up(struct sp_buf *text, struct sp_buf *spare)
{
    static const char *const pairs[][2] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },           { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },         { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct sp_buf kept = *text;

        sp_buf_clear(spare);
        SP_TRY(sp_decoding_replace(spare, text->data, text->length, pairs[i][0], pairs[i][1]));
        *text = *spare;
        *spare = kept;
    }
    return 0;
}

static int decode(const void *state, struct sp_decoding *decoding, const struct sp_part *part)
{
    struct sp_decoder_memory *memory = sp_decoding_memory(decoding);
    const struct wordpiece *wordpiece = state;
    size_t prefix = strlen(wordpiece->prefix);
    struct sp_part token;
    bool whole;

    if (!part)
        return 0;
    SP_TRY(sp_decoding_token(decoding, part, &token, &whole));
    if (!whole)
        return 0;
    sp_buf_clear(&memory->made);
    if (memory->tokens++) {
        if (token.length >= prefix && memcmp(token.text, wordpiece->prefix, prefix) == 0) {
            token.text += prefix;
            token.length -= prefix;
        } else {
            SP_TRY(sp_buf_puts(&memory->made, " "));
        }
    }
    SP_TRY(sp_buf_append(&memory->made, token.text, token.length));
    if (wordpiece->cleanup && memory->made.length)
        SP_TRY(clean_up(&memory->made, &memory->held));
    return sp_decoding_push(decoding, (struct sp_part){ memory->made.length ? memory->made.data : "",
                                                        memory->made.length, true, true });
}

const struct sp_stage sp_stage_decoder_wordpiece = {
    .slot = "decoder",
    .type = "WordPiece",
    .load = load,
    .free = release,
    .decode = decode,
};
