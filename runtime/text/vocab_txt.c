#include "runtime/text/vocab_txt.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX ((size_t)16 << 20)
#define VOCAB_MAX ((size_t)64 << 20)

static const char *const keys[SP_TOKEN_SPECIALS] = { "pad_token", "unk_token", "cls_token",
                                                     "sep_token", "mask_token" };
static const char *const defaults[SP_TOKEN_SPECIALS] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                                         "[MASK]" };

/* Loads model_dir/name; leaves *out NULL where there is no such file. */
static int load_optional(json_t **out, const char *model_dir, const char *name)
{
    char *path = sp_fs_join(model_dir, name);
    int rc = 0;

    *out = NULL;
    if (!path)
        return SP_ENOMEM;
    if (sp_fs_exists(path))
        rc = sp_json_load(out, path, CONFIG_MAX);
    free(path);
    return rc;
}

/* A special token is given as "[PAD]" or as {"content": "[PAD]", ...}; NULL where it is not given.
 */
static const char *special_name(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

int sp_special_names(const char *names[SP_TOKEN_SPECIALS], json_t **config, json_t **map,
                     const char *model_dir)
{
    *map = NULL;
    SP_TRY(load_optional(config, model_dir, "tokenizer_config.json"));
    SP_TRY(load_optional(map, model_dir, "special_tokens_map.json"));
    for (size_t i = 0; i < SP_TOKEN_SPECIALS; i++) {
        names[i] = special_name(*config, keys[i]);
        if (!names[i])
            names[i] = special_name(*map, keys[i]);
        if (!names[i])
            names[i] = defaults[i];
    }
    return 0;
}

/* One token a line, its number the id; of equal lines the last one counts. */
static int read_vocab(json_t *vocab, const char *path)
{
    char *text = NULL, *end, *line;
    size_t length, number = 0;
    int rc = 0;

    SP_GO(sp_fs_read(&text, &length, path, VOCAB_MAX));
    end = text + length;
    for (line = text; line < end; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t bytes = (size_t)((stop ? stop : end) - line);
        size_t kept = bytes && line[bytes - 1] == '\r' ? bytes - 1 : bytes;

        line[kept] = '\0';
        if (strlen(line) != kept ||
            json_object_set_new(vocab, line, json_integer((json_int_t)number)) < 0)
            SP_GO(sp_error(SP_EFORMAT, "%s:%zu: the token is not valid UTF-8", path, number + 1));
        line += bytes + (stop != NULL);
    }
out:
    free(text);
    return rc;
}

static int refuse_added_tokens(const char *model_dir)
{
    json_t *added;
    size_t count;

    SP_TRY(load_optional(&added, model_dir, "added_tokens.json"));
    count = json_object_size(added);
    json_decref(added);
    if (count)
        return sp_error(
            SP_EFORMAT,
            "%s has vocab.txt and an added_tokens.json with %zu tokens, which is supported only "
            "with a "
            "tokenizer.json: load and save the tokenizer once with a current transformers",
            model_dir, count);
    return 0;
}

static json_t *added_token(long long id, const char *content)
{
    return json_pack("{s:I, s:s, s:b}", "id", (json_int_t)id, "content", content, "special", 1);
}

/* The special tokens and those of tokenizer_config.json's added_tokens_decoder {"id": {"content":
 * ...}}. */
static int list_added_tokens(json_t *list, const json_t *vocab,
                             const char *const names[SP_TOKEN_SPECIALS], json_t *decoder,
                             const char *path)
{
    const char *id;
    json_t *token;

    for (size_t i = 0; i < SP_TOKEN_SPECIALS; i++) {
        const json_t *known = json_object_get(vocab, names[i]);

        if (!known && i != SP_TOKEN_PAD && i != SP_TOKEN_MASK)
            return sp_error(SP_EFORMAT, "%s: the special token \"%s\" is not in the vocabulary",
                            path, names[i]);
        if (known &&
            json_array_append_new(list, added_token(json_integer_value(known), names[i])) < 0)
            return SP_ENOMEM;
    }
    json_object_foreach (decoder, id, token) {
        json_t *copy = json_copy(token);
        long long number;
        bool good =
            sp_text_int(id, &number) && json_object_set_new(copy, "id", json_integer(number)) == 0;

        if (json_array_append_new(list, copy) < 0 || !good)
            return sp_error(SP_EFORMAT,
                            "%s: the tokenizer's \"added_tokens_decoder\" is malformed at \"%s\"",
                            path, id);
    }
    return 0;
}

/* A copy of config[key], or json null. */
static json_t *option(const json_t *config, const char *key)
{
    json_t *value = json_object_get(config, key);

    return value ? json_incref(value) : json_null();
}

int sp_vocab_txt_load(json_t **out, const char *model_dir, const char *vocab_path)
{
    const char *names[SP_TOKEN_SPECIALS];
    json_t *config = NULL, *map = NULL, *vocab = json_object(), *added = json_array();
    int rc = 0;

    *out = NULL;
    SP_GO(refuse_added_tokens(model_dir));
    SP_GO(sp_special_names(names, &config, &map, model_dir));
    SP_GO(read_vocab(vocab, vocab_path));
    SP_GO(list_added_tokens(added, vocab, names, json_object_get(config, "added_tokens_decoder"),
                            vocab_path));
    /* clang-format off */
    *out = json_pack("{s:O, s:{s:s, s:o, s:o, s:o}, s:{s:s}, s:{s:s, s:s, s:O},"
                     " s:{s:s, s:[s, O], s:[s, O]}}",
                     "added_tokens", added,
                     "normalizer", "type", "BertNormalizer",
                     "lowercase", option(config, "do_lower_case"),
                     "handle_chinese_chars", option(config, "tokenize_chinese_chars"),
                     "strip_accents", option(config, "strip_accents"),
                     "pre_tokenizer", "type", "BertPreTokenizer",
                     "model", "type", "WordPiece", "unk_token", names[SP_TOKEN_UNK], "vocab", vocab,
                     "post_processor", "type", "BertProcessing",
                     "cls", names[SP_TOKEN_CLS], json_object_get(vocab, names[SP_TOKEN_CLS]),
                     "sep", names[SP_TOKEN_SEP], json_object_get(vocab, names[SP_TOKEN_SEP]));
    /* clang-format on */
    if (!*out)
        rc = SP_ENOMEM;
out:
    json_decref(config);
    json_decref(map);
    json_decref(vocab);
    json_decref(added);
    return rc;
}
