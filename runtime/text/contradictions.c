#include "runtime/text/contradictions.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 500   /* bytes of a list in a message */
#define LIST_FULL 200  /* after which nothing is added to it */

/* ---- tokenizer.json and the configuration beside it ---- */

/* What the configuration asks for, as a word, where it says so; else NULL. */
static const char *flag_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) ? "true" : "false" : json_is_null(value) ? "null" : NULL;
}

/* Whether two words for a flag come to the same; null is what `otherwise` says. */
static bool same_flag(const char *a, const char *b, const char *a_otherwise, const char *b_otherwise)
{
    a = strcmp(a, "null") == 0 ? a_otherwise : a;
    b = strcmp(b, "null") == 0 ? b_otherwise : b;
    return strcmp(a, b) == 0;
}

/* transformers follows the configuration, the tokenizers library tokenizer.json, and so do we. What the configuration
 * leaves out is for transformers what its class for BERT has (the last word of three). */
static void warn_of_flags(const json_t *json, const json_t *config, bool is_bert, const char *path)
{
    static const char *const pairs[][3] = { { "lowercase", "do_lower_case", "true" },
                                            { "strip_accents", "strip_accents", "null" },
                                            { "handle_chinese_chars", "tokenize_chinese_chars", "true" } };
    const json_t *normalizer = json_object_get(json, "normalizer");
    const json_t *parts = json_object_get(normalizer, "normalizers");
    bool none = !normalizer || json_is_null(normalizer); /* leaves texts as they are */
    const char *lowers, *asked;

    if (json_array_size(parts) == 1)
        normalizer = json_array_get(parts, 0);
    lowers = none ? "false" : flag_of(normalizer, "lowercase");
    asked = flag_of(config, "do_lower_case");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *has = none ? "false" : flag_of(normalizer, pairs[i][0]), *wanted = flag_of(config, pairs[i][1]);
        bool accents = i == 1; /* stripped, where that is null, with the case */
        bool left_out = !wanted && is_bert && !none;

        wanted = left_out ? pairs[i][2] : wanted;

        if (!has || !wanted || (accents && strcmp(has, "null") == 0 && strcmp(wanted, "null") == 0) ||
            same_flag(has, wanted, accents && lowers ? lowers : "true", accents && asked ? asked : "true"))
            continue;
        sp_log(SP_LOG_WARNING,
               "%s has %s\"%s\": %s%s and is followed; tokenizer_config.json beside it has %s\"%s\": %s", path,
               none ? "no \"normalizer\", which is as " : "", pairs[i][0], has, none ? "," : "",
               left_out ? "nothing of it, for which transformers takes " : "", pairs[i][1], wanted);
    }
}

/* Tokens that only the configuration names: transformers would add them to those of tokenizer.json. */
static int warn_of_tokens(const json_t *json, const struct sp_tokenizer_config *config, const char *path)
{
    const json_t *list = json_object_get(json, "added_tokens");
    json_t *known = json_object(), *token;
    struct sp_buf missing = SP_BUF(LIST_MAX);
    const char *name;
    int rc = known ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        name = json_string_value(json_object_get(json_array_get(list, i), "content"));
        rc = name && json_object_set_new(known, name, json_true()) < 0 ? SP_ENOMEM : 0;
    }
    json_object_foreach (config->tokens, name, token)
        if (!json_object_get(known, name) && !json_object_get(token, "implied") && missing.length < LIST_FULL)
            (void)sp_buf_printf(&missing, "%s\"%.100s\"", missing.length ? ", " : "", name);
    if (rc == 0 && missing.length)
        sp_log(SP_LOG_WARNING,
               "%s is followed and takes %s apart like any text; the configuration beside it names what is no token "
               "there",
               path, missing.data);
    json_decref(known);
    sp_buf_free(&missing);
    return rc;
}

/* ---- ids ---- */

