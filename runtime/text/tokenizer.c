#include "runtime/text/tokenizer.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/likely_name.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/text/contradictions.h"
#include "runtime/text/tokenizer_config.h"
#include "runtime/text/tokenizer_priv.h"
#include "runtime/text/vocab_json.h"
#include "runtime/text/vocab_txt.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 20)

static int load_stages(struct sp_tokenizer *t, const json_t *json, const char *path)
{
    SP_TRY(sp_chain_load(&t->normalizers, &t->vocab, "normalizer", json_object_get(json, "normalizer"), path));
    SP_TRY(sp_chain_load(&t->pre_tokenizers, &t->vocab, "pre_tokenizer", json_object_get(json, "pre_tokenizer"), path));
    SP_TRY(sp_stage_load(&t->model, &t->model_state, &t->vocab, "model",
                         json_object_get(json, "model"), path));
    SP_TRY(sp_chain_load(&t->decoders, &t->vocab, "decoder", json_object_get(json, "decoder"), path));
    SP_TRY(sp_vocab_index(&t->vocab));
    SP_TRY(sp_templates_load(t->templates, json_object_get(json, "post_processor"), path));
    return sp_added_tokens_load(&t->added, json_object_get(json, "added_tokens"), &t->vocab, &t->normalizers, path);
}

/* A classifier reads the first token's place, which transformers 5 gives to [CLS] where a class such as BertTokenizer
 * is named, and transformers 4 and the tokenizers library as tokenizer.json says. */
static void warn_of_templates(const struct sp_tokenizer *t, const char *path)
{
    bool none = t->templates[0].count == 0 || t->templates[0].pieces[0].text >= 0;

    if (none || t->templates[1].count == 0 || t->templates[1].pieces[0].text >= 0)
        sp_log(SP_LOG_WARNING,
               "%s puts no token such as [CLS] before %s (\"post_processor\") and is followed: a classifier of BERT's "
               "then reads the first word in its place",
               path, none ? "a text" : "a pair of texts");
}

static uint32_t find_token(const struct sp_tokenizer *t, const char *token)
{
    uint32_t id = token ? sp_vocab_find(&t->vocab, token) : SP_TOKEN_NONE;

    for (size_t i = 0; token && id == SP_TOKEN_NONE && i < t->added.raw.count; i++)
        if (strcmp(t->added.raw.tokens[i].text, token) == 0)
            id = t->added.raw.tokens[i].id;
    return id;
}

/* "truncation": {"direction": "Left"} stays from the tokenizer's last use, and counts where the configuration names no
 * side. */
static bool truncates_left(const json_t *json, const struct sp_tokenizer_config *config)
{
    const char *side = json_string_value(json_object_get(json_object_get(json, "truncation"), "direction"));

    return config->side_given ? config->truncates_left : side && strcmp(side, "Left") == 0;
}

static void apply_config(struct sp_tokenizer *t, const json_t *json, const struct sp_tokenizer_config *config)
{
    for (size_t i = 0; i < SP_TOKEN_SPECIALS; i++)
        t->specials[i] = i == SP_TOKEN_UNK ? t->vocab.unknown : find_token(t, config->names[i]);
    t->max_length = config->max_length;
    t->truncates_left = truncates_left(json, config);
    for (size_t i = 0; i < 2 && config->no_types; i++)
        for (size_t j = 0; j < t->templates[i].count; j++)
            t->templates[i].pieces[j].type = 0;
}

/* "add_bos_token" and "add_eos_token" of the configuration count, as in transformers 5, and what tokenizer.json puts
 * around texts does not; but for the classes that have their own way. */
