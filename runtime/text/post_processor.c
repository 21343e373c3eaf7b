#include "runtime/text/post_processor.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/text/tokenizer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 64

static int add(struct sp_template *out, struct sp_template_piece piece, const char *path)
{
    if (!out->pieces && !(out->pieces = sp_calloc(PIECES_MAX, sizeof *out->pieces)))
        return SP_ENOMEM;
    if (out->count == PIECES_MAX)
        return sp_error(SP_ELIMIT, "%s: a template of \"post_processor\" has more than %d pieces",
                        path, PIECES_MAX);
    out->pieces[out->count++] = piece;
    out->specials += piece.text < 0;
    return 0;
}

static int add_special(struct sp_template *out, long long id, uint8_t type, const char *path)
{
    if (id < 0 || id > SP_VOCAB_ID_MAX)
        return sp_error(SP_EFORMAT,
                        "%s: \"post_processor\" names a token id that is not from 0 to %lld", path,
                        SP_VOCAB_ID_MAX);
    return add(out, (struct sp_template_piece){ -1, (uint32_t)id, type }, path);
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}} or {"Sequence": {"id": "A", "type_id": 0}} */
static int load_piece(struct sp_template *out, const json_t *item, const json_t *specials,
                      int texts, const char *path)
{
    const json_t *special = json_object_get(item, "SpecialToken"),
                 *body = special ? special : json_object_get(item, "Sequence");
    const json_t *ids;
    const char *name = "";
    long long type = 0;

    SP_TRY(sp_json_get_string(&name, body, "id", path));
    SP_TRY(sp_json_get_int(&type, body, "type_id", path));
    if (type < 0 || type > UINT8_MAX)
        return sp_error(SP_EFORMAT, "%s: \"post_processor\" has a type_id that is not from 0 to %d",
                        path, UINT8_MAX);
    if (!special && strcmp(name, "A") == 0)
        return add(out, (struct sp_template_piece){ 0, 0, (uint8_t)type }, path);
    if (!special && strcmp(name, "B") == 0 && texts == 2)
        return add(out, (struct sp_template_piece){ 1, 0, (uint8_t)type }, path);
    ids = json_object_get(json_object_get(specials, name), "ids");
    if (!special || !json_is_array(ids))
        return sp_error(SP_EFORMAT,
                        "%s: a template of \"post_processor\" names \"%s\", which is neither a "
                        "text nor one of its special tokens",
                        path, name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);

        SP_TRY(add_special(out, json_is_integer(id) ? json_integer_value(id) : -1, (uint8_t)type,
                           path));
    }
    return 0;
}

