/*
 * A GGUF's tokenizer as tokenizer.json would say it. The file has the vocabulary, what kind each token is, and either
 * merges of a byte-level BPE, with the mere name of how texts are taken apart before, or SentencePiece's scores, of
 * which merges are made.
 */
#include "runtime/io/gguf_merges_priv.h"
#include "runtime/io/gguf_model_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_LIMIT (1 << 20)
#define TOKEN_LIMIT 1024 /* bytes */
#define SHOWN 60
#define NONE -1 /* no such id */
#define SPACE "\xE2\x96\x81" /* U+2581, SentencePiece's space */

#define KEY(name) "tokenizer.ggml." name

/* How texts are taken apart, by name; patterns are the families' own. */
static const struct {
    const char *name;
    const char *patterns[5]; /* splits, one after the other; none: GPT-2's own of ByteLevel */
    bool digits; /* single digits are split off first */
    bool nfc, ignores_merges, adds_bos;
} pre_tokenizers[] = {
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
    { "gpt-2", { NULL }, .digits = false },
    { "smollm", { NULL }, .digits = true },
    { "llama-bpe",
      { CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" REST },
      .ignores_merges = true,
      .adds_bos = true },
    { "qwen2", { CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" REST }, .nfc = true },
    { "tekken",
      { "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*|\\p{N}"
        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" },
      .ignores_merges = true,
      .adds_bos = true },
    { "default",
      { "[\\p{P}\\$\\+<=>\\^~\\|]+", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
        "\\p{N}+", "[0-9][0-9][0-9]" },
      .digits = false },
};

/* What is read of, and what comes of it. */
struct reader {
    const struct sp_gguf *file;
    const char *path;
    bool sentencepiece;
    size_t pre; /* of pre_tokenizers */
    struct sp_gguf_array types, scores;
    json_t *vocab; /* token: id */
    json_t *tokens; /* by id */
    long long bos, eos, unknown, padding; /* NONE for none */
    bool adds_bos, adds_eos, space_before;
};

static int no_memory(void)
{
    return sp_error(SP_ENOMEM, "out of memory");
}

static bool is(struct sp_gguf_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static int shown(struct sp_gguf_text text)
{
    return text.length < SHOWN ? (int)text.length : SHOWN;
}

/* ---- what kind it is ---- */

static int find_pre_tokenizer(struct reader *r)
{
    struct sp_gguf_text name = { NULL, 0 };
    char known[200] = "";

    SP_TRY(sp_gguf_get_text(&name, r->file, KEY("pre")));
    if (!name.data) {
        sp_log_once(SP_LOG_WARNING,
               "%s has no \"" KEY(
                   "pre") "\", which says how texts are taken apart: read as llama.cpp does it then, which "
                          "may not be how the model was trained; a newer GGUF of the model has it",
               r->path);
        name = (struct sp_gguf_text){ "default", strlen("default") };
    }
    for (r->pre = 0; r->pre < sizeof pre_tokenizers / sizeof *pre_tokenizers; r->pre++) {
        if (is(name, pre_tokenizers[r->pre].name))
            return 0;
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", r->pre ? ", " : "",
                 pre_tokenizers[r->pre].name);
    }
    return sp_error(SP_ENOTFOUND,
                    "%s: \"" KEY("pre") "\" is \"%.*s\", a way to take texts apart that is not known here; "
                                        "these are: %s",
                    r->path, shown(name), name.data, known);
}

static int find_kind(struct reader *r)
{
    struct sp_gguf_text model = { NULL, 0 };

    SP_TRY(sp_gguf_get_text(&model, r->file, KEY("model")));
    if (!model.data || !sp_gguf_has(r->file, KEY("tokens")))
        return sp_error(SP_ENOTFOUND, "%s has no tokenizer (\"" KEY("model") "\" and \"" KEY("tokens") "\")", r->path);
    r->sentencepiece = is(model, "llama");
    if (!r->sentencepiece && !is(model, "gpt2"))
        return sp_error(SP_ENOTFOUND,
                        "%s: \"" KEY(
                            "model") "\" is \"%.*s\"; of a GGUF's tokenizers are read: gpt2, byte-level BPE, and "
                                     "llama, SentencePiece's BPE",
                        r->path, shown(model), model.data);
    return r->sentencepiece ? 0 : find_pre_tokenizer(r);
}

/* ---- the vocabulary ---- */

static int check_length(const struct reader *r, const char *key, const struct sp_gguf_array *array, size_t count)
{
    if (!array->at || array->count == count)
        return 0;
    return sp_error(SP_EFORMAT, "%s: \"%s\" has %zu entries for %zu tokens", r->path, key, array->count, count);
}

static int add_token(struct reader *r, size_t id, struct sp_gguf_text text)
{
    char token[TOKEN_LIMIT + 1];
    const json_t *other;

    if (text.length > TOKEN_LIMIT)
        return sp_error(SP_ELIMIT, "%s: token %zu has %zu bytes; at most %d are allowed", r->path, id, text.length,
                        TOKEN_LIMIT);
    if (sp_text_utf8_prefix(text.data, text.length) < text.length || memchr(text.data, '\0', text.length))
        return sp_error(SP_EFORMAT, "%s: token %zu is not UTF-8, or holds NUL", r->path, id);
    if (text.length == 0) /* llama.cpp's name for it */
        snprintf(token, sizeof token, "[EMPTY_%zu]", id);
    else
        snprintf(token, sizeof token, "%.*s", (int)text.length, text.data);
    other = json_object_get(r->vocab, token);
    if (other)
        return sp_error(SP_EFORMAT, "%s: tokens %lld and %zu are the same, \"%.*s\"", r->path,
                        (long long)json_integer_value(other), id, shown(text), text.data);
    if (json_object_set_new(r->vocab, token, json_integer((json_int_t)id)) < 0 ||
        json_array_append_new(r->tokens, json_string(token)) < 0)
        return no_memory();
    return 0;
}

static int read_vocabulary(struct reader *r)
{
    struct sp_gguf_array tokens = { 0, NULL };
    size_t count;

    SP_TRY(sp_gguf_get_texts(&tokens, r->file, KEY("tokens")));
    SP_TRY(sp_gguf_get_ints(&r->types, r->file, KEY("token_type")));
    SP_TRY(sp_gguf_get_floats(&r->scores, r->file, KEY("scores")));
    count = tokens.count;
    if (count == 0 || count > TOKENS_LIMIT)
        return sp_error(SP_EFORMAT, "%s: \"" KEY("tokens") "\" has %zu tokens; expected are 1 to %d", r->path, count,
                        TOKENS_LIMIT);
    SP_TRY(check_length(r, KEY("token_type"), &r->types, count));
    SP_TRY(check_length(r, KEY("scores"), &r->scores, count));
    for (size_t i = 0; i < count; i++)
        SP_TRY(add_token(r, i, sp_gguf_next_text(&tokens)));
    return 0;
}

static int read_id(long long *out, const struct reader *r, const char *key, long long otherwise)
{
    long long count = (long long)json_array_size(r->tokens);

    *out = otherwise;
    SP_TRY(sp_gguf_get_int(out, r->file, key));
    if (!sp_gguf_has(r->file, key) && *out >= count)
        *out = NONE;
    if (*out < NONE || *out >= count)
        return sp_error(SP_EFORMAT, "%s: \"%s\" is %lld, but the tokens are 0 to %lld", r->path, key, *out, count - 1);
    return 0;
}

/* What a file does not say is as llama.cpp takes it. */
static int read_flags(struct reader *r)
{
    bool llama = r->sentencepiece;

    SP_TRY(read_id(&r->bos, r, KEY("bos_token_id"), llama ? 1 : NONE));
    SP_TRY(read_id(&r->eos, r, KEY("eos_token_id"), llama ? 2 : NONE));
    SP_TRY(read_id(&r->unknown, r, KEY("unknown_token_id"), llama ? 0 : NONE));
    SP_TRY(read_id(&r->padding, r, KEY("padding_token_id"), NONE));
    r->adds_bos = llama || pre_tokenizers[r->pre].adds_bos;
    r->adds_eos = false;
    r->space_before = llama;
    SP_TRY(sp_gguf_get_bool(&r->adds_bos, r->file, KEY("add_bos_token")));
    SP_TRY(sp_gguf_get_bool(&r->adds_eos, r->file, KEY("add_eos_token")));
    SP_TRY(sp_gguf_get_bool(&r->space_before, r->file, KEY("add_space_prefix")));
    if ((r->adds_bos && r->bos == NONE) || (r->adds_eos && r->eos == NONE))
        return sp_error(SP_EFORMAT, "%s: a token is to be put %s each text, but \"%s\" is missing", r->path,
                        r->adds_bos && r->bos == NONE ? "before" : "behind",
                        r->adds_bos && r->bos == NONE ? KEY("bos_token_id") : KEY("eos_token_id"));
    return 0;
}

/* ---- the document's parts ---- */

enum type { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4 };

/* Tokens that are found in a text as they stand. Without kinds, those that have an id of their own. */
static json_t *added_tokens(const struct reader *r)
{
    struct sp_gguf_array types = r->types;
    json_t *list = json_array(), *text;
    size_t id;

    json_array_foreach(r->tokens, id, text)
    {
        long long this = (long long)id;
        bool named = this == r->bos || this == r->eos || this == r->unknown || this == r->padding;
        int type = types.at ? sp_gguf_next_int(&types) : named ? CONTROL : NORMAL;

        if (type != CONTROL && type != USER_DEFINED && type != UNKNOWN)
            continue;
        json_array_append_new(list, json_pack("{s:I, s:O, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)id, "content",
                                              text, "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0,
                                              "special", type != USER_DEFINED));
    }
    return list;
}

static json_t *byte_level(bool regex)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex",
                     regex);
}

static json_t *sequence(const char *key, json_t *list)
{
    return json_pack("{s:s, s:o}", "type", "Sequence", key, list);
}

static json_t *replace(const char *pattern, const char *content)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", pattern, "content", content);
}

static json_t *normalizer(const struct reader *r)
{
    if (!r->sentencepiece)
        return pre_tokenizers[r->pre].nfc ? json_pack("{s:s}", "type", "NFC") : json_null();
    if (!r->space_before)
        return replace(" ", SPACE);
    return sequence("normalizers",
                    json_pack("[{s:s, s:s}, o]", "type", "Prepend", "prepend", SPACE, replace(" ", SPACE)));
}

static json_t *pre_tokenizer(const struct reader *r)
{
    const char *const *pattern = pre_tokenizers[r->pre].patterns;
    json_t *list;

    if (r->sentencepiece)
        return json_null();
    list = json_array();
    if (pre_tokenizers[r->pre].digits)
        json_array_append_new(list, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 1));
    json_array_append_new(list, byte_level(!*pattern));
    for (size_t i = 0; pattern[i]; i++)
        json_array_insert_new(list, i,
                              json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", pattern[i],
                                        "behavior", "Isolated", "invert", 0));
    return sequence("pretokenizers", list);
}

