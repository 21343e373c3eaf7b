#include "runtime/text/tokenizer_config.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/vocab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX ((size_t)16 << 20)
#define VALUE_SHOWN 60 /* characters of a value in a message */

/* Loads model_dir/name; leaves *out NULL where there is no such file. */
static int load_optional(json_t **out, const char *model_dir, const char *name)
{
    char *path = sp_fs_join(model_dir, name);
    int rc = 0;

    *out = NULL;
    if (!path)
        return SP_ENOMEM;
    if (sp_fs_has_name(path))
        rc = sp_json_load(out, path, CONFIG_MAX);
    if (*out && !sp_json_is_object(*out))
        rc = sp_error(SP_EFORMAT, "%s is not a JSON object", path);
    free(path);
    return rc;
}

/* A value as it stands in the file, or its beginning. */
static void show(char out[VALUE_SHOWN], const json_t *value)
{
    const char *number = sp_json_number_text(value);
    char *text = number ? NULL : json_dumps(value, JSON_ENCODE_ANY);

    snprintf(out, VALUE_SHOWN, "%s", number ? number : text ? text : "?");
    free(text);
}

/* ---- what would give other ids ---- */

/* Classes of transformers, without "Fast": BERT's are those whose vocab.txt its normalizer, pre-tokenizer and WordPiece
 * take apart, the others those whose vocab.json and merges.txt GPT-2's byte-level BPE does. */
static const struct {
    const char *name;
    enum sp_tokenizer_kind kind;
} classes[] = {
    { "BertTokenizer", SP_TOKENIZER_BERT },
    { "ConvBertTokenizer", SP_TOKENIZER_BERT },
    { "DistilBertTokenizer", SP_TOKENIZER_BERT },
    { "DPRContextEncoderTokenizer", SP_TOKENIZER_BERT },
    { "DPRQuestionEncoderTokenizer", SP_TOKENIZER_BERT },
    { "ElectraTokenizer", SP_TOKENIZER_BERT },
    { "LayoutLMTokenizer", SP_TOKENIZER_BERT },
    { "LxmertTokenizer", SP_TOKENIZER_BERT },
    { "MobileBertTokenizer", SP_TOKENIZER_BERT },
    { "RealmTokenizer", SP_TOKENIZER_BERT },
    { "RetriBertTokenizer", SP_TOKENIZER_BERT },
    { "SqueezeBertTokenizer", SP_TOKENIZER_BERT },
    { "GPT2Tokenizer", SP_TOKENIZER_GPT2 },
    { "RobertaTokenizer", SP_TOKENIZER_ROBERTA },
};

static bool is_class(const char *name, const char *class)
{
    size_t length = strlen(class);

    return strncmp(name, class, length) == 0 && (name[length] == '\0' || strcmp(name + length, "Fast") == 0);
}

/* Which class transformers takes for models of a type where no file names one. */
static enum sp_tokenizer_kind kind_of_type(const char *type)
{
    static const struct {
        const char *type;
        enum sp_tokenizer_kind kind;
    } types[] = {
        { "bert", SP_TOKENIZER_BERT },
        { "gpt2", SP_TOKENIZER_GPT2 },
        { "opt", SP_TOKENIZER_GPT2 },
        { "roberta", SP_TOKENIZER_ROBERTA },
    };

    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].kind;
    return SP_TOKENIZER_OTHER;
}

/* Whether a class of that kind reads the file. */
static bool reads(enum sp_tokenizer_kind kind, enum sp_tokenizer_form form)
{
    return form == SP_FORM_TOKENIZER_JSON ||
           (form == SP_FORM_VOCAB_TXT ? kind == SP_TOKENIZER_BERT
                                      : kind == SP_TOKENIZER_GPT2 || kind == SP_TOKENIZER_ROBERTA);
}

/* {"auto_map": {"AutoTokenizer": ["file.Slow", "file.Fast"]}}, or the pair alone in old files: code of the model's own,
 * which its tokenizer is. NULL where there is none. */
