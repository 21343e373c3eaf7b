/*
 * The normalizer Precompiled: SentencePiece's "precompiled_charsmap", in base64 the bytes of a trie, the trie (a double
 * array of 32-bit numbers), and the replacements, each ended by NUL. As the library has it, a grapheme cluster of less
 * than 6 bytes becomes the replacement of the shortest string of the map that it begins with, whatever stands behind
 * that; in others, and where nothing is found, each character is looked up by itself. A map may name places that it
 * does not have: nothing is found there.
 */
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/grapheme.h"
#include "runtime/text/stage.h"

#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

#define CLUSTER_MAX 6 /* bytes; a longer one goes by its characters */

struct precompiled {
    uint8_t *map; /* as decoded, and a NUL */
    size_t units; /* numbers of the trie */
    const char *replacements;
    size_t length; /* of the replacements */
};

static void release(void *state)
{
    struct precompiled *map = state;

    if (map)
        free(map->map);
    free(map);
}

static uint32_t number(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static int decode(struct precompiled *map, const char *text, const char *path)
{
    struct base64_decode_ctx base64;
    size_t length = strlen(text), bytes = BASE64_DECODE_LENGTH(length);

    map->map = sp_calloc(bytes + 1, 1);
    if (!map->map)
        return SP_ENOMEM;
    base64_decode_init(&base64);
    if (!base64_decode_update(&base64, &bytes, map->map, length, text) || !base64_decode_final(&base64))
        return sp_error(SP_EFORMAT, "%s: \"precompiled_charsmap\" is not valid base64: the file may have been cut",
                        path);
    if (bytes >= 4)
        map->units = number(map->map) / 4;
    if (!map->units || map->units > (bytes - 4) / 4)
        return sp_error(SP_EFORMAT,
                        "%s: \"precompiled_charsmap\" has %zu bytes, and they hold no trie of the length that they "
                        "begin with: the file may have been cut",
                        path, bytes);
    map->length = bytes - 4 - 4 * map->units;
    map->replacements = (const char *)map->map + bytes - map->length;
    map->map[bytes] = 0;
    if (sp_text_utf8_prefix(map->replacements, map->length) < map->length)
        return sp_error(SP_EFORMAT, "%s: the replacements in \"precompiled_charsmap\" are no UTF-8", path);
    return 0;
}

static int load(void **state, struct sp_vocab *vocab, const json_t *section, const char *path)
{
    struct precompiled *map = sp_calloc(1, sizeof *map);
    const char *text = NULL;
    int rc = 0;

    (void)vocab;
    *state = NULL;
    if (!map)
        return SP_ENOMEM;
    SP_GO(sp_json_get_string(&text, section, "precompiled_charsmap", path));
    if (!text)
        SP_GO(sp_error(SP_EFORMAT, "%s: the normalizer Precompiled has no \"precompiled_charsmap\", a string", path));
    SP_GO(decode(map, text, path));
    *state = map;
out:
    if (rc < 0)
        release(map);
    return rc;
}

/* The replacement, ended by NUL, of the shortest string of the map that the text begins with, or NULL. */
static const char *find(const struct precompiled *map, const char *text, size_t length)
{
    const uint8_t *units = map->map + 4;
    uint32_t unit = number(units);
    size_t node = 0, place;

    for (size_t i = 0; i < length && text[i]; i++) {
        node ^= (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6) ^ (unsigned char)text[i];
        if (node >= map->units)
            return NULL;
        unit = number(units + 4 * node);
        if ((unit & (1u << 31 | 0xFF)) != (unsigned char)text[i])
            return NULL;
        if (!(unit >> 8 & 1))
            continue;
        node ^= (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
        if (node >= map->units)
            return NULL;
        place = number(units + 4 * node) & 0x7FFFFFFF;
        if (place > map->length || sp_text_goes_on(map->replacements[place])) /* no place that a character begins at */
            return NULL;
        return map->replacements + place;
    }
    return NULL;
}

static int normalize(const void *state, struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length)
{
    const struct precompiled *map = state;
    const char *found;
    uint32_t c;

    (void)marks;
    for (size_t at = 0, cluster; at < length; at += cluster) {
        cluster = sp_grapheme(text + at, length - at);
        if (cluster < CLUSTER_MAX && (found = find(map, text + at, cluster))) {
            SP_TRY(sp_buf_puts(out, found));
            continue;
        }
        for (size_t i = at, bytes; i < at + cluster; i += bytes) {
            bytes = sp_text_decode(&c, text + i, at + cluster - i);
            found = find(map, text + i, bytes);
            SP_TRY(found ? sp_buf_puts(out, found) : sp_buf_append(out, text + i, bytes));
        }
    }
    return 0;
}

const struct sp_stage sp_stage_normalizer_precompiled = {
    .slot = "normalizer",
    .type = "Precompiled",
    .load = load,
    .free = release,
    .normalize = normalize,
};
