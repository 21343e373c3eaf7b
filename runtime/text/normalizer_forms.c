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

static int nfc(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state;
    return sp_normal_form(out, marks, text, length, false, true);
}

static int nfd(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state;
    return sp_normal_form(out, marks, text, length, false, false);
}

static int nfkc(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state;
    return sp_normal_form(out, marks, text, length, true, true);
}

static int nfkd(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    (void)state;
    return sp_normal_form(out, marks, text, length, true, false);
}

#define NORMALIZER(name, function)                                                                                     \
    {                                                                                                                  \
        .slot = "normalizer", .type = name, .load = load, .free = release, .normalize = function                       \
    }

const struct sp_stage sp_stage_normalizer_nfc = NORMALIZER("NFC", nfc);
const struct sp_stage sp_stage_normalizer_nfd = NORMALIZER("NFD", nfd);
const struct sp_stage sp_stage_normalizer_nfkc = NORMALIZER("NFKC", nfkc);
const struct sp_stage sp_stage_normalizer_nfkd = NORMALIZER("NFKD", nfkd);