static const json_t *token(const struct reader *r, long long id)
{
    return id == NONE ? NULL : json_array_get(r->tokens, (size_t)id);
}

static json_t *special_piece(const struct reader *r, long long id, int type)
{
    return json_pack("{s:{s:O, s:i}}", "SpecialToken", "id", token(r, id), "type_id", type);
}

/* One text with its tokens around it, in a template. */
static void add_text(json_t *list, const struct reader *r, const char *name, int type)
{
    if (r->adds_bos)
        json_array_append_new(list, special_piece(r, r->bos, type));
    json_array_append_new(list, json_pack("{s:{s:s, s:i}}", "Sequence", "id", name, "type_id", type));
    if (r->adds_eos)
        json_array_append_new(list, special_piece(r, r->eos, type));
}

static json_t *post_processor(const struct reader *r)
{
    json_t *single = json_array(), *pair = json_array(), *specials = json_object();
    const long long ids[2] = { r->adds_bos ? r->bos : NONE, r->adds_eos ? r->eos : NONE };

    if (!r->adds_bos && !r->adds_eos) {
        json_decref(single);
        json_decref(pair);
        json_decref(specials);
        return json_null();
    }
    add_text(single, r, "A", 0);
    add_text(pair, r, "A", 0);
    add_text(pair, r, "B", 1);
    for (size_t i = 0; i < 2; i++)
        if (ids[i] != NONE)
            json_object_set_new(specials, json_string_value(token(r, ids[i])),
                                json_pack("{s:O, s:[I], s:[O]}", "id", token(r, ids[i]), "ids", (json_int_t)ids[i],
                                          "tokens", token(r, ids[i])));
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair,
                     "special_tokens", specials);
}