static const char *custom_class(const json_t *config)
{
    const json_t *map = json_object_get(config, "auto_map"),
                 *pair = sp_json_is_object(map) ? json_object_get(map, "AutoTokenizer") : map;

    for (size_t i = 0; i < json_array_size(pair); i++)
        if (json_is_string(json_array_get(pair, i)))
            return json_string_value(json_array_get(pair, i));
    return json_string_value(pair);
}

/* Such code is not run. Beside a tokenizer.json it may be what reads that. */
static int check_custom(const char *class, const char *path, bool has_definition)
{
    if (class && !has_definition)
        return sp_error(SP_EFORMAT,
                        "%s: \"auto_map\" names the tokenizer \"%.*s\", Python code of the model's own, which is not "
                        "run. A vocab.txt is read as BertTokenizer does it: remove \"AutoTokenizer\" there if it is "
                        "BERT's WordPiece, or add the tokenizer.json of the same model",
                        path, VALUE_SHOWN, class);
    if (class)
        sp_log(SP_LOG_WARNING,
               "%s: \"auto_map\" names the tokenizer \"%.*s\", Python code of the model's own, which is not run: "
               "tokenizer.json beside it is followed",
               path, VALUE_SHOWN, class);
    return 0;
}

/* What to do about a class, named or by the model's type, whose tokens are not read from the file that is there. */
static const char *instead_of_class(enum sp_tokenizer_form form)
{
    switch (form) {
    case SP_FORM_TOKENIZER_JSON:
        return "Remove the key if tokenizer.json is what the model was trained with";
    case SP_FORM_VOCAB_TXT:
        return "A vocab.txt is read as BertTokenizer does it: write that if it is BERT's WordPiece, or add the "
               "tokenizer.json of the same model";
    default:
        return "A vocab.json with a merges.txt is read as GPT2Tokenizer or RobertaTokenizer does it: write the one "
               "that it is, or add the tokenizer.json of the same model";
    }
}

/* The class, of tokenizer_config.json or else of config.json, must be one that is taken apart as this program does it.
 * Beside a tokenizer.json that file says how, but for the class that never reads it. Where none is named, a vocab.txt
 * is BERT's, and of a vocab.json it is the model's type that says whose. */
static int check_class(struct sp_tokenizer_config *c, const char *model_dir, enum sp_tokenizer_form form)
{
    char *other = sp_fs_join(model_dir, "config.json");
    const char *name = NULL, *path = c->path, *custom, *type;
    json_t *model = NULL;
    int rc = 0;

    SP_GO(other ? sp_json_get_string(&name, c->config, "tokenizer_class", path) : SP_ENOMEM);
    custom = custom_class(c->config);
    if (!name) {
        SP_GO(load_optional(&model, model_dir, "config.json"));
        SP_GO(sp_json_get_string(&name, model, "tokenizer_class", other));
        path = name ? other : path;
    }
    SP_GO(check_custom(custom ? custom : custom_class(model), custom ? c->path : other,
                       form == SP_FORM_TOKENIZER_JSON));
    if (!name) {
        type = json_string_value(json_object_get(model, "model_type"));
        c->kind = kind_of_type(type);
        if (form == SP_FORM_VOCAB_TXT && !reads(c->kind, form))
            c->kind = SP_TOKENIZER_OTHER;
        if (form == SP_FORM_VOCAB_JSON && !reads(c->kind, form))
            rc = sp_error(SP_EFORMAT,
                          "%s names no \"tokenizer_class\", and \"model_type\" in %s is %s%s%s. %s", path, other,
                          type ? "\"" : "", type ? type : "missing", type ? "\"" : "", instead_of_class(form));
        goto out;
    }
    c->no_types = is_class(name, "DistilBertTokenizer");
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (is_class(name, classes[i].name))
            c->kind = classes[i].kind;
    if (!reads(c->kind, form) || strcmp(name, "BertJapaneseTokenizer") == 0)
        rc = sp_error(SP_EFORMAT,
                      "%s: \"tokenizer_class\" is \"%.*s\", which takes texts apart in a way that is not supported. %s",
                      path, VALUE_SHOWN, name, instead_of_class(form));
out:
    c->no_types = c->no_types || c->kind == SP_TOKENIZER_GPT2 || c->kind == SP_TOKENIZER_ROBERTA;
    json_decref(model);
    free(other);
    return rc;
}