/* Adds "a" and "b" (5) to a list. */
static void add_pair(struct sp_buf *list, const char *a, const char *b, json_int_t id)
{
    if (list->length < LIST_FULL)
        (void)sp_buf_printf(list, "%s\"%.60s\" and \"%.60s\" (%lld)", list->length ? ", " : "", a, b, (long long)id);
}

/* The token that has the id in `owners`, {"30522": "<x>"}; where none has it, it is `name`'s from then on. */
static const char *owner_of(json_t *owners, json_int_t id, const char *name)
{
    char key[24];
    const char *owner;

    snprintf(key, sizeof key, "%lld", (long long)id);
    owner = json_string_value(json_object_get(owners, key));
    if (name && !owner)
        json_object_set_new(owners, key, json_string(name));
    return owner;
}

/* Added tokens that the vocabulary has with another id, which counts, and two tokens with one id. */
static int warn_of_ids(const json_t *json, const char *path, const char *ids_path)
{
    json_t *list = json_object_get(json, "added_tokens"),
           *vocab = json_object_get(json_object_get(json, "model"), "vocab");
    json_t *owners = json_object(), *value;
    struct sp_buf moved = SP_BUF(LIST_MAX), shared = SP_BUF(LIST_MAX);
    const char *name, *owner;
    size_t i;

    if (!owners)
        return SP_ENOMEM;
    json_array_foreach (list, i, value) {
        json_int_t id = json_integer_value(json_object_get(value, "id"));
        const json_t *known;

        name = json_string_value(json_object_get(value, "content"));
        known = name ? json_object_get(vocab, name) : NULL;
        if (known && json_integer_value(known) != id && moved.length < LIST_FULL)
            (void)sp_buf_printf(&moved, "%s\"%.60s\" (%lld, not %lld)", moved.length ? ", " : "", name,
                                (long long)json_integer_value(known), (long long)id);
        else if (name && !known && (owner = owner_of(owners, id, name)) && strcmp(owner, name) != 0)
            add_pair(&shared, owner, name, id);
    }
    json_object_foreach (json_object_size(owners) ? vocab : NULL, name, value)
        if ((owner = owner_of(owners, json_integer_value(value), NULL)))
            add_pair(&shared, owner, name, json_integer_value(value));
    if (moved.length)
        sp_log(SP_LOG_WARNING, "%s gives \"added_tokens\" other ids than its vocabulary, which is followed: %s", path,
               moved.data);
    if (shared.length)
        sp_log(SP_LOG_WARNING, "%s gives a token the id of another, so that the model cannot tell them apart: %s",
               ids_path, shared.data);
    json_decref(owners);
    sp_buf_free(&moved);
    sp_buf_free(&shared);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const json_int_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Two words of the vocabulary with one id. */
static int warn_of_words(json_t *vocab, const char *path)
{
    size_t count = json_object_size(vocab), n = 0;
    json_int_t *ids = sp_calloc(count, sizeof *ids), twice = -1;
    const char *name, *first = NULL;
    json_t *value;

    if (!ids)
        return SP_ENOMEM;
    json_object_foreach (vocab, name, value)
        ids[n++] = json_integer_value(value);
    qsort(ids, count, sizeof *ids, by_value);
    for (size_t i = 1; i < count && twice < 0; i++)
        twice = ids[i] == ids[i - 1] ? ids[i] : -1;
    free(ids);
    json_object_foreach (twice >= 0 ? vocab : NULL, name, value) {
        if (json_integer_value(value) != twice)
            continue;
        if (first) {
            sp_log(SP_LOG_WARNING,
                   "%s: \"vocab\" gives \"%.60s\" and \"%.60s\" one id, %lld, so that the model cannot tell them apart",
                   path, first, name, (long long)twice);
            break;
        }
        first = name;
    }
    return 0;
}

static void warn_of_special(const json_t *vocab, const char *name, const json_t *id, const char *path)
{
    const json_t *known = name ? json_object_get(vocab, name) : NULL;

    if (json_is_integer(id) && json_is_integer(known) && json_integer_value(known) != json_integer_value(id))
        sp_log(SP_LOG_WARNING,
               "%s: \"post_processor\" gives \"%.60s\" the id %lld, and \"vocab\" %lld; in sequences the first is "
               "followed, in texts the second",
               path, name, (long long)json_integer_value(id), (long long)json_integer_value(known));
}

/* The post-processor has ids of its own: {"cls": ["[CLS]", 101]}, or
 * {"special_tokens": {"[CLS]": {"ids": [101], "tokens": ["[CLS]"]}}}. */
static void warn_of_specials(const json_t *json, const json_t *vocab, const char *path)
{
    static const char *const keys[] = { "cls", "sep" };
    const json_t *post = json_object_get(json, "post_processor");
    const char *name;
    json_t *token;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *pair = json_object_get(post, keys[i]);

        warn_of_special(vocab, json_string_value(json_array_get(pair, 0)), json_array_get(pair, 1), path);
    }
    json_object_foreach (json_object_get(post, "special_tokens"), name, token)
        for (size_t i = 0; i < json_array_size(json_object_get(token, "ids")); i++)
            warn_of_special(vocab, json_string_value(json_array_get(json_object_get(token, "tokens"), i)),
                            json_array_get(json_object_get(token, "ids"), i), path);
}

