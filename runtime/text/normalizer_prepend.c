/* The normalizer Prepend: puts a string before every text that is not empty. */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/stage.h"

#include <stdlib.h>

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    const char *prepend = NULL;

    (void)vocab;
    SP_TRY(sp_json_get_string(&prepend, section, "prepend", path));
    if (!prepend)
        return sp_error(SP_EFORMAT, "%s: the normalizer Prepend has no \"prepend\", a string", path);
    *state = sp_strdup(prepend);
    return *state ? 0 : SP_ENOMEM;
}

static int normalize(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)marks;
    if (length)
        SP_TRY(sp_buf_puts(out, state));
    return sp_buf_append(out, text, length);
}

const struct sp_stage sp_stage_normalizer_prepend = {
    .slot = "normalizer",
    .type = "Prepend",
    .load = load,
    .free = free,
    .normalize = normalize,
};