/* Keys with the only value that gives the ids that this program gives. */
static int check_keys(const struct sp_tokenizer_config *c, bool has_definition)
{
    static const struct {
        const char *key, *value;
        bool always; /* also beside a tokenizer.json, which says nothing of it */
    } keys[] = {
        { "word_tokenizer_type", "\"basic\"", true },        { "subword_tokenizer_type", "\"wordpiece\"", true },
        { "do_word_tokenize", "true", true },                { "do_subword_tokenize", "true", true },
        { "split_special_tokens", "false", true },           { "do_basic_tokenize", "true", false },
        { "clean_text", "true", false },                     { "wordpieces_prefix", "\"##\"", false },
    };
    static const char *const flags[] = { "do_lower_case", "tokenize_chinese_chars", "strip_accents" };
    char shown[VALUE_SHOWN];
    int flag;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = sp_json_member(c->config, keys[i].key);

        if (!value || (has_definition && !keys[i].always))
            continue;
        show(shown, value);
        if (strcmp(shown, keys[i].value) != 0)
            return sp_error(SP_EFORMAT,
                            "%s: \"%s\" is %s, and only %s is supported: texts would become other tokens than those "
                            "that the model knows. %s",
                            c->path, keys[i].key, shown, keys[i].value,
                            has_definition ? "Remove the key if tokenizer.json is what the model was trained with"
                                           : "Use a model with BERT's own tokenizer");
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        SP_TRY(sp_json_get_bool(&flag, c->config, flags[i], c->path));
    return 0;
}

/* Words that are never taken apart are a list of the slow tokenizers; those that are special tokens are not taken apart
 * anyway. */
static int check_never_split(const struct sp_tokenizer_config *c)
{
    const json_t *list = sp_json_member(c->config, "never_split");

    if (list && !json_is_array(list))
        return sp_error(SP_EFORMAT, "%s: \"never_split\" is not a list", c->path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));

        if (!word || !json_object_get(c->tokens, word))
            return sp_error(SP_EFORMAT,
                            "%s: \"never_split\" is supported for special tokens only, and \"%.*s\" is none: list such "
                            "words under \"additional_special_tokens\"",
                            c->path, VALUE_SHOWN, word ? word : "(not a string)");
    }
    return 0;
}

/* ---- lengths and sides ---- */

/* "model_max_length", or "max_len" of old files. transformers writes int(1e30) for "no limit"; what is no length limits
 * nothing. */
static void read_max_length(struct sp_tokenizer_config *c)
{
    const char *key = sp_json_member(c->config, "model_max_length") ? "model_max_length" : "max_len";
    const json_t *value = sp_json_member(c->config, key);
    const char *number = sp_json_number_text(value);
    double length = number ? strtod(number, NULL) : json_is_number(value) ? json_number_value(value) : NAN;
    char shown[VALUE_SHOWN];

    if (length >= 1) {
        c->max_length = length < SP_TOKENIZER_TEXT_MAX ? (size_t)length : 0;
    } else if (value) {
        show(shown, value);
        sp_log(SP_LOG_WARNING, "%s: \"%s\" is %s, which is no number of tokens; it is not used", c->path, key, shown);
    }
}

static int read_sides(struct sp_tokenizer_config *c)
{
    const json_t *inputs = sp_json_member(c->config, "model_input_names");
    const char *side = NULL;

    SP_TRY(sp_json_get_string(&side, c->config, "truncation_side", c->path));
    c->side_given = side != NULL;
    c->truncates_left = side && strcmp(side, "left") == 0;
    if (side && !c->truncates_left && strcmp(side, "right") != 0)
        return sp_error(SP_EFORMAT, "%s: \"truncation_side\" is \"%.*s\"; expected \"right\" or \"left\"", c->path,
                        VALUE_SHOWN, side);
    if (inputs && !json_is_array(inputs))
        return sp_error(SP_EFORMAT, "%s: \"model_input_names\" is not a list", c->path);
    if (inputs)
        c->no_types = true;
    for (size_t i = 0; i < json_array_size(inputs); i++)
        if (json_is_string(json_array_get(inputs, i)) &&
            strcmp(json_string_value(json_array_get(inputs, i)), "token_type_ids") == 0)
            c->no_types = false;
    return 0;
}

