/* The normalizers NFC, NFD, NFKC and NFKD. */
#include "runtime/text/normal_form.h"

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

#define FORM(name, TYPE, compatibility, composed)                                                                      \
    static int name(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)      \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        return sp_normal_form(out, marks, text, length, compatibility, composed);                                      \
    }                                                                                                                  \
    const struct sp_stage sp_stage_normalizer_##name = {                                                               \
        .slot = "normalizer",                                                                                          \
        .type = TYPE,                                                                                                  \
        .load = load,                                                                                                  \
        .free = release,                                                                                               \
        .normalize = name,                                                                                             \
    };

FORM(nfc, "NFC", false, true)
FORM(nfd, "NFD", false, false)
FORM(nfkc, "NFKC", true, true)
FORM(nfkd, "NFKD", true, false)
