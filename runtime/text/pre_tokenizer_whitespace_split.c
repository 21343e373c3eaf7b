/* The pre-tokenizer WhitespaceSplit: words end at white space, which is dropped. */
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"

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

static int split(const void *state, struct sp_flow *flow, struct sp_piece piece)
{
    size_t start = 0;

    (void)state;
    for (size_t at = 0, step; at < piece.length; at += step) {
        uint32_t c;

        step = sp_text_decode(&c, piece.text + at, piece.length - at);
        if (!sp_text_is_space(c))
            continue;
        SP_TRY(sp_flow_push(flow, (struct sp_piece){ piece.text + start, at - start, piece.first && start == 0 }));
        start = at + step;
    }
    return sp_flow_push(flow,
                        (struct sp_piece){ piece.text + start, piece.length - start, piece.first && start == 0 });
}

const struct sp_stage sp_stage_pre_tokenizer_whitespace_split = {
    .slot = "pre_tokenizer",
    .type = "WhitespaceSplit",
    .load = load,
    .free = release,
    .split = split,
};