static int apply_ends(struct sp_tokenizer *t, const struct sp_tokenizer_config *config, const char *path)
{
    struct sp_template made[2] = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    int rc = 0;

    if (!config->ends_given || config->kind == SP_TOKENIZER_BERT || config->kind == SP_TOKENIZER_ROBERTA)
        return 0;
    SP_GO(sp_templates_make(made, config->adds_bos ? t->specials[SP_TOKEN_BOS] : SP_TOKEN_NONE,
                            config->adds_eos ? t->specials[SP_TOKEN_EOS] : SP_TOKEN_NONE));
    if (config->has_definition && !sp_templates_equal(made, t->templates))
        sp_log(SP_LOG_WARNING,
               "\"add_bos_token\" and \"add_eos_token\" in tokenizer_config.json are followed, as in transformers 5; "
               "\"post_processor\" in %s puts other tokens around texts",
               path);
    for (size_t i = 0; i < 2; i++) {
        struct sp_template old = t->templates[i];

        t->templates[i] = made[i];
        made[i] = old;
    }
out:
    sp_template_free(&made[0]);
    sp_template_free(&made[1]);
    return rc;
}

const char *const sp_tokenizer_files[] = { "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt",
                                           "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                           NULL };

static bool has_file(const char *model_dir, const char *name)
{
    char *path = sp_fs_join(model_dir, name);
    bool there = path && sp_fs_has_name(path);

    free(path);
    return there;
}

static int no_tokenizer(const char *model_dir)
{
    static const char *const models[] = { "spiece.model", "sentencepiece.bpe.model", "tokenizer.model" };

    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (has_file(model_dir, models[i]))
            return sp_error(SP_ENOTFOUND,
                            "%s has no tokenizer.json, and %s, SentencePiece's own file, is not read: in that folder, "
                            "python3 -c \"from transformers import AutoTokenizer as A; "
                            "A.from_pretrained('.').save_pretrained('.')\" makes one of the other (Python needs the "
                            "packages transformers, sentencepiece and protobuf)",
                            model_dir, models[i]);
    SP_TRY(sp_likely_name_refuse(model_dir, "vocab.txt", NULL));
    SP_TRY(sp_likely_name_refuse(model_dir, "tokenizer.json", NULL));
    return sp_error(SP_ENOTFOUND,
                    "%s has no tokenizer: neither tokenizer.json nor vocab.txt nor vocab.json with merges.txt is there",
                    model_dir);
}

/* The file of the folder that is read: the first that is there. */
static int find_form(enum sp_tokenizer_form *form, char **path, const char *model_dir)
{
    static const char *const names[] = { "tokenizer.json", "vocab.txt", "vocab.json" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        free(*path);
        *path = sp_fs_join(model_dir, names[i]);
        if (!*path)
            return SP_ENOMEM;
        if (i == 0)
            SP_TRY(sp_fs_check_way(*path));
        *form = (enum sp_tokenizer_form)i;
        if (sp_fs_has_name(*path))
            return 0;
    }
    return no_tokenizer(model_dir);
}

/* The directory's tokenizer.json, or one made of its vocabulary; *path is the file, for messages. */
static int read_definition(json_t **out, char **path, struct sp_tokenizer_config *config, const char *model_dir)
{
    char *text = sp_fs_join(model_dir, "vocab.txt");
    enum sp_tokenizer_form form;
    int rc = text ? 0 : SP_ENOMEM;

    SP_GO(rc);
    SP_GO(find_form(&form, path, model_dir));
    SP_GO(sp_tokenizer_config_load(config, model_dir, form));
    if (form == SP_FORM_TOKENIZER_JSON)
        SP_GO(sp_json_load(out, *path, FILE_MAX));
    else if (form == SP_FORM_VOCAB_TXT)
        SP_GO(sp_vocab_txt_load(out, config, *path));
    else
        SP_GO(sp_vocab_json_load(out, config, model_dir, *path));
    SP_GO(sp_contradictions_warn(*out, config, *path));
    if (form == SP_FORM_TOKENIZER_JSON && sp_fs_has_name(text))
        sp_vocab_txt_compare(*out, *path, text);
out:
    free(text);
    return rc;
}

static int make(struct sp_tokenizer **out, const json_t *definition, const struct sp_tokenizer_config *config,
                const char *path)
{
    struct sp_tokenizer *t = sp_calloc(1, sizeof *t);
    int rc = t ? load_stages(t, definition, path) : SP_ENOMEM;

    SP_GO(rc);
    if (strcmp(t->model->type, "WordPiece") == 0)
        warn_of_templates(t, path);
    apply_config(t, definition, config);
    SP_GO(apply_ends(t, config, path));
    *out = t;
out:
    if (rc < 0)
        sp_tokenizer_free(t);
    return rc;
}

int sp_tokenizer_load(struct sp_tokenizer **out, const char *model_dir)
{
    struct sp_tokenizer_config config = { .path = NULL };
    json_t *json = NULL;
    char *path = NULL;
    int rc = 0;

    *out = NULL;
    SP_GO(read_definition(&json, &path, &config, model_dir));
    rc = make(out, json, &config, path);
out:
    sp_tokenizer_config_free(&config);
    json_decref(json);
    free(path);
    return rc;
}

int sp_tokenizer_make(struct sp_tokenizer **out, const json_t *definition, const json_t *config, const char *path)
{
    struct sp_tokenizer_config read = { .path = NULL };
    int rc = 0;

    *out = NULL;
    SP_GO(sp_tokenizer_config_take(&read, config, path));
    rc = make(out, definition, &read, path);
out:
    sp_tokenizer_config_free(&read);
    return rc;
}

void sp_tokenizer_free(struct sp_tokenizer *t)
{
    if (!t)
        return;
    sp_chain_free(&t->normalizers);
    sp_chain_free(&t->pre_tokenizers);
    sp_chain_free(&t->decoders);
    if (t->model)
        t->model->free(t->model_state);
    sp_vocab_free(&t->vocab);
    sp_added_tokens_free(&t->added);
    sp_template_free(&t->templates[0]);
    sp_template_free(&t->templates[1]);
    free(t);
}

size_t sp_tokenizer_vocab_size(const struct sp_tokenizer *t)
{
    uint32_t size = t->vocab.size > t->added.size ? t->vocab.size : t->added.size;

    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < t->templates[i].count; j++)
            if (t->templates[i].pieces[j].id >= size)
                size = t->templates[i].pieces[j].id + 1;
    return size;
}