/* What is to stand before and behind each text; a folder that says nothing of it leaves that to tokenizer.json. */
static int read_ends(struct sp_tokenizer_config *c)
{
    int bos = 0, eos = 0;

    SP_TRY(sp_json_get_bool(&bos, c->config, "add_bos_token", c->path));
    SP_TRY(sp_json_get_bool(&eos, c->config, "add_eos_token", c->path));
    c->ends_given = json_object_get(c->config, "add_bos_token") || json_object_get(c->config, "add_eos_token");
    c->adds_bos = bos;
    c->adds_eos = eos;
    return 0;
}

/* ---- tokens ---- */

/* Adds a token, unless it is there; `given` is its object in the file `path`, or anything else for one without flags.
 * Beside a tokenizer.json, which has its own, flags do not count. */
static int add_text(struct sp_tokenizer_config *c, const char *text, const json_t *given, bool special,
                    const char *path)
{
    static const char *const flags[] = { "normalized", "single_word", "lstrip", "rstrip" };
    json_t *token;
    int of_decoder = 0, rc = 0;

    token = text[0] ? json_object_get(c->tokens, text) : NULL;
    if (token && special)
        json_object_set_new(token, "special", json_true());
    if (!text[0] || token)
        return 0;
    if (!c->has_definition && !special)
        SP_TRY(sp_json_get_bool(&of_decoder, given, "special", path));
    token = json_pack("{s:s}", "content", text);
    for (size_t i = 0; rc == 0 && !c->has_definition && i < sizeof flags / sizeof *flags; i++) {
        int flag = i == 0 && !special && !of_decoder;

        rc = sp_json_get_bool(&flag, given, flags[i], path);
        if (rc < 0)
            sp_error_context(rc, "in the token \"%.*s\"", VALUE_SHOWN, text);
        json_object_set_new(token, flags[i], json_boolean(flag));
    }
    json_object_set_new(token, "special", json_boolean(special || of_decoder));
    if (json_object_set_new(c->tokens, text, token) < 0)
        return sp_error(SP_ENOMEM, "out of memory");
    return rc;
}

/* A token is given as "[PAD]" or as {"content": "[PAD]", "lstrip": false, ...}; NULL where it is neither. */
static const char *text_of(const json_t *value)
{
    return json_string_value(sp_json_is_object(value) ? json_object_get(value, "content") : value);
}

/* Adds a token as a file gives it; its text goes to *text, borrowed. */
static int add_token(const char **text, struct sp_tokenizer_config *c, const json_t *value, bool special,
                     const char *key, const char *path)
{
    *text = text_of(value);
    if (!*text)
        return sp_error(SP_EFORMAT,
                        "%s: \"%s\" holds something that is neither a token's text nor an object with its \"content\"",
                        path, key);
    return add_text(c, *text, value, special, path);
}

static int give_id(struct sp_tokenizer_config *c, const char *text, long long id)
{
    const json_t *other;

    if (c->has_definition)
        return 0;
    if (id < 0 || id > SP_VOCAB_ID_MAX)
        return sp_error(SP_EFORMAT, "%s: the id of the token \"%.*s\" is not an integer from 0 to %lld", c->ids_path,
                        VALUE_SHOWN, text, SP_VOCAB_ID_MAX);
    other = json_object_get(json_object_get(c->tokens, text), "id");
    if (other && json_integer_value(other) != id)
        return sp_error(SP_EFORMAT,
                        "%s: the token \"%.*s\" has two ids, %lld and %lld: remove the one that the model was not "
                        "trained with",
                        c->ids_path, VALUE_SHOWN, text, (long long)json_integer_value(other), id);
    return json_object_set_new(json_object_get(c->tokens, text), "id", json_integer(id)) < 0 && text[0] ? SP_ENOMEM : 0;
}