static json_t *decoder(const struct reader *r)
{
    json_t *list;

    if (!r->sentencepiece)
        return byte_level(true);
    list = json_pack("[o, {s:s}, {s:s}]", replace(SPACE, " "), "type", "ByteFallback", "type", "Fuse");
    if (r->space_before)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1,
                                              "stop", 0));
    return sequence("decoders", list);
}

static int model(json_t **out, const struct reader *r)
{
    const json_t *unknown = r->sentencepiece ? token(r, r->unknown) : NULL;
    json_t *merges = NULL;

    if (r->sentencepiece && r->scores.at)
        SP_TRY(sp_gguf_merges_of_scores(&merges, r->vocab, r->tokens, r->scores, r->types, r->path));
    else
        SP_TRY(sp_gguf_merges(&merges, r->file, KEY("merges")));
    *out = json_pack("{s:s, s:n, s:O?, s:n, s:n, s:b, s:b, s:b, s:O, s:o}", "type", "BPE", "dropout", "unk_token",
                     unknown, "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", r->sentencepiece,
                     "byte_fallback", r->sentencepiece, "ignore_merges",
                     !r->sentencepiece && pre_tokenizers[r->pre].ignores_merges, "vocab", r->vocab, "merges", merges);
    return *out ? 0 : no_memory();
}

