#include "runtime/text/vocab_json.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/text.h"
#include "runtime/text/vocab_txt.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 20)

/* The lines of merges.txt, "a b", as a list; the first may say of which version the file is. */
static int read_merges(json_t *merges, const char *path)
{
    char *text = NULL, *line, *end;
    size_t length, number = 0;
    int rc = 0;

    SP_GO(sp_fs_read(&text, &length, path, FILE_MAX));
    SP_GO(sp_json_refuse_answer(path, text, length));
    SP_GO(sp_text_refuse_utf16(path, text, length));
    end = text + length;
    for (line = text; line < end; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line)), *blank;
        size_t bytes = (size_t)((stop ? stop : end) - line);
        size_t kept = bytes && line[bytes - 1] == '\r' ? bytes - 1 : bytes;

        line[kept] = '\0';
        blank = strchr(line, ' ');
        if (strncmp(line, "#version", 8) != 0 &&
            (!blank || strchr(blank + 1, ' ') || strlen(line) != kept ||
             json_array_append_new(merges, json_string(line)) < 0))
            SP_GO(sp_error(SP_EFORMAT, "%s:%zu: \"%.60s\" is not two tokens with a blank between them, in UTF-8", path,
                           number + 1, line));
        line += bytes + (stop != NULL);
    }
out:
    free(text);
    return rc;
}

/* What RoBERTa's class puts around texts; GPT-2's puts what the configuration asks for, which is not told here. */
static json_t *post_processor(const struct sp_tokenizer_config *config)
{
    const char *cls = config->names[SP_TOKEN_CLS], *sep = config->names[SP_TOKEN_SEP];

    if (config->kind != SP_TOKENIZER_ROBERTA)
        return json_null();
    return json_pack("{s:s, s:[s, O], s:[s, O]}", "type", "RobertaProcessing", "cls", cls,
                     json_object_get(json_object_get(config->tokens, cls), "id"), "sep", sep,
                     json_object_get(json_object_get(config->tokens, sep), "id"));
}

static int check_specials(const struct sp_tokenizer_config *config)
{
    static const enum sp_special_token needed[] = { SP_TOKEN_CLS, SP_TOKEN_SEP };

    for (size_t i = 0; config->kind == SP_TOKENIZER_ROBERTA && i < 2; i++)
        if (!config->names[needed[i]] || !config->names[needed[i]][0])
            return sp_error(SP_EFORMAT,
                            "%s: \"%s\" is null or empty, and RoBERTa's tokenizer puts that token around every text: "
                            "name it",
                            config->path, i ? "sep_token" : "cls_token");
    return 0;
}

static int load_vocab(json_t **out, const char *path)
{
    json_t *id;
    const char *token;

    SP_TRY(sp_json_load(out, path, FILE_MAX));
    if (!sp_json_is_object(*out))
        return sp_error(SP_EFORMAT, "%s is not a JSON object of tokens and their ids", path);
    json_object_foreach (*out, token, id)
        if (!json_is_integer(id))
            return sp_error(SP_EFORMAT, "%s: the id of the token \"%.60s\" is not an integer", path, token);
    return 0;
}

int sp_vocab_json_load(json_t **out, const struct sp_tokenizer_config *config, const char *model_dir, const char *path)
{
    json_t *vocab = NULL, *merges = json_array(), *added = json_array();
    char *merges_path = sp_fs_join(model_dir, "merges.txt");
    int prefixed = 0, rc = merges && added && merges_path ? 0 : SP_ENOMEM;

    *out = NULL;
    SP_GO(rc);
    SP_GO(check_specials(config));
    SP_GO(load_vocab(&vocab, path));
    if (!sp_fs_has_name(merges_path))
        SP_GO(sp_error(SP_ENOTFOUND, "%s is not there: the merges of the tokens in vocab.json are expected in it",
                       merges_path));
    SP_GO(read_merges(merges, merges_path));
    SP_GO(sp_json_get_bool(&prefixed, config->config, "add_prefix_space", config->path));
    SP_GO(sp_vocab_list_tokens(added, config, vocab, json_object_size(vocab), false, path));
    /* clang-format off */
    *out = json_pack("{s:O, s:{s:s, s:b}, s:{s:s, s:O, s:O}, s:{s:s}, s:o}",
                     "added_tokens", added,
                     "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", prefixed,
                     "model", "type", "BPE", "vocab", vocab, "merges", merges,
                     "decoder", "type", "ByteLevel",
                     "post_processor", post_processor(config));
    /* clang-format on */
    if (!*out)
        rc = SP_ENOMEM;
out:
    json_decref(vocab);
    json_decref(merges);
    json_decref(added);
    free(merges_path);
    return rc;
}