static int load_template(struct sp_template *out, const json_t *section, const char *key, int texts,
                         const char *path)
{
    const json_t *list = json_object_get(section, key);

    if (!json_is_array(list))
        return sp_error(SP_EFORMAT, "%s: \"post_processor\" has no list \"%s\"", path, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        SP_TRY(load_piece(out, json_array_get(list, i), json_object_get(section, "special_tokens"),
                          texts, path));
    return 0;
}

/* The texts alone. */
static int load_plain(struct sp_template out[2], const char *path)
{
    SP_TRY(add(&out[0], (struct sp_template_piece){ 0, 0, 0 }, path));
    SP_TRY(add(&out[1], (struct sp_template_piece){ 0, 0, 0 }, path));
    return add(&out[1], (struct sp_template_piece){ 1, 0, 1 }, path);
}

static long long id_of(const json_t *section, const char *key)
{
    const json_t *id = json_array_get(json_object_get(section, key), 1);

    return json_is_integer(id) ? json_integer_value(id) : -1;
}

/* {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}. RoBERTa's has a second separator between
 * two texts, and the type 0 for all. */
static int load_bert(struct sp_template out[2], const json_t *section, bool roberta, const char *path)
{
    long long cls = id_of(section, "cls"), sep = id_of(section, "sep");

    for (int pair = 0; pair < 2; pair++) {
        SP_TRY(add_special(&out[pair], cls, 0, path));
        for (int text = 0; text <= pair; text++) {
            uint8_t type = (uint8_t)(roberta ? 0 : text);

            if (text && roberta)
                SP_TRY(add_special(&out[pair], sep, type, path));
            SP_TRY(add(&out[pair], (struct sp_template_piece){ text, 0, type }, path));
            SP_TRY(add_special(&out[pair], sep, type, path));
        }
    }
    return 0;
}

/* Loads a kind that puts tokens around the texts, or parts of a Sequence, of which one may do so; ByteLevel only moves
 * the places of tokens in the text. */
static int load(struct sp_template out[2], const json_t *section, const char *path, int depth)
{
    const json_t *parts = json_object_get(section, "processors");
    const char *type = "(none)";

    SP_TRY(sp_json_get_string(&type, section, "type", path));
    if (strcmp(type, "ByteLevel") == 0)
        return 0;
    if (strcmp(type, "Sequence") == 0 && json_is_array(parts) && depth < 8) {
        for (size_t i = 0; i < json_array_size(parts); i++)
            SP_TRY(load(out, json_array_get(parts, i), path, depth + 1));
        return 0;
    }
    if (out[0].count)
        return sp_error(SP_ENOTFOUND,
                        "%s: the tokenizer's \"post_processor\" is a Sequence in which two parts put tokens around "
                        "texts, which is not supported",
                        path);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        return load_bert(out, section, type[0] == 'R', path);
    if (strcmp(type, "TemplateProcessing") != 0)
        return sp_error(
            SP_ENOTFOUND,
            "%s: the tokenizer's \"post_processor\" is of type \"%s\", which is not supported; "
            "supported: TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence",
            path, type);
    SP_TRY(load_template(&out[0], section, "single", 1, path));
    return load_template(&out[1], section, "pair", 2, path);
}

int sp_templates_load(struct sp_template out[2], const json_t *section, const char *path)
{
    if (section && !json_is_null(section))
        SP_TRY(load(out, section, path, 0));
    return out[0].count ? 0 : load_plain(out, path);
}

int sp_templates_make(struct sp_template out[2], uint32_t bos, uint32_t eos)
{
    for (int pair = 0; pair < 2; pair++) {
        for (int text = 0; text <= pair; text++) {
            if (bos != SP_TOKEN_NONE)
                SP_TRY(add_special(&out[pair], bos, (uint8_t)text, ""));
            SP_TRY(add(&out[pair], (struct sp_template_piece){ text, 0, (uint8_t)text }, ""));
            if (eos != SP_TOKEN_NONE)
                SP_TRY(add_special(&out[pair], eos, (uint8_t)text, ""));
        }
    }
    return 0;
}

bool sp_templates_equal(const struct sp_template a[2], const struct sp_template b[2])
{
    for (int pair = 0; pair < 2; pair++) {
        if (a[pair].count != b[pair].count)
            return false;
        for (size_t i = 0; i < a[pair].count; i++)
            if (a[pair].pieces[i].text != b[pair].pieces[i].text || a[pair].pieces[i].id != b[pair].pieces[i].id ||
                a[pair].pieces[i].type != b[pair].pieces[i].type)
                return false;
    }
    return true;
}

void sp_template_free(struct sp_template *template)
{
    free(template->pieces);
    memset(template, 0, sizeof *template);
}

void sp_truncate_longest_first(size_t counts[2], size_t room)
{
    bool second_is_shorter = counts[0] > counts[1];
    size_t shorter = counts[second_is_shorter], longer = counts[!second_is_shorter];

    if (shorter + longer <= room)
        return;
    longer = room > shorter ? room - shorter : 0;
    if (longer < shorter) { /* both must give way: halves, the odd one to the longer */
        shorter = room / 2;
        longer = room - shorter;
    }
    counts[second_is_shorter] = shorter;
    counts[!second_is_shorter] = longer;
}