/* tokenizer_config.json's {"30522": {"content": "<x>", ...}}. */
static int add_decoder(struct sp_tokenizer_config *c, json_t *decoder)
{
    static const char key[] = "added_tokens_decoder";
    const char *number, *text;
    json_t *token;

    if (!sp_json_is_object(decoder))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is not an object", c->path, key);
    json_object_foreach (decoder, number, token) {
        long long id;

        if (!sp_text_int(number, &id) || !sp_json_is_object(token))
            return sp_error(SP_EFORMAT, "%s: \"%s\" is malformed at \"%.*s\"", c->path, key, VALUE_SHOWN, number);
        SP_TRY(add_token(&text, c, token, false, key, c->path));
        SP_TRY(give_id(c, text, id));
    }
    return 0;
}

/* added_tokens.json, {"<x>": 30522}, of old folders. */
static int add_encoder(struct sp_tokenizer_config *c, const char *model_dir)
{
    json_t *encoder = NULL, *id;
    const char *text;
    int rc = 0;

    SP_GO(load_optional(&encoder, model_dir, "added_tokens.json"));
    json_object_foreach (encoder, text, id) {
        SP_GO(add_text(c, text, NULL, false, c->ids_path));
        SP_GO(give_id(c, text, json_is_integer(id) ? json_integer_value(id) : -1));
    }
out:
    json_decref(encoder);
    return rc;
}

/* transformers' own tokens, in its order. One that no file names is that of the class; one that is null does not
 * exist. */
static const struct {
    const char *key, *bert, *gpt2, *roberta;
} named[] = {
    [SP_TOKEN_BOS] = { "bos_token", NULL, "<|endoftext|>", "<s>" },
    [SP_TOKEN_EOS] = { "eos_token", NULL, "<|endoftext|>", "</s>" },
    [SP_TOKEN_UNK] = { "unk_token", "[UNK]", "<|endoftext|>", "<unk>" },
    [SP_TOKEN_SEP] = { "sep_token", "[SEP]", NULL, "</s>" },
    [SP_TOKEN_PAD] = { "pad_token", "[PAD]", NULL, "<pad>" },
    [SP_TOKEN_CLS] = { "cls_token", "[CLS]", NULL, "<s>" },
    [SP_TOKEN_MASK] = { "mask_token", "[MASK]", NULL, "<mask>" },
};

static const char *token_of_class(const struct sp_tokenizer_config *c, size_t i)
{
    return c->kind == SP_TOKENIZER_GPT2      ? named[i].gpt2
           : c->kind == SP_TOKENIZER_ROBERTA ? named[i].roberta
                                             : named[i].bert;
}

static int add_named(struct sp_tokenizer_config *c, size_t i)
{
    const char *key = named[i].key, *text;
    const json_t *in_map = sp_json_member(c->map, key), *other = sp_json_member(c->config, key),
                 *value = in_map ? in_map : other;
    bool given = json_object_get(c->config, key) || json_object_get(c->map, key);

    text = given ? NULL : token_of_class(c, i);
    if (value)
        SP_TRY(add_token(&text, c, value, true, key, in_map ? c->map_path : c->path));
    if (in_map && text_of(other) && strcmp(text, text_of(other)) != 0)
        sp_log(SP_LOG_WARNING,
               "%s has \"%s\": \"%s\" and is followed, as transformers does; tokenizer_config.json beside it has "
               "\"%s\"",
               c->map_path, key, text, text_of(other));
    if (text && !given) {
        SP_TRY(add_text(c, text, NULL, true, c->path));
        json_object_set_new(json_object_get(c->tokens, text), "implied", json_true());
    }
    c->names[i] = text;
    return 0;
}

/* The values of a list or an object. */
static int add_all(struct sp_tokenizer_config *c, json_t *values, const char *key, const char *path)
{
    const char *name, *text;
    json_t *value;
    size_t i;

    if (values && !json_is_null(values) && !json_is_array(values) && !sp_json_is_object(values))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is not a list of tokens", path, key);
    json_array_foreach (values, i, value)
        SP_TRY(add_token(&text, c, value, true, key, path));
    json_object_foreach (values, name, value)
        SP_TRY(add_token(&text, c, value, true, key, path));
    return 0;
}