/* ---- the documents ---- */

static int make_definition(json_t **out, const struct reader *r)
{
    json_t *bpe;

    SP_TRY(model(&bpe, r));
    *out = json_pack("{s:s, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:o}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added_tokens(r), "normalizer", normalizer(r), "pre_tokenizer", pre_tokenizer(r),
                     "post_processor", post_processor(r), "decoder", decoder(r), "model", bpe);
    return *out ? 0 : no_memory();
}

static int make_config(json_t **out, const struct reader *r)
{
    struct sp_gguf_text chat = { NULL, 0 };

    SP_TRY(sp_gguf_get_text(&chat, r->file, "tokenizer.chat_template"));
    if (chat.data && sp_text_utf8_prefix(chat.data, chat.length) < chat.length)
        return sp_error(SP_EFORMAT, "%s: \"tokenizer.chat_template\" is not UTF-8", r->path);
    *out =
        json_pack("{s:s, s:b, s:b, s:O*, s:O*, s:O*, s:O*}", "tokenizer_class", "PreTrainedTokenizerFast",
                  "add_bos_token", r->adds_bos, "add_eos_token", r->adds_eos, "bos_token", token(r, r->bos),
                  "eos_token", token(r, r->eos), "unk_token", token(r, r->unknown), "pad_token", token(r, r->padding));
    if (!*out || (chat.data && json_object_set_new(*out, "chat_template", json_stringn(chat.data, chat.length)) < 0))
        return no_memory();
    return 0;
}

int sp_gguf_tokenizer(json_t **definition, json_t **config, const struct sp_gguf *file)
{
    struct reader r = { .file = file, .path = sp_gguf_path(file), .vocab = json_object(), .tokens = json_array() };
    int rc = r.vocab && r.tokens ? 0 : no_memory();

    *definition = *config = NULL;
    SP_GO(rc);
    SP_GO(find_kind(&r));
    SP_GO(read_vocabulary(&r));
    SP_GO(read_flags(&r));
    SP_GO(make_definition(definition, &r));
    rc = make_config(config, &r);
out:
    json_decref(r.tokens);
    json_decref(r.vocab);
    if (rc < 0) {
        json_decref(*definition);
        json_decref(*config);
        *definition = *config = NULL;
    }
    return rc;
}