/* The token that the post-processor puts first or last; NULL where it is no special one. */
static const char *token_around(const json_t *post, const char *key, bool last)
{
    const json_t *pair = json_object_get(post, key), *single = json_object_get(post, "single");
    size_t count = json_array_size(single);
    const json_t *piece = json_array_get(single, last && count ? count - 1 : 0);

    return json_string_value(pair ? json_array_get(pair, 0)
                                  : json_object_get(json_object_get(piece, "SpecialToken"), "id"));
}

/* The token that words without one become: Unigram's by its place in the list, others' by name. */
static const char *unknown_of(const json_t *model)
{
    const json_t *vocab = json_object_get(model, "vocab"), *name = json_object_get(model, "unk_token");
    json_int_t id = json_integer_value(json_object_get(model, "unk_id"));

    if (json_is_array(vocab))
        name = json_array_get(json_array_get(vocab, (size_t)id), 0);
    else if (!name)
        return "[UNK]";
    return json_string_value(name);
}

/* transformers 5 takes the tokens that the configuration names, transformers 4 those of tokenizer.json. */
static void warn_of_named(const json_t *json, const struct sp_tokenizer_config *config, const char *path)
{
    const json_t *post = json_object_get(json, "post_processor"), *model = json_object_get(json, "model");
    const struct {
        const char *key, *has, *does, *where;
        enum sp_special_token which;
    } named[] = {
        { "cls_token", token_around(post, "cls", false), "puts", " around texts", SP_TOKEN_CLS },
        { "sep_token", token_around(post, "sep", true), "puts", " around texts", SP_TOKEN_SEP },
        { "unk_token", unknown_of(model), "gives unknown words the token", "", SP_TOKEN_UNK },
    };

    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        const char *wanted = config->names[named[i].which];
        bool given = json_object_get(config->config, named[i].key) || json_object_get(config->map, named[i].key);

        if (named[i].has && wanted && given && strcmp(named[i].has, wanted) != 0)
            sp_log(SP_LOG_WARNING,
                   "%s %s \"%.60s\"%s and is followed; the configuration beside it has \"%s\": \"%.60s\"", path,
                   named[i].does, named[i].has, named[i].where, named[i].key, wanted);
    }
}

int sp_contradictions_warn(const json_t *definition, const struct sp_tokenizer_config *config, const char *path)
{
    json_t *vocab = json_object_get(json_object_get(definition, "model"), "vocab");

    SP_TRY(warn_of_ids(definition, path, config->has_definition ? path : config->ids_path));
    if (!config->has_definition)
        return 0;
    SP_TRY(warn_of_words(vocab, path));
    warn_of_specials(definition, vocab, path);
    warn_of_named(definition, config, path);
    warn_of_flags(definition, config->config, config->kind == SP_TOKENIZER_BERT, path);
    return warn_of_tokens(definition, config, path);
}
