/* The normalizer Strip: white space goes from the text's beginning and end, or from one of them. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/stage.h"

#include <stdlib.h>

struct strip {
    int left, right;
};

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct strip sides = { 1, 1 }, *strip;

    (void)vocab;
    SP_TRY(sp_json_get_bool(&sides.left, section, "strip_left", path));
    SP_TRY(sp_json_get_bool(&sides.right, section, "strip_right", path));
    *state = strip = sp_calloc(1, sizeof *strip);
    if (!strip)
        return SP_ENOMEM;
    *strip = sides;
    return 0;
}

static int normalize(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    const struct strip *strip = state;
    size_t start = 0, stop = length;
    uint32_t c;

    (void)marks;
    while (strip->left && start < stop) {
        size_t bytes = sp_text_decode(&c, text + start, stop - start);

        if (!sp_text_is_space(c))
            break;
        start += bytes;
    }
    while (strip->right && start < stop) {
        size_t last = stop - 1;

        while (last > start && sp_text_goes_on(text[last]))
            last--;
        sp_text_decode(&c, text + last, stop - last);
        if (!sp_text_is_space(c))
            break;
        stop = last;
    }
    return sp_buf_append(out, text + start, stop - start);
}

const struct sp_stage sp_stage_normalizer_strip = {
    .slot = "normalizer",
    .type = "Strip",
    .load = load,
    .free = free,
    .normalize = normalize,
};