/* Whether transformers 5 takes the key for a token that only some models have, "image_token". */
static bool names_token(const char *key, const json_t *value)
{
    static const char ending[] = "_token";
    size_t length = strlen(key), end = sizeof ending - 1;

    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(key, named[i].key) == 0)
            return false;
    return length > end && strcmp(key + length - end, ending) == 0 &&
           (json_is_string(value) || json_object_get(value, "content"));
}

static int add_further(struct sp_tokenizer_config *c)
{
    static const char *const lists[] = { "additional_special_tokens", "extra_special_tokens",
                                         "model_specific_special_tokens" };
    const char *key, *text;
    json_t *value;

    json_object_foreach (c->config, key, value)
        if (names_token(key, value))
            SP_TRY(add_token(&text, c, value, true, key, c->path));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        SP_TRY(add_all(c, json_object_get(c->config, lists[i]), lists[i], c->path));
        SP_TRY(add_all(c, json_object_get(c->map, lists[i]), lists[i], c->map_path));
    }
    return 0;
}

static int name_tokens(struct sp_tokenizer_config *c)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        SP_TRY(add_named(c, i));
    return add_further(c);
}

/* As transformers reads them: with "added_tokens_decoder" in the configuration, the two older files do not count. */
static int read_tokens(struct sp_tokenizer_config *c, const char *model_dir)
{
    json_t *decoder = json_object_get(c->config, "added_tokens_decoder");

    c->ids_path = sp_fs_join(model_dir, decoder ? "tokenizer_config.json" : "added_tokens.json");
    if (!c->ids_path)
        return SP_ENOMEM;
    if (decoder)
        SP_TRY(add_decoder(c, decoder));
    else
        SP_TRY(load_optional(&c->map, model_dir, "special_tokens_map.json"));
    SP_TRY(name_tokens(c));
    return decoder ? 0 : add_encoder(c, model_dir);
}

int sp_tokenizer_config_load(struct sp_tokenizer_config *out, const char *model_dir, enum sp_tokenizer_form form)
{
    *out = (struct sp_tokenizer_config){ .path = sp_fs_join(model_dir, "tokenizer_config.json"),
                                         .map_path = sp_fs_join(model_dir, "special_tokens_map.json"),
                                         .tokens = json_object(),
                                         .has_definition = form == SP_FORM_TOKENIZER_JSON };
    if (!out->path || !out->map_path || !out->tokens)
        return SP_ENOMEM;
    SP_TRY(load_optional(&out->config, model_dir, "tokenizer_config.json"));
    SP_TRY(check_keys(out, out->has_definition));
    SP_TRY(check_class(out, model_dir, form));
    SP_TRY(read_sides(out));
    SP_TRY(read_ends(out));
    read_max_length(out);
    SP_TRY(read_tokens(out, model_dir));
    return out->has_definition ? 0 : check_never_split(out);
}

int sp_tokenizer_config_take(struct sp_tokenizer_config *out, const json_t *config, const char *path)
{
    *out = (struct sp_tokenizer_config){ .path = sp_strdup(path),
                                         .map_path = sp_strdup(path),
                                         .ids_path = sp_strdup(path),
                                         .config = json_deep_copy(config),
                                         .tokens = json_object(),
                                         .has_definition = true };
    if (!out->path || !out->map_path || !out->ids_path || (config && !out->config) || !out->tokens)
        return SP_ENOMEM;
    SP_TRY(check_keys(out, true));
    SP_TRY(read_sides(out));
    SP_TRY(read_ends(out));
    read_max_length(out);
    return name_tokens(out);
}

void sp_tokenizer_config_free(struct sp_tokenizer_config *config)
{
    free(config->path);
    free(config->map_path);
    free(config->ids_path);
    json_decref(config->config);
    json_decref(config->map);
    json_decref(config->tokens);
    *config = (struct sp_tokenizer_config){ .path = NULL };
}