/* A vocabulary that a download left cut looks like any other, and its words are unknown. Models have some rows more
 * than words, so that their number is a round one. */
void sp_tokenizer_warn_short(const struct sp_tokenizer *t, size_t rows, const char *model_dir)
{
    size_t words = sp_tokenizer_vocab_size(t);

    if (rows > words + 128 && rows - words > rows / 20)
        sp_log(SP_LOG_WARNING,
               "the tokenizer in %s has %zu tokens, and the model's vocab_size is %zu: words that it lacks are unknown "
               "to it; compare its vocab.txt or tokenizer.json with the model's, as a download may have been cut",
               model_dir, words, rows);
}

size_t sp_tokenizer_max_length(const struct sp_tokenizer *t)
{
    return t->max_length;
}

size_t sp_tokenizer_specials(const struct sp_tokenizer *t, bool pair)
{
    return t->templates[pair].specials;
}

uint32_t sp_tokenizer_special(const struct sp_tokenizer *t, enum sp_special_token which)
{
    return t->specials[which];
}

/* English texts (SST-2, RTE, STS-B, GSM8K) have not one unknown token in 130,000 with BERT's uncased vocabulary,
 * and where it is said not to lower-case, 9 to 17 % (SST-2, which is lower case already, 0.02 %); of texts in
 * other languages, Chinese have 67 %, Korean 7 %, and those in letters that the vocabulary has (German, Russian,
 * Hindi) none. Of a few names or emoji in a small file there is no need to speak. */
void sp_tokenizer_warn_unknown(size_t unknown, size_t tokens, size_t line, const char *path)
{
    if (unknown > tokens / 20 + 3)
        sp_log(SP_LOG_WARNING,
               "%s: %.0f %% of its texts' tokens (%zu of %zu, first in line %zu) are unknown to the model's tokenizer, "
               "and read all alike: it may be one for another language, or for other capital letters "
               "(\"do_lower_case\" in tokenizer_config.json)",
               path, 100. * (double)unknown / (double)tokens, unknown, tokens, line);
}
